-- Whatever has confused a splitter somewhere. Every statement is one that the
-- grammar takes, so that its ranges can be compared.
SELECT 'it''s; fine', E'it\'s; fine', U&'d\0061t\+000061;', N'x;', B'01', X'1F', $$;$$, $tag$ $$ ; $$ $tag$;
SELECT U&'d!0061t!+000061;' UESCAPE '!';
SELECT "semi;colon", "quo""te;" FROM "ta;ble" AS "a;b";
SELECT 'a'
'b;' /* no continuation by this comment */, E'c\''

  '\';d';
SELECT 1 /* /* nested; */ still; */ + 2; -- trailing; comment
/* leading; */ SELECT 3;;; ; SELECT 4;
SELECT a$b$, c FROM (SELECT 1 AS a$b$, 2 AS c) x;
PREPARE p AS SELECT $1::text || $2, '$1;';
SELECT (array[1,2,3])[1:2], ('{1,2}'::int[])[1:1], CAST('1' AS int), f(a := 1), f(a => 2);
SELECT 1-- a comment right behind
+2, 4*/* and here */5, '{"a;":1}'::jsonb->'a;', '[1]'::jsonb @> '1', 2<-1, @-1, !!true;
CREATE RULE notify AS ON UPDATE TO orders DO ALSO (INSERT INTO log VALUES (1); DELETE FROM queue;);
CREATE FUNCTION one() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 ELSE CASE 2 WHEN 2 THEN 3 END END; END;
CREATE OR REPLACE PROCEDURE two(a int DEFAULT length(';')) LANGUAGE sql BEGIN ATOMIC
  INSERT INTO t VALUES (a);
  SELECT 1 AS end, x.case, x.begin FROM x;
END;
CREATE FUNCTION three() RETURNS int RETURN (SELECT CASE WHEN true THEN 1 END);
CREATE FUNCTION four() RETURNS void AS 'BEGIN; END;' LANGUAGE plpgsql;
CREATE FUNCTION five() RETURNS void LANGUAGE plpgsql AS $body$
DECLARE x text := $q$;$q$; -- $body
BEGIN
  /* ; */ EXECUTE 'SELECT $body'; PERFORM $$;$$;
END;
$body$;
CREATE TABLE function (begin int, atomic int, "end" int); SELECT begin FROM function;
BEGIN; SELECT 1; END; BEGIN TRANSACTION; COMMIT AND NO CHAIN;
DO $$ BEGIN RAISE NOTICE ';'; END $$; DO LANGUAGE plpgsql 'BEGIN NULL; END';
SELECT 'ünïcödé; ☃', "Ω;" FROM (SELECT 1 AS "Ω;") ü; SELECT $ü$;$ü$;
SELECT 1 AS "1;2"; SELECT 1.5e10, 0x1F, 1_000, .5, 5., 1e-5;
CREATE TABLE json_objects AS SELECT json_object('a' : 1, 'b':2) AS o;
INSERT INTO t VALUES ('-- not a comment;'), ('/* nor this; */'), ('\');
COMMENT ON TABLE t IS 'a;b';
SELECT E'\\'; SELECT E'\'', ';' ; SELECT '\', ';';
CREATE VIEW v AS SELECT 1 WHERE (1) IN ((1)) AND ('(;') <> ');';
CREATE TRIGGER t BEFORE UPDATE OF a, b ON t FOR EACH ROW WHEN (OLD.a IS DISTINCT FROM ';') EXECUTE FUNCTION f(';', 'x');
GRANT SELECT (a, b) ON t TO PUBLIC; REVOKE ALL ON SCHEMA s FROM x
