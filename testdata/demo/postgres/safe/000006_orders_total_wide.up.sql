-- A B2B order went over 21,474,836.47. Expand: a wider column beside the old
-- one, kept equal by a trigger until the application reads the new one.
SET LOCAL lock_timeout = '2s';

ALTER TABLE orders ADD COLUMN total_cents_wide bigint;

CREATE FUNCTION orders_copy_total() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.total_cents_wide := coalesce(NEW.total_cents_wide, NEW.total_cents);
    RETURN NEW;
END
$$;

CREATE TRIGGER orders_copy_total BEFORE INSERT OR UPDATE OF total_cents ON orders
    FOR EACH ROW EXECUTE FUNCTION orders_copy_total();
