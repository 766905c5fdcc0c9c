-- The tables that testdata/ddl/postgres.sql runs against: large enough that
-- size softens no finding (over 10,000 rows and over 8 MiB), small enough that
-- a clone costs a tenth of a second.
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, nick varchar(40));
INSERT INTO users SELECT g, 'u' || g || '@example.org', 'n' || g FROM generate_series(1, 1000) g;

CREATE TABLE orders (
  id        int PRIMARY KEY,
  user_id   int NOT NULL,
  total     int NOT NULL,
  price     numeric(10,2) NOT NULL,
  code      varchar(40) NOT NULL,
  note      text NOT NULL,
  qty       int,
  placed    timestamp NOT NULL,
  extra     text
);
INSERT INTO orders
SELECT g, 1 + g % 1000, g % 500, g % 97, 'c' || g, repeat('x', 600), g % 10, timestamp '2024-01-01' + g * interval '1 minute', NULL
FROM generate_series(1, 15000) g;
CREATE INDEX orders_user_id ON orders (user_id);
CREATE INDEX orders_code ON orders (code);

CREATE TABLE lines (id int PRIMARY KEY, order_id int NOT NULL, sku text NOT NULL, pad text NOT NULL);
INSERT INTO lines SELECT g, 1 + g % 15000, 's' || g % 50, repeat('y', 500) FROM generate_series(1, 20000) g;
ALTER TABLE lines ADD CONSTRAINT lines_order_fk FOREIGN KEY (order_id) REFERENCES orders (id);

CREATE TABLE parts (id int NOT NULL, region int NOT NULL, v text) PARTITION BY LIST (region);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
INSERT INTO parts SELECT g, 1 + g % 2, repeat('z', 900) FROM generate_series(1, 12000) g;
CREATE TABLE p5 (id int NOT NULL, region int NOT NULL, v text);
INSERT INTO p5 SELECT g, 5, repeat('z', 900) FROM generate_series(1, 12000) g;

CREATE TABLE small (id int PRIMARY KEY, v int);
INSERT INTO small SELECT g, g FROM generate_series(1, 100) g;

CREATE VIEW order_view AS SELECT id, user_id FROM orders;
CREATE MATERIALIZED VIEW order_totals AS SELECT user_id, count(*) AS n FROM orders GROUP BY user_id;
CREATE UNIQUE INDEX order_totals_user ON order_totals (user_id);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE SEQUENCE tickets;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER lines_touch BEFORE UPDATE ON lines FOR EACH ROW EXECUTE FUNCTION touch();
