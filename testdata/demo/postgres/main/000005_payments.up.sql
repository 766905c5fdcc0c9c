-- Filled by the payment provider's hooks, which may come before the order is
-- committed: no foreign key yet.
CREATE TABLE payments (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id     bigint NOT NULL,
    amount_cents integer NOT NULL,
    method       text NOT NULL,
    reference    uuid NOT NULL DEFAULT gen_random_uuid(),
    paid_at      timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX payments_order_id_idx ON payments (order_id);
