RENAME TABLE order_lines TO _deprecated_order_lines;
