-- Disable the new path, and destroy nothing that was written to it.
DROP TRIGGER orders_copy_total ON orders;
DROP FUNCTION orders_copy_total();
ALTER TABLE orders RENAME COLUMN total_cents_wide TO _deprecated_total_cents_wide;
