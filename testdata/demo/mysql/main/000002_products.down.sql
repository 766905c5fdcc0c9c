RENAME TABLE products TO _deprecated_products;
