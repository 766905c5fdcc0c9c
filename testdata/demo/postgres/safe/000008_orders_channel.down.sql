ALTER TABLE orders RENAME COLUMN channel TO _deprecated_channel;
