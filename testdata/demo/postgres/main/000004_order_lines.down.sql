ALTER TABLE order_lines RENAME TO _deprecated_order_lines;
