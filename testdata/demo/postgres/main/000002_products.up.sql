CREATE TYPE product_kind AS ENUM ('goods', 'service', 'voucher');

CREATE TABLE products (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku         text NOT NULL UNIQUE,
    title       text NOT NULL,
    kind        product_kind NOT NULL DEFAULT 'goods',
    price_cents integer NOT NULL CHECK (price_cents >= 0),
    attributes  jsonb NOT NULL DEFAULT '{}'
);
