CREATE TABLE products (
    id          INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    sku         VARCHAR(20) NOT NULL UNIQUE,
    title       VARCHAR(200) NOT NULL,
    kind        ENUM('goods', 'service', 'voucher') NOT NULL DEFAULT 'goods',
    price_cents INT NOT NULL,
    attributes  JSON NOT NULL,
    CONSTRAINT products_price_cents_check CHECK (price_cents >= 0)
);
