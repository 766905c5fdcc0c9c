-- Filled by the payment provider's hooks, which may come before the order is
-- committed: no foreign key yet.
CREATE TABLE payments (
    id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    order_id     BIGINT UNSIGNED NOT NULL,
    amount_cents INT NOT NULL,
    method       VARCHAR(20) NOT NULL,
    reference    BINARY(16) NOT NULL DEFAULT (UUID_TO_BIN(UUID())),
    paid_at      TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    KEY payments_order_id_idx (order_id)
);
