CREATE TABLE t (id int PRIMARY KEY, a int, b int);
PREPARE s1 FROM 'SELECT 1';
EXECUTE s1;
DEALLOCATE PREPARE s1;
SET @s = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE t ADD COLUMN z int, ALGORITHM=INSTANT', 'SELECT 1')
          FROM information_schema.columns WHERE table_name = 't' AND table_schema = database() AND column_name = 'z');
PREPARE s2 FROM @s;
EXECUTE s2;
DROP PREPARE s2;
SET @t = 't';
SET @q = CONCAT('ALTER TABLE ', @t, ' DROP COLUMN ', 'b');
PREPARE s3 FROM @q;
EXECUTE s3;
SELECT CASE WHEN 1 = 1 THEN 'TRUNCATE TABLE t' ELSE 'DO 0' END INTO @r;
PREPARE s4 FROM @r;
EXECUTE s4;
PREPARE s5 FROM 'DELETE FROM t WHERE id = ?';
SET @one = 1;
EXECUTE s5 USING @one;
PREPARE s6 FROM 'UPDATE t SET a = 1';
SELECT CONCAT('SELECT ', version()) INTO @u;
SET @v = (SELECT TABLE_NAME FROM information_schema.tables WHERE table_schema = database() LIMIT 1);
SET @w = CONCAT('CHECKSUM TABLE ', @v);
PREPARE s7 FROM @w;
EXECUTE s7;
SELECT @x := 'DO 0';
PREPARE s8 FROM @x;
EXECUTE s8;
CREATE PROCEDURE p()
BEGIN
  SET @sql = CONCAT('DROP TABLE IF EXISTS ', 'old_', 'things');
  PREPARE st FROM @sql;
  EXECUTE st;
  DEALLOCATE PREPARE st;
END;
CALL p();
