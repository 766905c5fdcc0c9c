CREATE INDEX CONCURRENTLY orders_channel_placed_at_idx ON orders (channel, placed_at);
