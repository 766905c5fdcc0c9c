ALTER TABLE orders RENAME TO _deprecated_orders;
