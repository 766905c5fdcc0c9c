-- The tables of mysql.sql and mariadb.sql. Small, so that a case takes a second,
-- and with more rows than counts as small.
CREATE TABLE users (
    id    BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    email VARCHAR(100) NOT NULL
);
CREATE TABLE orders (
    id      BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT UNSIGNED NOT NULL,
    total   INT NOT NULL,
    qty     INT,
    code    VARCHAR(40) NOT NULL,
    price   DECIMAL(10,2) NOT NULL,
    status  ENUM('open', 'paid', 'shipped') NOT NULL,
    note    TEXT,
    extra   INT,
    KEY orders_code (code),
    KEY orders_user (user_id)
);
-- lines is a child of orders.
CREATE TABLE `lines` (
    id       BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    order_id BIGINT UNSIGNED NOT NULL,
    n        INT NOT NULL,
    CONSTRAINT lines_order_fk FOREIGN KEY (order_id) REFERENCES orders (id)
);
CREATE TABLE small (id INT NOT NULL PRIMARY KEY, v INT);
CREATE TABLE events (id INT NOT NULL PRIMARY KEY, v INT NOT NULL)
PARTITION BY RANGE (id) (
    PARTITION p0 VALUES LESS THAN (4001),
    PARTITION p1 VALUES LESS THAN (8001),
    PARTITION p2 VALUES LESS THAN (12001)
);
CREATE VIEW order_view AS SELECT id, total FROM orders;

INSERT INTO users (email)
WITH RECURSIVE g (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n < 119)
SELECT CONCAT(a.n, '-', b.n, '@example.org') FROM g a CROSS JOIN g b WHERE b.n < 9;
INSERT INTO orders (user_id, total, qty, code, price, status, note, extra)
WITH RECURSIVE g (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n < 119)
SELECT 1 + a.n, a.n, b.n, CONCAT('c', a.n * 120 + b.n), a.n, 'open', REPEAT('x', 100), b.n FROM g a CROSS JOIN g b;
INSERT INTO `lines` (order_id, n)
WITH RECURSIVE g (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n < 119)
SELECT 1 + a.n * 120 + b.n, b.n FROM g a CROSS JOIN g b WHERE a.n < 90;
INSERT INTO small VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO events
WITH RECURSIVE g (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM g WHERE n < 119)
SELECT 1 + a.n * 120 + b.n, b.n FROM g a CROSS JOIN g b WHERE a.n < 100;
ANALYZE TABLE users, orders, `lines`, small, events;
