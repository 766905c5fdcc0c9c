package postgres

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
)

// TestMeaning runs each file twice: as one simple query, as the tools send it,
// and statement by statement. What is left in the database, the error's code
// and the warnings must be the same.
func TestMeaning(t *testing.T) {
	const cic = "CREATE INDEX CONCURRENTLY ai ON a (n);"
	files := []struct{ name, sql string }{
		{"several, no BEGIN", "INSERT INTO a VALUES (100); INSERT INTO a VALUES (101);"},
		{"several, an error undoes all", "INSERT INTO a VALUES (100); INSERT INTO a VALUES (1);"},
		{"one", "INSERT INTO a VALUES (100)"},
		{"one with an error", "INSERT INTO a VALUES (1)"},
		{"CONCURRENTLY alone", cic},
		{"CONCURRENTLY with comments", "-- make it\n" + cic + "\n; ; -- done\n"},
		{"CONCURRENTLY after SET", "SET lock_timeout = '1s'; " + cic},
		{"CONCURRENTLY first", cic + " INSERT INTO a VALUES (100);"},
		{"CONCURRENTLY after a transaction", "BEGIN; INSERT INTO a VALUES (100); COMMIT; " + cic},
		{"CONCURRENTLY unique on duplicates", "CREATE UNIQUE INDEX CONCURRENTLY ai ON a (n);"},
		{"VACUUM alone", "VACUUM a;"},
		{"VACUUM with another", "INSERT INTO a VALUES (100); VACUUM a;"},
		{"BEGIN turns implicit into explicit", "INSERT INTO a VALUES (100); BEGIN; INSERT INTO a VALUES (101); COMMIT; INSERT INTO a VALUES (102); INSERT INTO a VALUES (1);"},
		{"BEGIN with modes first", "BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO a SELECT 100, current_setting('transaction_isolation'); COMMIT;"},
		{"BEGIN with modes after a query", "INSERT INTO a VALUES (100); BEGIN ISOLATION LEVEL SERIALIZABLE; COMMIT;"},
		{"BEGIN with modes after SET", "SET lock_timeout = '1s'; START TRANSACTION ISOLATION LEVEL REPEATABLE READ; INSERT INTO a SELECT 100, current_setting('transaction_isolation'); COMMIT;"},
		{"BEGIN READ ONLY mid-way", "INSERT INTO a VALUES (100); BEGIN READ ONLY; INSERT INTO a VALUES (101); COMMIT;"},
		{"BEGIN twice", "BEGIN; BEGIN; INSERT INTO a VALUES (100); COMMIT;"},
		{"COMMIT without BEGIN", "INSERT INTO a VALUES (100); COMMIT; INSERT INTO a VALUES (101); INSERT INTO a VALUES (1);"},
		{"ROLLBACK without BEGIN", "INSERT INTO a VALUES (100); ROLLBACK; INSERT INTO a VALUES (101);"},
		{"COMMIT first", "COMMIT; INSERT INTO a VALUES (100);"},
		{"only COMMIT", "COMMIT;"},
		{"COMMIT twice", "BEGIN; INSERT INTO a VALUES (100); COMMIT; COMMIT;"},
		{"COMMIT AND CHAIN", "BEGIN; INSERT INTO a VALUES (100); COMMIT AND CHAIN; INSERT INTO a VALUES (101); ROLLBACK; INSERT INTO a VALUES (102);"},
		{"COMMIT AND CHAIN, implicit", "INSERT INTO a VALUES (100); COMMIT AND CHAIN; INSERT INTO a VALUES (101);"},
		{"ROLLBACK AND NO CHAIN, implicit", "INSERT INTO a VALUES (100); ROLLBACK AND NO CHAIN; INSERT INTO a VALUES (101);"},
		{"PREPARE TRANSACTION, implicit", "INSERT INTO a VALUES (100); PREPARE TRANSACTION 'x'; INSERT INTO a VALUES (101);"},
		{"ROLLBACK explicit", "BEGIN; INSERT INTO a VALUES (100); ROLLBACK; INSERT INTO a VALUES (101);"},
		{"syntax error at the end", "BEGIN; INSERT INTO a VALUES (100); COMMIT; INSERT INTO a VALUES (101); SELEC 1;"},
		{"syntax error the grammar of another version knows", "INSERT INTO a VALUES (100); COMMIT; MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN UPDATE SET n = 1 RETURNING a.id;"},
		{"unknown name after COMMIT", "INSERT INTO a VALUES (100); COMMIT; INSERT INTO nowhere VALUES (101);"},
		{"SAVEPOINT implicit", "INSERT INTO a VALUES (100); SAVEPOINT x; INSERT INTO a VALUES (101);"},
		{"RELEASE implicit", "INSERT INTO a VALUES (100); RELEASE x;"},
		{"ROLLBACK TO implicit", "INSERT INTO a VALUES (100); ROLLBACK TO x;"},
		{"SAVEPOINT alone", "SAVEPOINT x;"},
		{"SAVEPOINT explicit", "BEGIN; INSERT INTO a VALUES (100); SAVEPOINT x; INSERT INTO a VALUES (101); ROLLBACK TO x; RELEASE x; COMMIT;"},
		{"SET TRANSACTION first", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; INSERT INTO a SELECT 100, current_setting('transaction_isolation');"},
		{"SET TRANSACTION after SET", "SET LOCAL lock_timeout = '5s'; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; INSERT INTO a SELECT 100, current_setting('transaction_isolation');"},
		{"SET TRANSACTION after LOCK", "LOCK TABLE a; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; INSERT INTO a SELECT 100, current_setting('transaction_isolation');"},
		{"SET TRANSACTION after a query", "INSERT INTO a VALUES (100); SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;"},
		{"SET TRANSACTION alone", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;"},
		{"DO with COMMIT alone", "DO $$ BEGIN INSERT INTO a VALUES (100); COMMIT; INSERT INTO a VALUES (1); END $$;"},
		{"DO with COMMIT and others", "INSERT INTO a VALUES (100); DO $$ BEGIN INSERT INTO a VALUES (101); COMMIT; END $$;"},
		{"DO with a hidden COMMIT alone", "DO $x$ BEGIN INSERT INTO a VALUES (100); IF true THEN EXECUTE 'SELECT 1'; COMMIT; END IF; END $x$;"},
		{"CALL with COMMIT", "CALL p();"},
		{"CALL with COMMIT and others", "CALL p(); INSERT INTO a VALUES (100);"},
		{"ADD VALUE and its use", "ALTER TYPE mood ADD VALUE 'happy'; CREATE TABLE m (x mood DEFAULT 'happy');"},
		{"ADD VALUE alone", "ALTER TYPE mood ADD VALUE 'happy';"},
		{"LOCK alone", "LOCK TABLE a;"},
		{"LOCK with others", "LOCK TABLE a; INSERT INTO a VALUES (100);"},
		{"SET LOCAL alone", "SET LOCAL lock_timeout = '1s';"},
		{"SET LOCAL with others", "SET LOCAL lock_timeout = '1s'; INSERT INTO a SELECT 100, current_setting('lock_timeout');"},
		{"SET CONSTRAINTS alone", "SET CONSTRAINTS ALL DEFERRED;"},
		{"DECLARE alone", "DECLARE c CURSOR FOR SELECT * FROM a;"},
		{"DECLARE and FETCH", "DECLARE c CURSOR FOR SELECT * FROM a; FETCH 3 FROM c; CLOSE c;"},
		{"now() in all statements", "CREATE TABLE x (t timestamptz); INSERT INTO x SELECT now(); INSERT INTO a SELECT 100, count(DISTINCT y)::text FROM (SELECT t y FROM x UNION ALL SELECT now()) z; DROP TABLE x;"},
		{"error in an explicit transaction", "INSERT INTO a VALUES (100); COMMIT; BEGIN; INSERT INTO a VALUES (101); INSERT INTO a VALUES (1); COMMIT;"},
		{"deferred constraint at COMMIT", "ALTER TABLE b ADD FOREIGN KEY (a_id) REFERENCES a DEFERRABLE INITIALLY DEFERRED; COMMIT; INSERT INTO b VALUES (100, 999); INSERT INTO a VALUES (100);"},
		{"deferred constraint alone", "INSERT INTO d VALUES (1, 999);"},
		{"REINDEX of a partitioned index alone", "REINDEX INDEX parted_i;"},
		{"REINDEX of a partitioned index with others", "INSERT INTO a VALUES (100); REINDEX INDEX parted_i;"},
		{"DISCARD ALL alone", "DISCARD ALL;"},
		{"DISCARD ALL with others", "INSERT INTO a VALUES (100); DISCARD ALL;"},
		{"hostile search path", "SET search_path = hostile, pg_catalog; INSERT INTO public.a VALUES (100); ALTER TABLE public.a ADD COLUMN c int;"},
		{"empty search path", "SELECT pg_catalog.set_config('search_path', '', false); INSERT INTO public.a VALUES (100);"},
		{"client encoding", "SET client_encoding = 'LATIN1'; INSERT INTO a VALUES (100, 'caf\xc3\xa9');"},
		{"tiny statement_timeout", "SET statement_timeout = '3ms'; INSERT INTO a VALUES (100); SELECT pg_sleep(0.05);"},
		{"CR LF", "INSERT INTO a VALUES (100);\r\nINSERT INTO a VALUES (101, 'x\r\ny');\r\n"},
		{"session role", "SET ROLE other; CREATE TABLE x (i int);"},
		{"DROP DATABASE", "DROP DATABASE postgres;"},
		{"nothing", "-- nothing\n"},
		{"generated sequence values", "SELECT nextval('s'); INSERT INTO a SELECT 100 + nextval('s');"},
	}
	fill := seed + `
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO a VALUES (200); COMMIT; INSERT INTO a VALUES (201); END $$;
CREATE TABLE d (id int, a_id int REFERENCES a DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE INDEX parted_i ON parted (id);
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.never(oid, oid) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile operator'; END $$;
CREATE OPERATOR hostile.= (FUNCTION = hostile.never, LEFTARG = oid, RIGHTARG = oid);
CREATE OPERATOR hostile.>= (FUNCTION = hostile.never, LEFTARG = oid, RIGHTARG = oid);
CREATE FUNCTION hostile.pg_backend_pid() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile function'; END $$;
CREATE VIEW hostile.pg_locks AS SELECT 1 AS one;
CREATE TYPE hostile.oid AS (x int);
`
	onEveryMajor(t, func(t *testing.T, server *snapshot.Target) {
		one, many := newLab(t, server, ""), newLab(t, server, "")
		for _, c := range files {
			t.Run(c.name, func(t *testing.T) {
				one.reset(fill)
				many.reset(fill)
				code, status, warnings := asOneString(t, one, c.sql)
				one.commitPrepared() // its name is taken on the whole server
				got := walk(t, many.open(t), script(t, c.sql))
				many.commitPrepared()
				if status == 'T' {
					t.Fatal("the file leaves a transaction open: another test's")
				}
				if got.code != code {
					t.Errorf("SQLSTATE %q (%s), as one string %q", got.code, got.message, code)
				}
				if diff := cmp.Diff(one.state(), many.state()); diff != "" {
					t.Errorf("state differs from that of one string (-one +many):\n%s", diff)
				}
				if !slices.Equal(got.warnings, warnings) {
					t.Errorf("messages %q, as one string %q", got.warnings, warnings)
				}
			})
		}
	})
}
