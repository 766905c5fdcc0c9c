-- In batches, each in a transaction of its own: no row is locked for long.
DO $$
DECLARE
    last bigint := 0;
    upto bigint;
BEGIN
    LOOP
        SELECT max(id) INTO upto
        FROM (SELECT id FROM orders WHERE id > last ORDER BY id LIMIT 20000) batch;
        EXIT WHEN upto IS NULL;
        UPDATE orders SET total_cents_wide = total_cents
        WHERE id > last AND id <= upto AND total_cents_wide IS NULL;
        COMMIT;
        last := upto;
    END LOOP;
END
$$;
