DROP INDEX orders_channel_placed_at_idx ON orders ALGORITHM=INPLACE LOCK=NONE;
