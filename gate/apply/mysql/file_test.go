package mysql

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/snapshot"
)

// TestFile: a file as the layouts read it, with what clients know and servers
// do not: tags, lines and how each statement ran.
func TestFile(t *testing.T) {
	const text = `-- orders get a state
CREATE TABLE state (id int PRIMARY KEY, name varchar(10));
INSERT INTO state VALUES (1, 'new'), (2, 'paid');
CREATE TRIGGER a_log BEFORE UPDATE ON a FOR EACH ROW
BEGIN
  SET NEW.n = NEW.n + 1; -- not the end
END;
/*!50503 SET NAMES utf8mb4 */;
BEGIN;
UPDATE a SET v = 'a;b' WHERE id > 1;
DELETE FROM b;
COMMIT;
ALTER TABLE a ADD COLUMN c int, ADD INDEX (c);
REPLACE INTO state VALUES (1, 'old');
SELECT * FROM state;
LOCK TABLES a WRITE; UNLOCK TABLES;
ALTER TABLE a ADD COLUMN
  c int;
`
	want := []string{
		"2 CREATE TABLE, implicit commit", "3 INSERT 2, autocommit", "4 CREATE TRIGGER, implicit commit", "8 SET NAMES, autocommit",
		"9 BEGIN, explicit transaction", "10 UPDATE 2, explicit transaction", "11 DELETE 2, explicit transaction", "12 COMMIT, explicit transaction",
		"13 ALTER TABLE, implicit commit", "14 REPLACE 2, autocommit", "15 SELECT 2, autocommit",
		"16 LOCK TABLES, implicit commit", "16 UNLOCK TABLES, autocommit", "17 E1060, implicit commit",
	}
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		dialect := migration.MySQL
		if opt.MariaDB {
			dialect = migration.MariaDB
		}
		statements, err := migration.ParseScriptWith("m.sql", []byte(text), migration.Options{Dialect: dialect})
		if err != nil {
			t.Fatal(err)
		}
		l := newLab(t, server, opt, seed)
		var got []string
		for i, s := range walk(t, l.open(), &migration.Script{File: "m.sql", Statements: statements}) {
			what := s.Result.Tag
			if f := s.Result.Failure; f != nil {
				what = "E" + f.Code
			}
			got = append(got, strconv.Itoa(statements[i].Line)+" "+strings.TrimSpace(what)+", "+s.Result.How)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if n := l.read("SELECT GROUP_CONCAT(n ORDER BY id) FROM a"); n != "1,3,4" {
			t.Errorf("rows %s", n)
		}
	})
}

// TestNothingOfOurs: the histories hold the migration's statements and, of the
// gate, nothing but what its own connection has to send.
func TestNothingOfOurs(t *testing.T) {
	onEveryFlavour(t, func(t *testing.T, server *snapshot.Target, opt Options) {
		l := newLab(t, server, opt, seed)
		s := l.open()
		l.exec("TRUNCATE performance_schema.events_statements_history_long")
		walk(t, s, script("ALTER TABLE a ADD c int", "BEGIN", "UPDATE a SET c = 5", "COMMIT", "SET lock_wait_timeout = 5"))
		read := func() string {
			return l.read(`SELECT GROUP_CONCAT(SQL_TEXT ORDER BY EVENT_ID SEPARATOR '; ') FROM performance_schema.events_statements_history_long
 WHERE SQL_TEXT NOT LIKE 'USE %' AND SQL_TEXT NOT LIKE 'TRUNCATE %' AND SQL_TEXT NOT LIKE 'SELECT @@SESSION.%'`) // MariaDB shows settings to their own session only
		}
		want := "ALTER TABLE a ADD c int; BEGIN; UPDATE a SET c = 5; COMMIT; SET lock_wait_timeout = 5"
		// An event ends a moment after its reply was sent.
		got := read()
		for deadline := time.Now().Add(5 * time.Second); got != want && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			got = read()
		}
		if got != want {
			t.Errorf("histories hold %s", got)
		}
	})
}
