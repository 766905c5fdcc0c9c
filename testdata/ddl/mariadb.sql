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
ALTER TABLE orders ADD COLUMN a INT; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INSTANT; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget
ALTER TABLE orders ADD COLUMN IF NOT EXISTS a INT, ALGORITHM=NOCOPY; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget
ALTER TABLE orders ADD COLUMN a INT NOT NULL DEFAULT 7; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders ADD COLUMN a INT FIRST; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INPLACE; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget
ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=COPY; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: INSTANT want: lock-budget lock-budget table-rewrite
ALTER TABLE orders ADD COLUMN a INT AS (total * 2) VIRTUAL; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders ADD COLUMN a INT AS (total * 2) STORED; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders ADD COLUMN a JSON DEFAULT (JSON_ARRAY()); -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders DROP COLUMN extra; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders DROP COLUMN nothere; -- locks: none ddl: - best: - want: migration-failed
ALTER TABLE orders RENAME COLUMN extra TO extra2; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders CHANGE extra extra2 INT; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders CHANGE extra extra2 BIGINT; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders MODIFY extra INT AFTER id; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders ALTER COLUMN qty SET DEFAULT 1; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders MODIFY total BIGINT NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders MODIFY total BIGINT NOT NULL, ALGORITHM=INPLACE; -- locks: none ddl: - best: - want: migration-failed
ALTER TABLE orders MODIFY qty INT NOT NULL; -- locks: orders=EXCLUSIVE ddl: INPLACE rebuild NONE best: INPLACE NONE want: lock-budget table-rewrite/warning
ALTER TABLE orders MODIFY code VARCHAR(60) NOT NULL; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders MODIFY code VARCHAR(300) NOT NULL; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders MODIFY code VARCHAR(20) NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders MODIFY code VARCHAR(3) NOT NULL; -- locks: orders=SHARED_NO_WRITE ddl: - best: - want: lock-budget migration-failed
ALTER TABLE orders MODIFY price DECIMAL(12,2) NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders MODIFY status ENUM('open', 'paid', 'shipped', 'returned') NOT NULL; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders MODIFY status ENUM('paid', 'open', 'shipped') NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders MODIFY status ENUM('open', 'paid') NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders MODIFY extra INT INVISIBLE; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE small MODIFY v BIGINT; -- locks: small=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite/notice
ALTER TABLE orders ADD COLUMN a INT NOT NULL; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders ADD COLUMN buyer BIGINT UNSIGNED REFERENCES users (id); -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE users=SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget lock-budget table-rewrite
-- prep: UPDATE orders SET qty = NULL WHERE id = 7
ALTER TABLE orders MODIFY qty INT NOT NULL; -- locks: orders=EXCLUSIVE ddl: - best: - want: lock-budget migration-failed
-- prep: UPDATE orders SET qty = NULL WHERE id = 7
SET sql_mode = ''; ALTER TABLE orders MODIFY qty INT NOT NULL; -- locks: orders=EXCLUSIVE ddl: INPLACE rebuild NONE best: INPLACE NONE want: lock-budget table-rewrite/warning
SET sql_mode = ''; ALTER TABLE orders MODIFY code VARCHAR(3) NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders MODIFY total TINYINT NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders MODIFY code VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders MODIFY status ENUM('open', 'held', 'paid', 'shipped') NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
-- prep: ALTER TABLE orders ADD COLUMN tags SET('a', 'b') NOT NULL
ALTER TABLE orders MODIFY tags SET('a', 'b', 'c') NOT NULL; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
-- prep: ALTER TABLE orders ADD COLUMN tags SET('a', 'b') NOT NULL
ALTER TABLE orders MODIFY tags SET('b', 'a') NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
-- prep: ALTER TABLE orders ADD COLUMN tags SET('a', 'b') NOT NULL
ALTER TABLE orders MODIFY tags SET('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i') NOT NULL; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders DROP COLUMN code; -- locks: orders=EXCLUSIVE ddl: INSTANT best: NOCOPY NONE want: lock-budget online-ddl-not-explicit/warning

-- keys and indexes
CREATE INDEX i ON orders (total); -- locks: orders=EXCLUSIVE ddl: INPLACE NONE best: NOCOPY NONE want: lock-budget online-ddl-not-explicit/warning
CREATE INDEX i ON orders (total) ALGORITHM=INPLACE LOCK=NONE; -- locks: orders=EXCLUSIVE ddl: INPLACE NONE best: NOCOPY NONE want: lock-budget
CREATE INDEX i ON orders (total) ALGORITHM=INPLACE LOCK=SHARED; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: INPLACE SHARED best: NOCOPY NONE want: full-scan-under-lock/warning lock-budget lock-budget
CREATE INDEX i ON orders (total) ALGORITHM=COPY; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: NOCOPY NONE want: lock-budget lock-budget table-rewrite
ALTER TABLE orders ADD INDEX i (total), ADD INDEX j (qty); -- locks: orders=EXCLUSIVE ddl: INPLACE NONE best: NOCOPY NONE want: lock-budget online-ddl-not-explicit/warning
CREATE UNIQUE INDEX i ON orders (code); -- locks: orders=EXCLUSIVE ddl: INPLACE NONE best: NOCOPY NONE want: lock-budget online-ddl-not-explicit/warning
CREATE UNIQUE INDEX i ON orders (user_id); -- locks: orders=EXCLUSIVE ddl: - best: - want: lock-budget migration-failed
ALTER TABLE orders ADD FULLTEXT INDEX i (note); -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: INPLACE rebuild SHARED best: INPLACE SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders RENAME INDEX orders_code TO orders_code2; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders ALTER INDEX orders_code IGNORED; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
DROP INDEX orders_code ON orders; -- locks: orders=EXCLUSIVE ddl: INPLACE best: NOCOPY NONE want: lock-budget online-ddl-not-explicit/warning
DROP INDEX orders_code ON orders ALGORITHM=INPLACE LOCK=NONE; -- locks: none ddl: - best: - want: migration-failed
ALTER TABLE `lines` DROP PRIMARY KEY, ADD PRIMARY KEY (id, n); -- locks: lines=EXCLUSIVE ddl: INPLACE rebuild NONE best: INPLACE NONE want: lock-budget table-rewrite/warning
ALTER TABLE small DROP PRIMARY KEY; -- locks: small=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite/notice
ALTER TABLE orders ADD INDEX i (total), LOCK=NONE; -- locks: orders=EXCLUSIVE ddl: INPLACE NONE best: NOCOPY NONE want: lock-budget
ALTER TABLE orders ADD INDEX i (total), LOCK=EXCLUSIVE; -- locks: orders=EXCLUSIVE ddl: INPLACE EXCLUSIVE best: NOCOPY NONE want: lock-budget
CREATE INDEX i ON orders (code); -- locks: orders=EXCLUSIVE ddl: INPLACE NONE best: NOCOPY NONE want: lock-budget online-ddl-not-explicit/warning
CREATE INDEX i ON orders (note); -- locks: orders=EXCLUSIVE ddl: INPLACE NONE best: NOCOPY NONE want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE small MODIFY id BIGINT NOT NULL; -- locks: small=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite/notice
ALTER TABLE orders ADD INDEX i (total), ALGORITHM=NOCOPY; -- locks: orders=EXCLUSIVE ddl: INPLACE NONE best: NOCOPY NONE want: lock-budget online-ddl-not-explicit/warning

-- constraints
ALTER TABLE orders ADD CONSTRAINT c CHECK (qty >= 0); -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite
ALTER TABLE orders ADD CONSTRAINT c CHECK (qty > 5); -- locks: orders=SHARED_NO_WRITE ddl: - best: - want: lock-budget migration-failed
-- prep: ALTER TABLE orders ADD CONSTRAINT c CHECK (qty >= 0)
ALTER TABLE orders DROP CONSTRAINT c; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id); -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE users=SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget lock-budget table-rewrite
SET foreign_key_checks = 0; ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id); -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE `lines` DROP FOREIGN KEY lines_order_fk; -- locks: lines=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
CREATE TABLE refunds (id INT PRIMARY KEY, order_id BIGINT UNSIGNED, FOREIGN KEY (order_id) REFERENCES orders (id)); -- locks: none ddl: - best: - want: -
ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES nothere (id); -- locks: orders=SHARED_NO_WRITE ddl: - best: - want: lock-budget migration-failed
ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (code) REFERENCES users (email); -- locks: orders=SHARED_NO_WRITE users=SHARED_NO_WRITE ddl: - best: - want: lock-budget lock-budget migration-failed
-- prep: DELETE FROM users WHERE id = 7
ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (user_id) REFERENCES users (id); -- locks: orders=SHARED_NO_WRITE users=SHARED_NO_WRITE ddl: - best: - want: lock-budget lock-budget migration-failed

-- tables
ALTER TABLE orders COMMENT = 'orders'; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders AUTO_INCREMENT = 100000; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE orders DEFAULT CHARACTER SET latin1; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget online-ddl-not-explicit/warning
ALTER TABLE users CONVERT TO CHARACTER SET utf8mb4; -- locks: users=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: COPY SHARED want: lock-budget lock-budget table-rewrite/notice
ALTER TABLE orders ENGINE = InnoDB; -- locks: orders=EXCLUSIVE ddl: INPLACE rebuild NONE best: INPLACE NONE want: lock-budget table-rewrite/warning
ALTER TABLE orders FORCE; -- locks: orders=EXCLUSIVE ddl: INPLACE rebuild NONE best: INPLACE NONE want: lock-budget table-rewrite/warning
ALTER TABLE orders ROW_FORMAT = COMPACT; -- locks: orders=EXCLUSIVE ddl: INPLACE rebuild NONE best: INPLACE NONE want: lock-budget table-rewrite/warning
ALTER TABLE users ENGINE = MyISAM; -- locks: users=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: unasked want: lock-budget lock-budget table-rewrite/notice
OPTIMIZE TABLE orders; -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: INPLACE rebuild NONE best: unasked want: lock-budget table-rewrite/warning
ANALYZE TABLE orders; -- locks: none ddl: - best: - want: -
ALTER TABLE orders RENAME TO orders_old; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget
RENAME TABLE users TO users_old; -- locks: users=EXCLUSIVE ddl: - best: - want: lock-budget
DROP TABLE `lines`; -- locks: lines=EXCLUSIVE ddl: - best: - want: lock-budget
TRUNCATE TABLE `lines`; -- locks: lines=EXCLUSIVE ddl: - best: - want: lock-budget
CREATE TABLE fresh (id INT PRIMARY KEY); ALTER TABLE fresh ADD COLUMN a BIGINT; ALTER TABLE fresh MODIFY a INT; -- locks: none ddl: - best: - want: -
CREATE TEMPORARY TABLE t (id INT); ALTER TABLE t MODIFY id BIGINT; -- locks: none ddl: - best: - want: -
CREATE TABLE copied AS SELECT * FROM orders; -- locks: none ddl: - best: - want: -
CREATE TABLE copied LIKE orders; -- locks: none ddl: - best: - want: -
CREATE TABLE orders_new LIKE orders; RENAME TABLE orders TO orders_old, orders_new TO orders; -- locks: orders=EXCLUSIVE ddl: - best: - want: lock-budget
DROP TABLE orders; -- locks: orders=EXCLUSIVE ddl: - best: - want: lock-budget migration-failed
TRUNCATE TABLE orders; -- locks: none ddl: - best: - want: migration-failed
CREATE TABLE keyless (id INT); -- locks: none ddl: - best: - want: -
DROP DATABASE app; CREATE DATABASE app; -- locks: *=EXCLUSIVE? events=EXCLUSIVE lines=EXCLUSIVE order_view=EXCLUSIVE orders=EXCLUSIVE small=EXCLUSIVE users=EXCLUSIVE ddl: - best: - want: lock-budget lock-budget lock-budget lock-budget lock-budget lock-budget lock-budget? migration-failed

-- partitions
ALTER TABLE events ADD PARTITION (PARTITION p3 VALUES LESS THAN (16001)); -- locks: events=EXCLUSIVE,SHARED_NO_WRITE? ddl: INPLACE best: unasked want: lock-budget lock-budget?
ALTER TABLE events DROP PARTITION p0; -- locks: events=EXCLUSIVE,SHARED_NO_WRITE? ddl: INPLACE best: unasked want: lock-budget lock-budget?
ALTER TABLE events TRUNCATE PARTITION p0; -- locks: events=EXCLUSIVE ddl: INPLACE best: unasked want: lock-budget
ALTER TABLE events REORGANIZE PARTITION p1, p2 INTO (PARTITION p12 VALUES LESS THAN (12001)); -- locks: events=EXCLUSIVE,SHARED_NO_WRITE ddl: INPLACE rebuild SHARED best: unasked want: lock-budget lock-budget table-rewrite
ALTER TABLE events REMOVE PARTITIONING; -- locks: events=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: unasked want: lock-budget lock-budget table-rewrite
ALTER TABLE users PARTITION BY HASH (id) PARTITIONS 4; -- locks: users=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: unasked want: lock-budget lock-budget table-rewrite/notice
ALTER TABLE events REBUILD PARTITION p1; -- locks: events=EXCLUSIVE,SHARED_NO_WRITE ddl: INPLACE rebuild SHARED best: unasked want: lock-budget lock-budget table-rewrite
-- prep: CREATE TABLE ex (id INT NOT NULL PRIMARY KEY, v INT NOT NULL)
ALTER TABLE events EXCHANGE PARTITION p0 WITH TABLE ex; -- locks: events=EXCLUSIVE ex=EXCLUSIVE ddl: - best: unasked want: lock-budget lock-budget

-- triggers, views, routines
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.qty = 1; -- locks: orders=EXCLUSIVE? ddl: - best: - want: lock-budget?
-- prep: CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.qty = 1
DROP TRIGGER t; -- locks: orders=EXCLUSIVE? ddl: - best: - want: lock-budget?
CREATE OR REPLACE VIEW order_view AS SELECT id FROM orders; -- locks: order_view=EXCLUSIVE? ddl: - best: - want: lock-budget?
DROP VIEW order_view; -- locks: order_view=EXCLUSIVE? ddl: - best: - want: lock-budget?
CREATE PROCEDURE p() ALTER TABLE orders MODIFY total BIGINT NOT NULL; CALL p(); -- locks: orders=EXCLUSIVE,SHARED_NO_WRITE ddl: COPY SHARED best: unasked want: lock-budget lock-budget table-rewrite
CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1; -- locks: none ddl: - best: - want: -
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders WHERE id = 0; -- locks: none ddl: - best: - want: -
CREATE DEFINER = root@localhost PROCEDURE p() SELECT 1; -- locks: none ddl: - best: - want: migration-failed

-- data and locks
UPDATE orders SET qty = 1; -- locks: none ddl: - best: - want: -
DELETE FROM `lines` WHERE n < 100; -- locks: none ddl: - best: - want: -
INSERT INTO users (email) SELECT code FROM orders; -- locks: none ddl: - best: - want: -
LOCK TABLES orders WRITE; DO SLEEP(0.02); UNLOCK TABLES; -- locks: orders=SHARED_NO_READ_WRITE ddl: - best: - want: lock-budget
LOCK TABLES orders READ; DO SLEEP(0.02); UNLOCK TABLES; -- locks: orders=SHARED_READ_ONLY ddl: - best: - want: lock-budget
START TRANSACTION; UPDATE small SET v = 2; COMMIT; -- locks: none ddl: - best: - want: -
SELECT GET_LOCK('migrate', 1); SELECT RELEASE_LOCK('migrate'); -- locks: none ddl: - best: - want: -
DELETE FROM `lines` ORDER BY id LIMIT 100; -- locks: none ddl: - best: - want: -
START TRANSACTION; UPDATE orders SET qty = 1; ALTER TABLE orders ADD COLUMN a INT, ALGORITHM=INSTANT; -- locks: orders=EXCLUSIVE ddl: INSTANT best: INSTANT want: lock-budget
FLUSH TABLES WITH READ LOCK; -- locks: none ddl: - best: - want: migration-failed
FLUSH TABLES orders WITH READ LOCK; -- locks: none ddl: - best: - want: migration-failed
