-- Only open orders can still grow: readers of the others take
-- coalesce(total_cents_wide, total_cents). In batches, each in a transaction of
-- its own, so that no row is locked for long.
DO $$
DECLARE
    batch bigint[];
BEGIN
    LOOP
        SELECT array_agg(id) INTO batch
        FROM (SELECT id FROM orders
              WHERE status = 'open' AND total_cents_wide IS NULL AND id > coalesce(batch[array_upper(batch, 1)], 0)
              ORDER BY id LIMIT 2000) next;
        EXIT WHEN batch IS NULL;
        UPDATE orders SET total_cents_wide = total_cents WHERE id = ANY (batch);
        COMMIT;
    END LOOP;
END
$$;
