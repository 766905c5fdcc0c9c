-- A B2B order went over 21,474,836.47. Expand: a wider column beside the old
-- one, kept equal by triggers until the application reads the new one.
SET SESSION lock_wait_timeout = 2;

ALTER TABLE orders ADD COLUMN total_cents_wide BIGINT, ALGORITHM=INSTANT;

CREATE TRIGGER orders_insert_total BEFORE INSERT ON orders
    FOR EACH ROW SET NEW.total_cents_wide = COALESCE(NEW.total_cents_wide, NEW.total_cents);

CREATE TRIGGER orders_update_total BEFORE UPDATE ON orders
    FOR EACH ROW SET NEW.total_cents_wide = IF(NEW.total_cents <=> OLD.total_cents,
                                               COALESCE(NEW.total_cents_wide, NEW.total_cents), NEW.total_cents);
