ALTER TABLE products RENAME TO _deprecated_products;
