DELETE FROM orders;
DELETE FROM shop.orders o USING users u WHERE o.user_id = u.id;
UPDATE orders SET total = 1, (a, b) = (SELECT 1, 2) WHERE id = 1;
UPDATE orders SET total = total;
INSERT INTO orders (id) VALUES (1);
INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET total = excluded.total, note = 'x';
INSERT INTO orders (id) VALUES (1) ON CONFLICT DO NOTHING;
MERGE INTO orders o USING n ON o.id = n.id
  WHEN MATCHED AND n.gone THEN DELETE
  WHEN MATCHED THEN UPDATE SET total = n.total
  WHEN NOT MATCHED THEN INSERT (id) VALUES (n.id);
WITH gone AS (
  DELETE FROM orders RETURNING *
), moved AS (
  INSERT INTO archive SELECT * FROM gone RETURNING id
)
SELECT count(*) FROM moved;
CREATE TABLE kept AS WITH d AS (DELETE FROM old RETURNING *) SELECT * FROM d;
TRUNCATE a, s.b RESTART IDENTITY CASCADE;
COPY orders (id, note) FROM stdin;
1	it's; not -- SQL
2	\N
\.
COPY orders FROM '/tmp/x.csv';
COPY orders TO stdout;
COPY (DELETE FROM orders RETURNING *) TO stdout;
SELECT 1;
SELECT 'down SQL query';
SELECT 1, NULL, true, -1.5, 'x' AS y;
SELECT 1 FROM t;
SELECT now();
SELECT 1 WHERE false;
SELECT 1 UNION SELECT 2;
VALUES (1);
SELECT lo_unlink(1);
LOCK TABLE a, s.b IN ACCESS EXCLUSIVE MODE;
EXPLAIN DELETE FROM orders;
EXPLAIN (ANALYZE) DELETE FROM orders;
PREPARE p AS DELETE FROM orders;
EXECUTE p;
UPDATE orders SET x = 1 RETURNING WITH (OLD AS o) o.x;
DELETE FROM orders WHERE note = 'x' -- y
  'z';
