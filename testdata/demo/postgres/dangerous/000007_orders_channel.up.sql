-- Where an order came from: web, shop or partner.
ALTER TABLE orders ADD COLUMN channel text;

UPDATE orders SET channel = 'web';

ALTER TABLE orders ALTER COLUMN channel SET NOT NULL;

CREATE INDEX orders_channel_placed_at_idx ON orders (channel, placed_at);
