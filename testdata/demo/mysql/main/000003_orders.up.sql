CREATE TABLE orders (
    id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    customer_id BIGINT UNSIGNED NOT NULL,
    status      ENUM('open', 'paid', 'shipped', 'returned', 'cancelled') NOT NULL DEFAULT 'open',
    total_cents INT NOT NULL DEFAULT 0,
    note        TEXT,
    placed_at   TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    KEY orders_placed_at_idx (placed_at),
    CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customers (id)
);
