-- One case per line: a statement, then what must be observed and judged.
--
--   locks:  every metadata lock on a table of the baseline that blocks reads or
--           writes, as table=MODE (MODE? may be missed: short, and only the
--           ticker watches)
--   ddl:    the algorithm that was used, "rebuild" where the table was written
--           anew, the LOCK level it left others; "-" where it is no online DDL
--   best:   what the server accepts at best for the statement
--   want:   findings, budgets being zero so that every blocking window is one
--
-- "-- prep: SQL" before a case prepares its tables. Facts: MariaDB
-- documentation, "InnoDB Online DDL Overview", and measurements on 10.11.

-- columns
ALTER TABLE orders ADD COLUMN a INT;
ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INSTANT;
ALTER TABLE orders ADD COLUMN IF NOT EXISTS a INT, ALGORITHM=NOCOPY;
ALTER TABLE orders ADD COLUMN a INT NOT NULL DEFAULT 7;
ALTER TABLE orders ADD COLUMN a INT FIRST;
ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INPLACE;
ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=COPY;
ALTER TABLE orders ADD COLUMN a INT AS (total * 2) VIRTUAL;
ALTER TABLE orders ADD COLUMN a INT AS (total * 2) STORED;
ALTER TABLE orders ADD COLUMN a JSON DEFAULT (JSON_ARRAY());
ALTER TABLE small ADD COLUMN a INT NOT NULL AUTO_INCREMENT UNIQUE;
ALTER TABLE orders DROP COLUMN extra;
ALTER TABLE orders DROP COLUMN nothere;
ALTER TABLE orders RENAME COLUMN extra TO extra2;
ALTER TABLE orders CHANGE extra extra2 INT;
ALTER TABLE orders CHANGE extra extra2 BIGINT;
ALTER TABLE orders MODIFY extra INT AFTER id;
ALTER TABLE orders ALTER COLUMN qty SET DEFAULT 1;
ALTER TABLE orders MODIFY total BIGINT NOT NULL;
ALTER TABLE orders MODIFY total BIGINT NOT NULL, ALGORITHM=INPLACE;
ALTER TABLE orders MODIFY qty INT NOT NULL;
ALTER TABLE orders MODIFY code VARCHAR(60) NOT NULL;
ALTER TABLE orders MODIFY code VARCHAR(300) NOT NULL;
ALTER TABLE orders MODIFY code VARCHAR(20) NOT NULL;
ALTER TABLE orders MODIFY code VARCHAR(3) NOT NULL;
ALTER TABLE orders MODIFY price DECIMAL(12,2) NOT NULL;
ALTER TABLE orders MODIFY status ENUM('open', 'paid', 'shipped', 'returned') NOT NULL;
ALTER TABLE orders MODIFY status ENUM('paid', 'open', 'shipped') NOT NULL;
ALTER TABLE orders MODIFY status ENUM('open', 'paid') NOT NULL;
ALTER TABLE orders MODIFY extra INT INVISIBLE;
ALTER TABLE small MODIFY v BIGINT;

-- keys and indexes
CREATE INDEX i ON orders (total);
CREATE INDEX i ON orders (total) ALGORITHM=INPLACE LOCK=NONE;
CREATE INDEX i ON orders (total) ALGORITHM=INPLACE LOCK=SHARED;
CREATE INDEX i ON orders (total) ALGORITHM=COPY;
ALTER TABLE orders ADD INDEX i (total), ADD INDEX j (qty);
CREATE UNIQUE INDEX i ON orders (code);
CREATE UNIQUE INDEX i ON orders (user_id);
ALTER TABLE orders ADD FULLTEXT INDEX i (note);
ALTER TABLE orders RENAME INDEX orders_code TO orders_code2;
ALTER TABLE orders ALTER INDEX orders_code IGNORED;
DROP INDEX orders_code ON orders;
DROP INDEX orders_code ON orders ALGORITHM=INPLACE LOCK=NONE;
ALTER TABLE `lines` DROP PRIMARY KEY, ADD PRIMARY KEY (id, n);
ALTER TABLE small DROP PRIMARY KEY;

-- constraints
ALTER TABLE orders ADD CONSTRAINT c CHECK (qty >= 0);
ALTER TABLE orders ADD CONSTRAINT c CHECK (qty > 5);
-- prep: ALTER TABLE orders ADD CONSTRAINT c CHECK (qty >= 0)
ALTER TABLE orders DROP CONSTRAINT c;
ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id);
SET foreign_key_checks = 0; ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id);
ALTER TABLE `lines` DROP FOREIGN KEY lines_order_fk;
CREATE TABLE refunds (id INT PRIMARY KEY, order_id BIGINT UNSIGNED, FOREIGN KEY (order_id) REFERENCES orders (id));

-- tables
ALTER TABLE orders COMMENT = 'orders';
ALTER TABLE orders AUTO_INCREMENT = 100000;
ALTER TABLE orders DEFAULT CHARACTER SET latin1;
ALTER TABLE users CONVERT TO CHARACTER SET latin1;
ALTER TABLE orders ENGINE = InnoDB;
ALTER TABLE orders FORCE;
ALTER TABLE orders ROW_FORMAT = COMPACT;
ALTER TABLE users ENGINE = MyISAM;
OPTIMIZE TABLE orders;
ANALYZE TABLE orders;
ALTER TABLE orders RENAME TO orders_old;
RENAME TABLE users TO users_old;
DROP TABLE `lines`;
TRUNCATE TABLE `lines`;
CREATE TABLE fresh (id INT PRIMARY KEY); ALTER TABLE fresh ADD COLUMN a BIGINT; ALTER TABLE fresh MODIFY a INT;
CREATE TEMPORARY TABLE t (id INT); ALTER TABLE t MODIFY id BIGINT;
CREATE TABLE copied AS SELECT * FROM orders;
CREATE TABLE copied LIKE orders;
CREATE TABLE orders_new LIKE orders; RENAME TABLE orders TO orders_old, orders_new TO orders;

-- partitions
ALTER TABLE events ADD PARTITION (PARTITION p3 VALUES LESS THAN (16001));
ALTER TABLE events DROP PARTITION p0;
ALTER TABLE events TRUNCATE PARTITION p0;
ALTER TABLE events REORGANIZE PARTITION p1, p2 INTO (PARTITION p12 VALUES LESS THAN (12001));
ALTER TABLE events REMOVE PARTITIONING;
ALTER TABLE users PARTITION BY HASH (id) PARTITIONS 4;

-- triggers, views, routines
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.qty = 1;
-- prep: CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.qty = 1
DROP TRIGGER t;
CREATE OR REPLACE VIEW order_view AS SELECT id FROM orders;
DROP VIEW order_view;
CREATE PROCEDURE p() ALTER TABLE orders MODIFY total BIGINT NOT NULL; CALL p();

-- data and locks
UPDATE orders SET qty = 1;
DELETE FROM `lines` WHERE n < 100;
INSERT INTO users (email) SELECT code FROM orders;
LOCK TABLES orders WRITE; DO SLEEP(0.02); UNLOCK TABLES;
LOCK TABLES orders READ; DO SLEEP(0.02); UNLOCK TABLES;
START TRANSACTION; UPDATE small SET v = 2; COMMIT;
SELECT GET_LOCK('migrate', 1); SELECT RELEASE_LOCK('migrate');
