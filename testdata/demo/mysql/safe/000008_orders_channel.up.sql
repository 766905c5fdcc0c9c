-- Where an order came from: web, shop or partner. A constant default is kept
-- in the table's metadata, so no row is touched.
SET SESSION lock_wait_timeout = 2;

ALTER TABLE orders ADD COLUMN channel VARCHAR(16) NOT NULL DEFAULT 'web', ALGORITHM=INSTANT;
