DROP INDEX orders_channel_placed_at_idx;
ALTER TABLE orders DROP COLUMN channel;
