-- One of each kind of data that formats of pg_dump keep apart; small, so that
-- every format is restored in every compression.
CREATE SCHEMA "Odd Schema";
CREATE TYPE "Odd Schema".state AS ENUM ('new', 'it''s paid');
CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  best_order bigint,
  upper_name text GENERATED ALWAYS AS (upper(name)) STORED
);
CREATE TABLE orders (
  id bigserial PRIMARY KEY,
  customer bigint NOT NULL REFERENCES customers,
  parent bigint REFERENCES orders,
  state "Odd Schema".state DEFAULT 'new',
  total numeric(10,2) CHECK (total >= 0),
  note text,
  raw bytea
);
ALTER TABLE customers ADD FOREIGN KEY (best_order) REFERENCES orders; -- and so in a circle
CREATE INDEX orders_note ON orders (lower(note));
CREATE TABLE events (at timestamptz NOT NULL, what jsonb) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE TABLE "Odd Schema"."a ""quoted"" table" (a int, "select" text);
CREATE TABLE empty (id int);
CREATE TABLE audit (entry text);
CREATE FUNCTION audited() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
INSERT INTO audit VALUES (TG_TABLE_NAME || ' ' || NEW.id);
  RETURN NEW;
END $fn$;
CREATE TRIGGER audited AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION audited();
CREATE VIEW open_orders AS SELECT id, total FROM orders WHERE state = 'new';
CREATE SEQUENCE tickets START 40 INCREMENT 3;

INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 40) i;
INSERT INTO orders (customer, parent, state, total, note, raw)
  SELECT 1 + i % 40, nullif(i / 2, 0), (ARRAY['new', 'it''s paid']::"Odd Schema".state[])[1 + i % 2], i, CASE WHEN i % 7 > 0 THEN E'tab\t, line\n, back\\slash, \\.' END, decode(md5(i::text), 'hex')
  FROM generate_series(1, 120) i;
UPDATE customers SET best_order = id;
INSERT INTO events SELECT '2024-06-01'::timestamptz + i * interval '10 days', jsonb_build_object('n', i) FROM generate_series(1, 60) i;
INSERT INTO "Odd Schema"."a ""quoted"" table" VALUES (1, E'\\N'), (2, NULL), (3, '');
CREATE MATERIALIZED VIEW sums AS SELECT state, sum(total) AS total FROM orders GROUP BY 1;
SELECT nextval('tickets'), nextval('tickets');
SELECT lo_from_bytea(4711, decode(repeat('00ff10', 5000), 'hex')), lo_from_bytea(4712, ''), lo_from_bytea(4713, 'small');
COMMENT ON TABLE orders IS 'with a
CREATE TABLE in it';
