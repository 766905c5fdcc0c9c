-- Where an order came from: web, shop or partner. A constant default is kept
-- in the catalogue, so no row is touched.
SET LOCAL lock_timeout = '2s';

ALTER TABLE orders ADD COLUMN channel text NOT NULL DEFAULT 'web';
