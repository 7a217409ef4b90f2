-- Schema 1. Forward only: a file that was ever released is never edited; the next change is 0002.sql.
-- Times are integer nanoseconds since the epoch, bodies are the JSON of store/records.py.

PRAGMA application_id = 1165513555; -- 0x45785353, "ExSS": tells our file from another program's

CREATE TABLE meta (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  journal_id TEXT NOT NULL,
  installation_secret BLOB NOT NULL CHECK (length(installation_secret) = 32),
  born_ns INTEGER NOT NULL,
  epoch INTEGER NOT NULL
) STRICT;

-- Where an account's journal stands: its newest entry, and the entry before the oldest one still kept (0 and the chain's
-- origin as long as nothing was dropped). Kept apart from the entries, so that a cut end shows.
CREATE TABLE account (
  account TEXT PRIMARY KEY,
  before_seq INTEGER NOT NULL,
  before_hash BLOB NOT NULL CHECK (length(before_hash) = 32),
  last_seq INTEGER NOT NULL,
  last_hash BLOB NOT NULL CHECK (length(last_hash) = 32)
) STRICT, WITHOUT ROWID;

-- The present state of every order; the columns beside the body are what is searched by.
CREATE TABLE orders (
  order_no INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  caller TEXT NOT NULL,
  client_order_id TEXT NOT NULL,
  status TEXT NOT NULL,
  symbol TEXT NOT NULL,
  venue_order_id TEXT,
  create_time_ns INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (account, caller, client_order_id)
) STRICT;
CREATE UNIQUE INDEX one_order_per_venue_id ON orders (account, venue_order_id) WHERE venue_order_id IS NOT NULL;
CREATE INDEX orders_by_time ON orders (account, create_time_ns, caller, client_order_id);
-- Few of many: what a start resolves and watches, and what is most often listed.
CREATE INDEX orders_unsettled ON orders (account, create_time_ns, caller, client_order_id)
  WHERE status IN ('submitted', 'in_doubt', 'pending', 'open');

-- The cl_ord_id of every attempt, so that a late sighting of an old one still finds its order.
CREATE TABLE wire_id (
  venue_client_id TEXT PRIMARY KEY,
  account TEXT NOT NULL,
  caller TEXT NOT NULL,
  client_order_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The journal, which is also the audit log: every change of an order with its whole new state, and every fill, chained by
-- hash (store/audit.py). Rows are large, hence a rowid table.
CREATE TABLE order_event (
  event_no INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  at_ns INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('order', 'fill')),
  body TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  UNIQUE (account, seq)
) STRICT;

-- Which fills were written; their content stands in order_event.
CREATE TABLE fill (
  account TEXT NOT NULL,
  fill_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (account, fill_id)
) STRICT, WITHOUT ROWID;

-- Highest nonce ever reserved. A nonce is a u64 and does not fit SQLite's integer: twenty digits, zero-padded.
CREATE TABLE nonce (
  key_fingerprint TEXT PRIMARY KEY,
  high_water TEXT NOT NULL CHECK (length(high_water) = 20 AND high_water NOT GLOB '*[^0-9]*')
) STRICT, WITHOUT ROWID;
