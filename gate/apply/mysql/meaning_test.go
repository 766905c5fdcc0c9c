package mysql

import (
	"context"
	"database/sql/driver"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/snapshot"
)

// TestMeaning: how each statement ran, whether its transaction is open or over,
// the failure, and which rows are left, per script.
func TestMeaning(t *testing.T) {
	const auto, open, over = "autocommit, ended", "explicit transaction, open", "explicit transaction, ended"
	const ddl = "implicit commit, ended"
	cases := []struct {
		name string
		file *migration.Script
		want string
		// kept are the ids of a from 100 on.
		kept string
	}{
		{"each statement commits itself", script("INSERT INTO a (id) VALUES (100)", "ALTER TABLE a ADD c int", "UPDATE a SET n = 0"), auto + " | " + ddl + " | " + auto, "100"},
		{"BEGIN and COMMIT", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "COMMIT"), open + " | " + open + " | " + over, "100"},
		{"ROLLBACK", script("START TRANSACTION", "INSERT INTO a (id) VALUES (100)", "ROLLBACK"), open + " | " + open + " | " + over, ""},
		{"failure in a transaction", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "INSERT INTO a (id) VALUES (1)"), open + " | " + open + " | " + over + " E1062", ""},
		{"DDL commits the transaction", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "ALTER TABLE a ADD c int", "INSERT INTO a (id) VALUES (101)", "ROLLBACK"), open + " | " + open + " | " + ddl + " | " + auto + " | " + auto, "100,101"},
		{"DDL that fails commits it too", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "ALTER TABLE a ADD v int"), open + " | " + open + " | " + ddl + " E1060 kept", "100"},
		{"a syntax error commits nothing", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "ALTER TABLE a ADDD v int"), open + " | " + open + " | implicit commit, ended E1064", ""},
		{"BEGIN within BEGIN", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "BEGIN", "INSERT INTO a (id) VALUES (101)", "ROLLBACK"), open + " | " + open + " | " + open + ", ended | " + open + " | " + over, "100"},
		{"COMMIT AND CHAIN", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "COMMIT AND CHAIN", "INSERT INTO a (id) VALUES (101)", "ROLLBACK"), open + " | " + open + " | " + open + ", ended | " + open + " | " + over, "100"},
		{"savepoints", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "SAVEPOINT x", "INSERT INTO a (id) VALUES (101)", "ROLLBACK TO x", "COMMIT"), strings.Repeat(open+" | ", 5) + over, "100"},
		{"BEGIN without COMMIT", script("BEGIN", "INSERT INTO a (id) VALUES (100)"), open + " | " + open + "; ROLLBACK E1568", ""},
		{"autocommit off", script("SET autocommit = 0", "INSERT INTO a (id) VALUES (100)"), auto + " | " + open + "; ROLLBACK E1568", ""},
		{"autocommit off, then DDL", script("SET autocommit = 0", "INSERT INTO a (id) VALUES (100)", "CREATE TABLE x (i int)"), auto + " | " + open + " | " + ddl, "100"},
		{"LOCK TABLES", script("LOCK TABLES a WRITE", "INSERT INTO a (id) VALUES (100)", "UNLOCK TABLES"), "implicit commit, open | autocommit, open | " + auto, "100"},
		{"LOCK TABLES to the end", script("LOCK TABLES a WRITE", "INSERT INTO a (id) VALUES (100)"), "implicit commit, open | autocommit, open; UNLOCK TABLES", "100"},
		{"LOCK TABLES and a failure", script("LOCK TABLES a WRITE", "INSERT INTO a (id) VALUES (100)", "INSERT INTO b (id) VALUES (3)"), "implicit commit, open | autocommit, open | " + auto + " E1100 kept", "100"},
		{"LOCK TABLES, given up by a transaction", script("LOCK TABLES a WRITE", "BEGIN", "INSERT INTO a (id) VALUES (100)", "COMMIT", "INSERT INTO b (id) VALUES (100)"), "implicit commit, open | " + open + ", ended | " + open + " | " + over + " | " + auto, "100"},
		{"UNLOCK TABLES of nothing", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "UNLOCK TABLES", "ROLLBACK"), open + " | " + open + " | " + open + " | " + over, ""},
		{"wrapped", wrapped("INSERT INTO a (id) VALUES (100)", "INSERT INTO a (id) VALUES (101)"), open + " | " + open + "; COMMIT", "100,101"},
		{"wrapped, a failure undoes all", wrapped("INSERT INTO a (id) VALUES (100)", "INSERT INTO a (id) VALUES (1)"), open + " | " + over + " E1062", ""},
		{"wrapped, DDL ends the transaction", wrapped("INSERT INTO a (id) VALUES (100)", "ALTER TABLE a ADD c int", "INSERT INTO a (id) VALUES (101)", "INSERT INTO a (id) VALUES (1)"), open + " | " + ddl + " | " + auto + " | " + auto + " E1062", "100,101"},
		{"wrapped, DDL last: COMMIT is a no-op", wrapped("INSERT INTO a (id) VALUES (100)", "ALTER TABLE a ADD c int"), open + " | " + ddl, "100"},
		{"wrapped, LOCK TABLES to the end", wrapped("LOCK TABLES a WRITE", "INSERT INTO a (id) VALUES (100)"), "implicit commit, open, ended | autocommit, open; ROLLBACK E1100", "100"},
		{"temporary tables commit nothing", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "CREATE TEMPORARY TABLE x (i int)", "DROP TEMPORARY TABLE x", "ROLLBACK"), strings.Repeat(open+" | ", 4) + over, ""},
		{"CALL that commits and fails", script("BEGIN", "INSERT INTO a (id) VALUES (100)", "CALL commits_and_fails()"), open + " | " + open + " | " + over + " E1062 kept", "100,200"},
		{"CALL with results, the last of which fails", script("CALL results_and_fails()"), auto + " E1062", ""},
	}
	fill := seed + `
CREATE PROCEDURE commits_and_fails() BEGIN INSERT INTO a (id) VALUES (200); COMMIT; INSERT INTO a (id) VALUES (1); END;
CREATE PROCEDURE results_and_fails() BEGIN SELECT 1; SELECT * FROM a; INSERT INTO a (id) VALUES (1); END;`
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				l := newLab(t, server, opt, fill)
				steps := walk(t, l.open(), c.file)
				if diff := cmp.Diff(c.want, ran(steps)); diff != "" {
					t.Errorf("ran otherwise (-want +got):\n%s", diff)
				}
				if got := l.read("SELECT GROUP_CONCAT(id ORDER BY id) FROM a WHERE id >= 100"); got != c.kept {
					t.Errorf("kept rows %q, want %q", got, c.kept)
				}
			})
		}
	})
}

// TestMeaningIsTheTools: what a script leaves is what golang-migrate's one
// string of many statements leaves on a connection of its own.
func TestMeaningIsTheTools(t *testing.T) {
	files := map[string][]string{
		"DDL and rows":         {"INSERT INTO a (id) VALUES (100)", "ALTER TABLE a ADD c int DEFAULT 5", "UPDATE a SET c = 6 WHERE id = 1"},
		"a failure half-way":   {"INSERT INTO a (id) VALUES (100)", "ALTER TABLE a ADD c int", "ALTER TABLE a ADD c int", "INSERT INTO a (id) VALUES (101)"},
		"DDL fails in BEGIN":   {"BEGIN", "INSERT INTO a (id) VALUES (100)", "ALTER TABLE a ADD v int", "COMMIT"},
		"rows fail in BEGIN":   {"BEGIN", "INSERT INTO a (id) VALUES (100)", "INSERT INTO a (id) VALUES (1)", "COMMIT"},
		"ROW_COUNT":            {"SET sql_mode = ''", "INSERT INTO a (id, v) VALUES (100, REPEAT('x', 50)), (101, '')", "UPDATE a SET n = ROW_COUNT()"},
		"FOUND_ROWS":           {"SELECT SQL_CALC_FOUND_ROWS CAST('1x' AS signed) FROM a LIMIT 1", "UPDATE a SET n = FOUND_ROWS()"},
		"LAST_INSERT_ID":       {"CREATE TABLE x (i int AUTO_INCREMENT PRIMARY KEY, v varchar(3))", "SET sql_mode = ''", "INSERT INTO x (v) VALUES ('abcdef')", "UPDATE a SET n = LAST_INSERT_ID()"},
		"the session's state":  {"SET @x = 5, sql_mode = 'ANSI_QUOTES', foreign_key_checks = 0", `UPDATE "a" SET n = @x`, "SET NAMES latin1", "UPDATE a SET v = @@character_set_client"},
		"temporary table":      {"CREATE TEMPORARY TABLE x SELECT * FROM a", "UPDATE a JOIN x USING (id) SET a.n = x.n + 10"},
		"prepared":             {"SET @s = 'ALTER TABLE a ADD c int'", "PREPARE s FROM @s", "EXECUTE s", "DEALLOCATE PREPARE s"},
		"handles its warnings": {"SET sql_mode = ''", "INSERT INTO a (id, v) VALUES (100, REPEAT('x', 50))", "UPDATE a SET n = @@warning_count"},
	}
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		for name, statements := range files {
			t.Run(name, func(t *testing.T) {
				one, many := newLab(t, server, opt, seed), newLab(t, server, opt, seed)
				code := one.asOneString(strings.Join(statements, ";\n"))
				got := ""
				for _, s := range walk(t, many.open(), script(statements...)) {
					if f := s.Result.Failure; f != nil {
						got = f.Code
					}
				}
				if got != code {
					t.Errorf("error %q, as one string %q", got, code)
				}
				if diff := cmp.Diff(one.state(), many.state()); diff != "" {
					t.Errorf("state differs from that of one string (-one +many):\n%s", diff)
				}
			})
		}
	})
}

// asOneString runs a file as golang-migrate does, and returns the error's code.
func (l *lab) asOneString(text string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := connectMany(ctx, l.owner())
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	_, err = c.(driver.ExecerContext).ExecContext(ctx, text, nil)
	if refusal, ok := refusalOf(err); ok {
		return failure(0, &migration.Statement{}, refusal).Code
	} else if err != nil {
		l.t.Fatal(err)
	}
	return ""
}

// state is the definition and the rows of table a.
func (l *lab) state() string {
	return l.read("SELECT GROUP_CONCAT(COLUMN_NAME, ' ', COLUMN_TYPE ORDER BY ORDINAL_POSITION) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()") + "\n" +
		l.read("SELECT GROUP_CONCAT(CONCAT_WS(':', id, v, n) ORDER BY id) FROM a")
}

// TestDeadlock: the server undoes the whole transaction of its victim, which is
// not the commit that comes before DDL.
func TestDeadlock(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := l.open()
		other, err := l.root.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = other.Rollback() }()
		// The one that changed fewer rows is the victim.
		if _, err := other.ExecContext(ctx, "UPDATE "+l.name+".a SET n = 9 WHERE id >= 2"); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(ctx, script("BEGIN", "UPDATE a SET n = 7 WHERE id = 1", "UPDATE a SET n = 7 WHERE id = 2")); err != nil {
			t.Fatal(err)
		}
		for n := range 2 {
			if _, err := s.Exec(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error, 1)
		go func() {
			_, err := other.ExecContext(ctx, "UPDATE "+l.name+".a SET n = 9 WHERE id = 1")
			done <- err
		}()
		r, err := s.Exec(ctx, 2)
		if err != nil || r.Failure == nil || r.Failure.Code != "1213" || !r.Ended || r.Committed {
			t.Errorf("%+v, %+v, %v", r, r.Failure, err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
