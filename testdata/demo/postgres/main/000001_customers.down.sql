ALTER TABLE customers RENAME TO _deprecated_customers;
