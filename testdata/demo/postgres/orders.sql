-- Fills the demonstration's order database: :orders orders with about two lines
-- and one payment each. Repeatable: no random() without a seed.
SELECT setseed(0.42);
-- The rows are made to fit: foreign keys need not be checked one by one.
SET session_replication_role = replica;

INSERT INTO customers (email, name, country, created_at)
SELECT format('customer%s@example.org', i),
       (ARRAY['Ada','Grace','Edsger','Barbara','Donald','Frances','Tony','Radia'])[1 + i % 8] || ' ' ||
       (ARRAY['Hopper','Lamport','Liskov','Knuth','Allen','Perlman','Hoare','Lovelace','Dijkstra'])[1 + i % 9],
       (ARRAY['DE','FR','NL','PL','US','SE','IT'])[1 + i % 7],
       timestamptz '2021-01-01' + i * interval '9 minutes'
FROM generate_series(1, :orders / 10) i;

INSERT INTO products (sku, title, kind, price_cents, attributes)
SELECT format('SKU-%s', lpad(i::text, 6, '0')),
       (ARRAY['Lamp','Chair','Desk','Shelf','Rug','Clock'])[1 + i % 6] || ' no. ' || i,
       (CASE i % 20 WHEN 0 THEN 'voucher' WHEN 1 THEN 'service' ELSE 'goods' END)::product_kind,
       499 + (i::bigint * 7919) % 90000,
       jsonb_build_object('colour', (ARRAY['oak','black','white'])[1 + i % 3], 'weight_g', 100 + i % 5000)
FROM generate_series(1, 5000) i;

INSERT INTO orders (customer_id, status, total_cents, note, placed_at)
SELECT 1 + (i::bigint * 48271) % (:orders / 10),
       CASE WHEN i > :orders * 0.99 THEN 'open' ELSE (ARRAY['paid','shipped','shipped','shipped','returned','cancelled'])[1 + i % 6] END,
       499 + (i::bigint * 16807) % 250000,
       CASE WHEN i % 17 = 0 THEN 'please ring twice, and leave it with the neighbours' END,
       timestamptz '2022-01-01' + i * interval '2 minutes'
FROM generate_series(1, :orders) i;

INSERT INTO order_lines (order_id, line, product_id, quantity, price_cents)
SELECT o, l, 1 + (o * 31 + l * 17) % 5000, 1 + (o + l) % 4, 499 + (o::bigint * 7919) % 90000
FROM generate_series(1, :orders) o, generate_series(1, 1 + o % 3) l;

INSERT INTO payments (order_id, amount_cents, method, paid_at)
SELECT i, 499 + (i::bigint * 16807) % 250000,
       (ARRAY['card','card','transfer','wallet'])[1 + i % 4],
       timestamptz '2022-01-01' + i * interval '2 minutes' + interval '40 seconds'
FROM generate_series(1, :orders) i;

RESET session_replication_role;
