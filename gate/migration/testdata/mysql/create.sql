/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
CREATE TABLE IF NOT EXISTS customers (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  email varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin UNIQUE KEY COMMENT 'a, b; (c',
  name char(20) DEFAULT 'x''y',
  born date NULL CHECK (born > '1900-01-01')
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE utf8mb4_bin COMMENT='people; all';
CREATE TABLE orders (
  id int NOT NULL,
  customer_id bigint unsigned NOT NULL,
  `total` decimal(10, 2) DEFAULT '0.00',
  `order` int,
  state enum('new', 'it''s') DEFAULT 'new', -- a comment; here
  made timestamp(6) NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  twice int GENERATED ALWAYS AS (id * 2) STORED,
  thrice int AS (id * 3) VIRTUAL,
  at point NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY u (customer_id, state),
  KEY k (total DESC) USING BTREE COMMENT 'x',
  INDEX (state, made),
  FULLTEXT INDEX ft (state_text),
  SPATIAL KEY sp (at),
  state_text varchar(100),
  CONSTRAINT fk FOREIGN KEY (customer_id) REFERENCES customers (id) ON UPDATE CASCADE ON DELETE NO ACTION,
  CONSTRAINT pos CHECK (total >= 0)
) ROW_FORMAT=DYNAMIC, COMMENT 'c';
CREATE TABLE likes LIKE orders;
CREATE TABLE likes2 (LIKE orders);
CREATE TEMPORARY TABLE scratch (id int PRIMARY KEY);
CREATE TABLE parts (id int NOT NULL, y int) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (5), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE copied AS SELECT id, email FROM customers;
CREATE TABLE copied2 (id int, KEY (id)) ENGINE=InnoDB SELECT id FROM orders;
CREATE TABLE copied3 (SELECT 1 AS a);
CREATE TABLE copied4 (a int) IGNORE WITH c AS (SELECT 1 AS a) SELECT a FROM c;
CREATE TEMPORARY TABLE copied5 AS (SELECT 2 AS b);
CREATE INDEX i1 ON orders (state_text(2), made DESC);
CREATE UNIQUE INDEX i2 USING BTREE ON orders (id) COMMENT 'x' ALGORITHM=INPLACE LOCK=NONE;
CREATE FULLTEXT INDEX i3 ON orders (state_text) LOCK = SHARED;
CREATE OR REPLACE VIEW v (a) AS SELECT id FROM orders WHERE total > 1 WITH CASCADED CHECK OPTION;
CREATE ALGORITHM=MERGE DEFINER=CURRENT_USER SQL SECURITY INVOKER VIEW v2 AS SELECT 1 AS one;
ALTER VIEW v2 AS SELECT 2 AS two;
CREATE DATABASE IF NOT EXISTS mg_other DEFAULT CHARACTER SET utf8mb4;
ALTER DATABASE mg_other CHARACTER SET = utf8mb4;
CREATE TABLE mg_other.t (a serial, c bool NOT NULL DEFAULT false);
DROP DATABASE mg_other;
DROP TABLE IF EXISTS copied, copied2, `copied3` RESTRICT;
DROP TEMPORARY TABLE scratch;
DROP VIEW v, v2;
DROP INDEX i1 ON orders;
DROP INDEX i2 ON orders;
RENAME TABLE likes TO liked, likes2 TO likes;
TRUNCATE TABLE liked;
TRUNCATE likes;
