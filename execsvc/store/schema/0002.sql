-- Schema 2: stories, facts, and what retention needs in order to find what is old.

-- The orders' stories, one row for each order of a commit: a JSON array of steps. They explain and decide nothing, so they
-- are no part of the audit chain. `upto` counts the steps of the story up to this row; `seq` is the order's newest entry
-- after the commit, with which the row goes.
CREATE TABLE order_step (
  step_no INTEGER PRIMARY KEY,
  order_no INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  upto INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX order_step_by_order ON order_step (order_no);

-- What is remembered of an account besides its orders.
CREATE TABLE fact (
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

-- Retention walks from the old end: orders that have ended and fills by their newest entry.
ALTER TABLE orders ADD COLUMN last_seq INTEGER NOT NULL DEFAULT 0;
UPDATE orders SET last_seq = newest.seq
  FROM (
    SELECT account, json_extract(body, '$.key.caller') AS caller,
           json_extract(body, '$.key.client_order_id') AS client_order_id, max(seq) AS seq
      FROM order_event WHERE kind = 'order' AND json_valid(body) GROUP BY 1, 2, 3
  ) AS newest
 WHERE orders.account = newest.account AND orders.caller = newest.caller
   AND orders.client_order_id = newest.client_order_id;
CREATE INDEX orders_ended ON orders (account, last_seq)
  WHERE status NOT IN ('submitted', 'in_doubt', 'pending', 'open');

ALTER TABLE fill ADD COLUMN at_ns INTEGER NOT NULL DEFAULT 0;
UPDATE fill SET at_ns = order_event.at_ns
  FROM order_event WHERE order_event.account = fill.account AND order_event.seq = fill.seq;
CREATE INDEX fill_by_seq ON fill (account, seq);

-- An order's wire ids hang together: each names the one of the attempt before, the order's body the last one. What the
-- first build wrote is strung in any order that ends with that last one.
ALTER TABLE wire_id ADD COLUMN earlier TEXT;
UPDATE wire_id SET earlier = strung.earlier
  FROM (
    SELECT venue_client_id, lag(venue_client_id) OVER (
             PARTITION BY account, caller, client_order_id
                 ORDER BY venue_client_id = CASE WHEN json_valid(body) THEN json_extract(body, '$.venue_client_id') END,
                          venue_client_id
           ) AS earlier
      FROM wire_id JOIN orders USING (account, caller, client_order_id)
  ) AS strung
 WHERE wire_id.venue_client_id = strung.venue_client_id AND strung.earlier IS NOT NULL;
