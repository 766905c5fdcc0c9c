RENAME TABLE customers TO _deprecated_customers;
