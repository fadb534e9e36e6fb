-- The view that queries read: each envelope once. Deliveries are repeated until they are acknowledged.
CREATE OR REPLACE VIEW streaming.events AS
SELECT id, event, payload, emittedAt
FROM streaming.envelopes
WHERE TRUE
-- With emittedAt in it, which is the same in every copy, a query's limits on it still choose the partitions to read.
QUALIFY ROW_NUMBER() OVER (PARTITION BY emittedAt, id) = 1;
