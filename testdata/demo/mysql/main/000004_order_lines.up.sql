CREATE TABLE order_lines (
    order_id    BIGINT UNSIGNED NOT NULL,
    line        SMALLINT UNSIGNED NOT NULL,
    product_id  INT UNSIGNED NOT NULL,
    quantity    INT NOT NULL,
    price_cents INT NOT NULL,
    PRIMARY KEY (order_id, line),
    CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id),
    CONSTRAINT order_lines_product_id_fkey FOREIGN KEY (product_id) REFERENCES products (id),
    CONSTRAINT order_lines_quantity_check CHECK (quantity > 0)
);
