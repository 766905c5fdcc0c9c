-- Only open orders can still grow: readers of the others take
-- COALESCE(total_cents_wide, total_cents). In batches along the primary key,
-- each committed by itself, so that no row is locked for long.
CREATE PROCEDURE backfill_orders_total_wide()
BEGIN
    DECLARE first_id, last_id BIGINT UNSIGNED;
    SELECT MIN(id), MAX(id) INTO first_id, last_id FROM orders;
    WHILE first_id <= last_id DO
        UPDATE orders SET total_cents_wide = total_cents
        WHERE id >= first_id AND id < first_id + 2000 AND status = 'open' AND total_cents_wide IS NULL;
        SET first_id = first_id + 2000;
    END WHILE;
END;

CALL backfill_orders_total_wide();

DROP PROCEDURE backfill_orders_total_wide;
