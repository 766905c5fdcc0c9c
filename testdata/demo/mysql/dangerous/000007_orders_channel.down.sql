DROP INDEX orders_channel_placed_at_idx ON orders;
ALTER TABLE orders DROP COLUMN channel;
