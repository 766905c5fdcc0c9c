ALTER TABLE payments RENAME TO _deprecated_payments;
