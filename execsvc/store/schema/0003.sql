-- Schema 3: amends. Each has a row of its own, and each of its states is an entry of the journal, so that it is in the audit
-- chain before it is sent.

CREATE TABLE amend (
  amend_no INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  caller TEXT NOT NULL,
  client_order_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  status TEXT NOT NULL,
  attempt_ns INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (account, caller, client_order_id, request_id)
) STRICT;
-- One amend of an order is under way at a time; these are what a start resolves.
CREATE UNIQUE INDEX amend_under_way ON amend (account, caller, client_order_id)
  WHERE status IN ('submitted', 'in_doubt');
-- What may still count at the exchange when a life begins.
CREATE INDEX amend_by_attempt ON amend (account, attempt_ns);

-- SQLite cannot widen a CHECK: the journal moves into a table that knows the new kind. Numbers, bodies and hashes stay.
CREATE TABLE order_event_3 (
  event_no INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  at_ns INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('order', 'fill', 'amend')),
  body TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  UNIQUE (account, seq)
) STRICT;
INSERT INTO order_event_3 (event_no, account, seq, epoch, at_ns, kind, body, hash)
  SELECT event_no, account, seq, epoch, at_ns, kind, body, hash FROM order_event ORDER BY event_no;
DROP TABLE order_event;
ALTER TABLE order_event_3 RENAME TO order_event;
