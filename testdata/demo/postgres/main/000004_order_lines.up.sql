CREATE TABLE order_lines (
    order_id    bigint NOT NULL REFERENCES orders (id),
    line        smallint NOT NULL,
    product_id  integer NOT NULL REFERENCES products (id),
    quantity    integer NOT NULL CHECK (quantity > 0),
    price_cents integer NOT NULL,
    PRIMARY KEY (order_id, line)
);
