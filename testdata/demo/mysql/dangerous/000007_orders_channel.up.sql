-- Where an order came from: web, shop or partner.
ALTER TABLE orders ADD COLUMN channel VARCHAR(16);

UPDATE orders SET channel = 'web';

ALTER TABLE orders MODIFY channel VARCHAR(16) NOT NULL;

CREATE INDEX orders_channel_placed_at_idx ON orders (channel, placed_at);
