-- Schema 4: trading modes. Each change is an entry of the journal, so that it is in the audit chain before it is told; the
-- table holds what is in force. Empty columns mean any; `everything` stands alone, once for each account it was set with.

CREATE TABLE trading_mode (
  account TEXT NOT NULL,
  caller TEXT NOT NULL,
  symbol TEXT NOT NULL,
  everything INTEGER NOT NULL CHECK (everything IN (0, 1)),
  body TEXT NOT NULL,
  PRIMARY KEY (account, caller, symbol, everything)
) STRICT, WITHOUT ROWID;

-- SQLite cannot widen a CHECK: the journal moves into a table that knows the new kind. Numbers, bodies and hashes stay.
CREATE TABLE order_event_4 (
  event_no INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  at_ns INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('order', 'fill', 'amend', 'mode')),
  body TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  UNIQUE (account, seq)
) STRICT;
INSERT INTO order_event_4 (event_no, account, seq, epoch, at_ns, kind, body, hash)
  SELECT event_no, account, seq, epoch, at_ns, kind, body, hash FROM order_event ORDER BY event_no;
DROP TABLE order_event;
ALTER TABLE order_event_4 RENAME TO order_event;
