-- Fills the demonstration's order database: @orders orders with about two lines
-- and one payment each. Repeatable: nothing is random.
SET SESSION cte_max_recursion_depth = 100000000, foreign_key_checks = 0, unique_checks = 0;

INSERT INTO customers (email, name, country, created_at)
WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < @orders DIV 10)
SELECT CONCAT('customer', i, '@example.org'),
       CONCAT(ELT(1 + i % 8, 'Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Frances', 'Tony', 'Radia'), ' ',
              ELT(1 + i % 9, 'Hopper', 'Lamport', 'Liskov', 'Knuth', 'Allen', 'Perlman', 'Hoare', 'Lovelace', 'Dijkstra')),
       ELT(1 + i % 7, 'DE', 'FR', 'NL', 'PL', 'US', 'SE', 'IT'),
       TIMESTAMP '2021-01-01 00:00:00' + INTERVAL i * 9 MINUTE
FROM g;

INSERT INTO products (sku, title, kind, price_cents, attributes)
WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000)
SELECT CONCAT('SKU-', LPAD(i, 6, '0')),
       CONCAT(ELT(1 + i % 6, 'Lamp', 'Chair', 'Desk', 'Shelf', 'Rug', 'Clock'), ' no. ', i),
       CASE i % 20 WHEN 0 THEN 'voucher' WHEN 1 THEN 'service' ELSE 'goods' END,
       499 + (i * 7919) % 90000,
       JSON_OBJECT('colour', ELT(1 + i % 3, 'oak', 'black', 'white'), 'weight_g', 100 + i % 5000)
FROM g;

INSERT INTO orders (customer_id, status, total_cents, note, placed_at)
WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < @orders)
SELECT 1 + (i * 48271) % (@orders DIV 10),
       IF(i > @orders * 0.99, 'open', ELT(1 + i % 6, 'paid', 'shipped', 'shipped', 'shipped', 'returned', 'cancelled')),
       499 + (i * 16807) % 250000,
       IF(i % 17 = 0, 'please ring twice, and leave it with the neighbours', NULL),
       TIMESTAMP '2022-01-01 00:00:00' + INTERVAL i * 2 MINUTE
FROM g;

INSERT INTO order_lines (order_id, line, product_id, quantity, price_cents)
SELECT o.id, l.line, 1 + (o.id * 31 + l.line * 17) % 5000, 1 + (o.id + l.line) % 4, 499 + (o.id * 7919) % 90000
FROM orders o JOIN (SELECT 1 AS line UNION ALL SELECT 2 UNION ALL SELECT 3) l ON l.line <= 1 + o.id % 3
ORDER BY o.id, l.line;

INSERT INTO payments (order_id, amount_cents, method, paid_at)
SELECT id, total_cents, ELT(1 + id % 4, 'card', 'card', 'transfer', 'wallet'),
       placed_at + INTERVAL 40 SECOND
FROM orders;

-- golang-migrate's ledger, as production has it.
CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL);
INSERT INTO schema_migrations VALUES (5, FALSE);

ANALYZE TABLE customers, products, orders, order_lines, payments;
