RENAME TABLE payments TO _deprecated_payments;
