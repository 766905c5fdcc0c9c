-- NOT VALID checks new rows only; the next file checks the old ones, under a
-- lock that lets everybody read and write.
SET LOCAL lock_timeout = '2s';

ALTER TABLE payments
    ADD CONSTRAINT payments_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id) NOT VALID;
