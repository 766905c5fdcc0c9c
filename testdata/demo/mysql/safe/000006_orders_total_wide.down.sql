-- Disable the new path, and destroy nothing that was written to it.
DROP TRIGGER orders_update_total;
DROP TRIGGER orders_insert_total;
ALTER TABLE orders RENAME COLUMN total_cents_wide TO _deprecated_total_cents_wide, ALGORITHM=INSTANT;
