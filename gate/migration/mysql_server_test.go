package migration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

func TestMain(m *testing.M) { snapshottest.Main(m) }

// onServers runs a test on each flavour of MySQL.
func onServers(t *testing.T, test func(t *testing.T, d Dialect, s *server)) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			target := snapshottest.MySQL(t, flavour)
			cfg := mysql.NewConfig()
			cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(target.Host, strconv.Itoa(target.Port))
			cfg.User, cfg.Passwd = target.User, target.Password
			name, _, _ := strings.Cut(flavour, ":")
			test(t, Dialect(name), &server{cfg: cfg, database: "migration_" + strings.ToLower(strings.Map(letters, t.Name()))})
		})
	}
}

func letters(r rune) rune {
	if r == '/' || r == ':' || r == '.' {
		return '_'
	}
	return r
}

// server runs texts in a database of its own, new for each.
type server struct {
	cfg      *mysql.Config
	database string
}

// connect opens one connection to a fresh database.
func (s *server) connect(t *testing.T, multi bool) (conn *sql.Conn, done func()) {
	t.Helper()
	cfg := s.cfg.Clone()
	cfg.MultiStatements = multi
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	conn, err = db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"DROP DATABASE IF EXISTS " + s.database, "CREATE DATABASE " + s.database, "USE " + s.database} {
		if _, err := conn.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	return conn, func() { conn.Close(); db.Close() }
}

// objects lists what stands in the connection's database.
func objects(t *testing.T, conn *sql.Conn) string {
	t.Helper()
	var s sql.NullString
	const q = `SELECT GROUP_CONCAT(n ORDER BY n) FROM (SELECT table_name n FROM information_schema.tables WHERE table_schema = database()
		UNION ALL SELECT routine_name FROM information_schema.routines WHERE routine_schema = database()
		UNION ALL SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()
		UNION ALL SELECT event_name FROM information_schema.events WHERE event_schema = database()) o`
	if err := conn.QueryRowContext(t.Context(), q).Scan(&s); err != nil {
		return errorNumber(err)
	}
	return s.String
}

// run sends a text and tells what came back: the rows of each result, and the
// error that ended it.
func run(ctx context.Context, conn *sql.Conn, text string) []string {
	rows, err := conn.QueryContext(ctx, text)
	if err != nil {
		return []string{errorNumber(err)}
	}
	defer rows.Close()
	var out []string
	for {
		cols, _ := rows.Columns()
		line := ""
		for rows.Next() {
			values := make([]sql.RawBytes, len(cols))
			into := make([]any, len(cols))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				return append(out, err.Error())
			}
			line += fmt.Sprintf(" %q", values)
		}
		if rows.Err() != nil {
			return append(out, errorNumber(rows.Err()))
		}
		if line != "" {
			out = append(out, line)
		}
		if !rows.NextResultSet() {
			break
		}
	}
	if rows.Err() != nil {
		out = append(out, errorNumber(rows.Err()))
	}
	return out
}

func errorNumber(err error) string {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return fmt.Sprintf("error %d", e.Number)
	}
	return err.Error()
}

// splitCases are texts that are hard to cut, in SQL that runs in an empty
// database.
var splitCases = []string{
	"", ";", " \n", "-- only\n", "/* only */", "SELECT 1;;SELECT 2", ";SELECT 1", "SELECT 1;;", "SELECT 1; /* x */ ;\n", "SELECT 1; # c\n; SELECT 2", "/* a */; SELECT 1",
	"SELECT 1;\n-- end\n", "SELECT 1; ; -- c", "SELECT 1; -- c\n;\n-- d\n", "; -- c", "SELECT 1; /* a */ ; /* b */ SELECT 2", "SELECT 1;\v\fSELECT 2;\r\n", "SELECT 'a;b', \"c;d\", 'it''s;', 'x\\';y', `e``;` FROM (SELECT 1 AS `e``;`) s; SELECT 2",
	"SELECT 2--1; SELECT 3-- ;\n; SELECT 4 --\t;\n, 5; SELECT 6 --\x01 ;\n, 7", "SELECT 1 -- x\r; SELECT 2", "SELECT 1 /* ; */ , 2; SELECT /*+ MAX_EXECUTION_TIME(9) ; */ 3",
	"SELECT 1 /*!50000 , 2 */; SELECT 3", "/*!50000 SELECT 1 */; /*! SELECT 2 */", "/*!50000 SELECT 1; SELECT 2 */; SELECT 3", "SELECT 1; SELECT 2 /*!50000 ; SELECT 3 */", "/*!99999 SELECT 1; */ SELECT 3; SELECT 4",
	"/*!999999 SELECT 1; /* in */ */ SELECT 3", "/*!50701 SELECT 1; */ SELECT 2", "/*!50000 SELECT /* x; */ 1 */; SELECT 2", "/*M! SELECT 1; */ SELECT 2", "/*M!100100 SELECT 1 */; SELECT 2", "/*!100100 SELECT 1 */; SELECT 2",
	"SELECT 1; /*!50000 SELECT 2", "SELECT 1 /* open", "SELECT 1; SELECT 'open", "SELECT 1 AS `open", "SELECT 1 */ 2", "SELECT 2 */* ; */ 3", "/*!40101 SET @a = 1 */; SELECT @a;",
	"SET sql_mode='ANSI_QUOTES'; SELECT \"x;y\" FROM (SELECT 1 AS \"x;y\") s; SELECT 2", "SET sql_mode='NO_BACKSLASH_ESCAPES'; SELECT 'a\\'; SELECT 'b'", "SET @@session.sql_mode = 'NO_BACKSLASH_ESCAPES', @b = 1; SELECT 'a\\'; SET sql_mode = DEFAULT; SELECT 'b\\';'",
	"SET @m = @@sql_mode, sql_mode = 'NO_BACKSLASH_ESCAPES'; SELECT 'a\\'; SET sql_mode = @m; SELECT 'b\\';'", "SET sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES'); SELECT 'a\\'; SELECT 2", "SET SESSION sql_mode = REPLACE('ANSI_QUOTES,NO_BACKSLASH_ESCAPES', 'ANSI_QUOTES,', ''); SELECT 'a\\'; SELECT \"x;\"",
	"SELECT 1;DELIMITER //\nSELECT 2//\nDELIMITER ;\nSELECT 3;", "DELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT 1; END$$\ndelimiter ;\nCALL p();", "SELECT 1 \\G; SELECT 2", "SELECT @`a;b`, @'c;d', @\"e;f\"; SELECT 2", "SELECT N'a;b', x'3B', _utf8mb4';', b'1'; SELECT 2", "SELECT 1 AS 1a, 1e1, .5, 1.5e+3, 0x3b, t.1b FROM (SELECT 1 AS 1b) t; SELECT 2",
	"SELECT 1 AS a$b$; SELECT 2 AS c$b$", "SELECT 'a'  'b;' \"c;\"; SELECT 2", "SELECT 1 = 1 AND 2 <= 3 OR 4 <> 5; SELECT 2",
	"BEGIN; SELECT 1; COMMIT; SELECT 2", "BEGIN WORK; ROLLBACK; START TRANSACTION; SELECT 1; END; SELECT 2",
	"XA START 'x'; XA END 'x'; XA ROLLBACK 'x'; SELECT 1",
	"CREATE TABLE t (`begin` int, end int); SELECT end FROM t; INSERT INTO t (begin, end) VALUES (1, 2); SELECT 3",
	"CREATE PROCEDURE p() SELECT 1; CALL p(); SELECT 2", "CREATE PROCEDURE p() BEGIN END; SELECT 2", "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END; CALL p(); SELECT 3",
	"CREATE TABLE t (begin int, end int, a int); CREATE PROCEDURE p() BEGIN INSERT INTO t (begin, end) VALUES (1, 2); SELECT end, begin FROM t; UPDATE t SET end = 3; SELECT t.end FROM t ORDER BY end; END; CALL p(); SELECT 3",
	"CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION, NOT FOUND, SQLWARNING BEGIN SELECT 9; END; SELECT * FROM nothing; SELECT 2; END; CALL p(); SELECT 3",
	"CREATE PROCEDURE p() BEGIN DECLARE c CONDITION FOR SQLSTATE '42S02'; DECLARE EXIT HANDLER FOR c SELECT 9; SELECT * FROM nothing; END; CALL p(); SELECT 3",
	"CREATE PROCEDURE p(n int) IF n > 1 THEN SELECT 1; ELSEIF n = 1 THEN SELECT 2; ELSE SELECT 3; END IF; CALL p(1); SELECT 4",
	"CREATE PROCEDURE p(n int) CASE n WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; CALL p(1); SELECT 4", "CREATE PROCEDURE p(n int) CASE WHEN n = CASE WHEN 1 THEN 1 END THEN SELECT 1; END CASE; CALL p(1); SELECT 4",
	"CREATE PROCEDURE p(n int) l: LOOP SET n = n - 1; IF n < 0 THEN LEAVE l; END IF; ITERATE l; END LOOP l; CALL p(2); SELECT 4", "CREATE PROCEDURE p(n int) WHILE n > 0 DO SET n = n - 1; END WHILE; CALL p(2); SELECT 4",
	"CREATE PROCEDURE p(n int) REPEAT SET n = n - 1; SELECT repeat('x', n + 1); UNTIL n <= 0 END REPEAT; CALL p(2); SELECT 4", "CREATE PROCEDURE p(n int) REPEAT SET n = n - 1; UNTIL CASE WHEN n < 0 THEN 1 ELSE 0 END END REPEAT; CALL p(2); SELECT 4",
	"CREATE PROCEDURE p() a: BEGIN b: BEGIN SELECT 1; END b; BEGIN SELECT 2; END; END a; CALL p(); SELECT 4", "CREATE PROCEDURE p() BEGIN IF IF(1, 1, 0) THEN SELECT 1; END IF; IF EXISTS (SELECT 1) THEN SELECT 2; END IF; END; CALL p(); SELECT 4",
	"CREATE PROCEDURE p() BEGIN DROP TABLE IF EXISTS x; CREATE TABLE IF NOT EXISTS x (a int); END; CALL p(); SELECT 4", "CREATE PROCEDURE p() COMMENT 'BEGIN' SQL SECURITY INVOKER MODIFIES SQL DATA BEGIN SELECT 'END;'; /* END; */ SELECT 2; -- END;\n END; CALL p(); SELECT 4",
	"CREATE DEFINER=CURRENT_USER PROCEDURE p() BEGIN SELECT 1; END; CALL p(); SELECT 4", "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1; SELECT f()", "CREATE FUNCTION f(a varchar(10), b decimal(10,2)) RETURNS varchar(10) CHARSET utf8mb4 COLLATE utf8mb4_bin NO SQL BEGIN DECLARE x int; SET x = 1; RETURN x; END; SELECT f(1, 2)",
	"CREATE FUNCTION f() RETURNS enum('a','b;') NO SQL RETURN CASE WHEN 1 THEN 'a' ELSE 'b;' END; SELECT f()",
	"CREATE TABLE t (a int); CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 5; INSERT INTO t VALUES (1); SELECT a FROM t", "CREATE TABLE t (a int); CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW BEGIN IF NEW.a > 3 THEN SET NEW.a = 5; END IF; SET @q = 1; END; INSERT INTO t VALUES (4); SELECT a FROM t",
	"CREATE TABLE t (a int); CREATE TRIGGER t1 BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 5; CREATE TRIGGER t2 BEFORE INSERT ON t FOR EACH ROW FOLLOWS t1 IF NEW.a = 5 THEN SET NEW.a = 6; END IF; INSERT INTO t VALUES (4); SELECT a FROM t",
	"CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DISABLE COMMENT 'DO' DO BEGIN SELECT 1; SELECT 2; END; SELECT 3; DROP EVENT e", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DISABLE DO SELECT 1; ALTER EVENT e DO BEGIN SELECT 1; SELECT 2; END; ALTER EVENT e ENABLE; DROP EVENT e; SELECT 3",
	"CREATE OR REPLACE PROCEDURE p() BEGIN SELECT 1; END; CALL p(); SELECT 2", "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END; SELECT 3", "IF 1 THEN SELECT 1; END IF; SELECT 3", "l: LOOP LEAVE l; END LOOP; SELECT 3", "FOR i IN 1..2 DO SELECT i; END FOR; SELECT 3",
	"CREATE PROCEDURE p() BEGIN FOR r IN (SELECT 1 AS a) DO SELECT r.a; END FOR; END; CALL p(); SELECT 3",
	"SELECT 1; SELEC 2; SELECT 3", "SELECT 1; SELECT * FROM nothing; SELECT 3", "SELECT (1; SELECT 2", "CREATE PROCEDURE p() BEGIN SELECT 1;",
	"CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); CREATE TABLE u AS SELECT * FROM t; SELECT COUNT(*) FROM u; PREPARE s FROM 'SELECT 1; '; EXECUTE s; SELECT 3",
	"HANDLER t OPEN; SELECT 1", "SELECT 1 INTO @a; SELECT @a; SET @b := 2; SELECT @b", "GET DIAGNOSTICS @n = NUMBER; SELECT 1", "SIGNAL SQLSTATE '45000'; SELECT 1",
	"SELECT 1 AS \u00a0; SELECT 'ü;'; SELECT 2",
}

// Running a script statement by statement does what sending it whole does, and
// fails where that fails.
func TestMySQLSplitAsTheServer(t *testing.T) {
	onServers(t, func(t *testing.T, d Dialect, s *server) {
		for _, text := range splitCases {
			conn, done := s.connect(t, true)
			whole := append(run(t.Context(), conn, text), objects(t, conn))
			done()
			statements, err := ParseScriptWith("f.sql", []byte(text), Options{Dialect: d})
			if err != nil {
				var e *InputError
				if !errors.As(err, &e) || !failed(whole[:len(whole)-1]) {
					t.Errorf("%s\nthe server says %q, the splitter %v", text, whole, err)
				}
				continue
			}
			conn, done = s.connect(t, false)
			var single []string
			for _, st := range statements {
				single = append(single, run(t.Context(), conn, st.SQL)...)
				if failed(single) {
					break
				}
			}
			single = append(single, objects(t, conn))
			done()
			if !slices.Equal(whole, single) {
				t.Errorf("%s\nas a whole   %q\nin %d pieces %q", text, whole, len(statements), single)
			}
		}
	})
}

func failed(results []string) bool {
	return len(results) > 0 && strings.HasPrefix(results[len(results)-1], "error")
}

// The statements whose facts are held in files are ones that servers take.
func TestMySQLFactsAreReal(t *testing.T) {
	files, err := filepath.Glob("testdata/mysql/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	onServers(t, func(t *testing.T, d Dialect, s *server) {
		for _, file := range files {
			base := filepath.Base(file)
			if base == "mysql.sql" && d != MySQL || base == "mariadb.sql" && d != MariaDB {
				continue
			}
			t.Run(base, func(t *testing.T) {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				statements, err := ParseScriptWith(base, text, Options{Dialect: d})
				if err != nil {
					t.Fatal(err)
				}
				conn, done := s.connect(t, false)
				defer done()
				for _, st := range statements {
					if got := run(t.Context(), conn, st.SQL); failed(got) {
						t.Errorf("line %d: %s: %s", st.Line, got[len(got)-1], st.SQL)
					}
				}
			})
		}
	})
}

// commitCases are statements with what must be there before; they run inside a
// transaction that is then rolled back.
var commitCases = []struct{ before, statement string }{
	{"", "CREATE TABLE x (a int)"}, {"", "CREATE TEMPORARY TABLE x (a int)"}, {"CREATE TEMPORARY TABLE x (a int)", "DROP TEMPORARY TABLE x"},
	{"CREATE TABLE x (a int)", "DROP TABLE x"}, {"", "CREATE TABLE x AS SELECT 1 AS a"}, {"", "CREATE TEMPORARY TABLE x SELECT 1 AS a"},
	{"CREATE TEMPORARY TABLE x (a int)", "ALTER TABLE x ADD b int"}, {"CREATE TEMPORARY TABLE x (a int)", "CREATE INDEX i ON x (a)"},
	{"CREATE TABLE x (a int)", "ALTER TABLE x ADD b int"}, {"CREATE TABLE x (a int)", "CREATE INDEX i ON x (a)"}, {"CREATE TABLE x (a int, KEY i (a))", "DROP INDEX i ON x"},
	{"CREATE TABLE x (a int)", "RENAME TABLE x TO y"}, {"CREATE TABLE x (a int)", "TRUNCATE TABLE x"}, {"", "CREATE VIEW v AS SELECT 1 AS a"}, {"CREATE VIEW v AS SELECT 1 AS a", "ALTER VIEW v AS SELECT 2 AS a"}, {"CREATE VIEW v AS SELECT 1 AS a", "DROP VIEW v"},
	{"", "CREATE PROCEDURE p() SELECT 1"}, {"CREATE PROCEDURE p() SELECT 1", "ALTER PROCEDURE p COMMENT 'x'"}, {"CREATE PROCEDURE p() SELECT 1", "DROP PROCEDURE p"}, {"", "CREATE FUNCTION f() RETURNS int NO SQL RETURN 1"},
	{"CREATE TABLE x (a int)", "CREATE TRIGGER tr BEFORE INSERT ON x FOR EACH ROW SET NEW.a = 1"}, {"", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1"},
	{"", "CREATE DATABASE IF NOT EXISTS migration_commit_other"}, {"CREATE DATABASE IF NOT EXISTS migration_commit_other", "ALTER DATABASE migration_commit_other CHARACTER SET utf8mb4"}, {"CREATE DATABASE IF NOT EXISTS migration_commit_other", "DROP DATABASE migration_commit_other"},
	{"DROP USER IF EXISTS mg_c@localhost", "CREATE USER mg_c@localhost"}, {"", "GRANT SELECT ON *.* TO mg_c@localhost"}, {"", "REVOKE SELECT ON *.* FROM mg_c@localhost"}, {"", "ALTER USER mg_c@localhost ACCOUNT UNLOCK"}, {"", "SET PASSWORD FOR mg_c@localhost = ''"}, {"", "RENAME USER mg_c@localhost TO mg_d@localhost"}, {"", "DROP USER mg_d@localhost"},
	{"DROP ROLE IF EXISTS mg_role", "CREATE ROLE mg_role"}, {"", "SET ROLE NONE"}, {"", "DROP ROLE mg_role"},
	{"", "BEGIN"}, {"", "START TRANSACTION"}, {"", "SAVEPOINT s"}, {"", "SET autocommit = 1"}, {"SET autocommit = 0", "SET @@autocommit = ON"}, {"SET autocommit = 0", "SET autocommit = 0"}, {"", "SET NAMES utf8mb4"}, {"", "SET TRANSACTION READ WRITE"}, {"", "SET SESSION TRANSACTION READ WRITE"},
	{"CREATE TABLE x (a int)", "LOCK TABLES x WRITE"}, {"CREATE TABLE x (a int)", "ANALYZE TABLE x"}, {"CREATE TABLE x (a int)", "OPTIMIZE TABLE x"}, {"CREATE TABLE x (a int)", "CHECK TABLE x"}, {"CREATE TABLE x (a int)", "REPAIR TABLE x"}, {"CREATE TABLE x (a int)", "CHECKSUM TABLE x"},
	{"", "FLUSH TABLES"}, {"", "FLUSH STATUS"}, {"", "SELECT 1"}, {"", "DO 1"}, {"", "SHOW TABLES"}, {"", "USE information_schema"}, {"CREATE TABLE x (a int)", "INSERT INTO x VALUES (1)"}, {"CREATE TABLE x (a int)", "REPLACE INTO x VALUES (1)"}, {"CREATE TABLE x (a int)", "UPDATE x SET a = 1"}, {"CREATE TABLE x (a int)", "DELETE FROM x"},
	{"CREATE PROCEDURE p() SELECT 1", "CALL p()"}, {"", "EXPLAIN SELECT 1"}, {"", "PREPARE s FROM 'SELECT 1'"}, {"PREPARE s FROM 'CREATE TABLE x (a int)'", "EXECUTE s"}, {"PREPARE s FROM 'SELECT 1'", "EXECUTE s"}, {"PREPARE s FROM 'SELECT 1'", "DEALLOCATE PREPARE s"},
	{"", "SIGNAL SQLSTATE '01000'"}, {"", "GET DIAGNOSTICS @n = NUMBER"}, {"", "CREATE SERVER mg_server FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'localhost')"}, {"", "DROP SERVER mg_server"},
	{"CREATE TABLE x (a int) ENGINE=MyISAM", "CACHE INDEX x IN DEFAULT"}, {"CREATE TABLE x (a int) ENGINE=MyISAM", "LOAD INDEX INTO CACHE x"}, {"", "HELP 'x'"}, {"CREATE TABLE x (a int)", "HANDLER x OPEN"},
	{"", "INSTALL COMPONENT 'file://component_none'"},
	{"", "CREATE SEQUENCE q"}, {"CREATE SEQUENCE q", "DROP SEQUENCE q"}, {"", "BEGIN NOT ATOMIC SELECT 1; END"}, {"", "EXECUTE IMMEDIATE 'CREATE TABLE x (a int)'"}, {"CREATE TABLE x (a int)", "ANALYZE UPDATE x SET a = 1"},
}

// ImplicitCommit says what the server does to the open transaction.
func TestImplicitCommitAsTheServer(t *testing.T) {
	onServers(t, func(t *testing.T, d Dialect, s *server) {
		tried := 0
		for _, c := range commitCases {
			conn, done := s.connect(t, false)
			for _, q := range []string{"CREATE TABLE marker (a int)", c.before, "START TRANSACTION", "INSERT INTO marker VALUES (1)"} {
				if q != "" {
					if got := run(t.Context(), conn, q); failed(got) {
						t.Logf("%s: %q", q, got)
					}
				}
			}
			script := c.statement
			if strings.HasPrefix(c.before, "PREPARE") || strings.HasPrefix(c.before, "SET") {
				script = c.before + ";" + script
			}
			statements, err := ParseScriptWith("f.sql", []byte(script), Options{Dialect: d})
			if err != nil {
				t.Fatal(err)
			}
			want := statements[len(statements)-1].Facts.ImplicitCommit
			if got := run(t.Context(), conn, c.statement); failed(got) {
				t.Logf("not taken here: %s: %q", c.statement, got)
				done()
				continue
			}
			run(t.Context(), conn, "ROLLBACK")
			run(t.Context(), conn, "UNLOCK TABLES")
			kept := len(run(t.Context(), conn, "SELECT a FROM "+s.database+".marker")) > 0
			if kept != want {
				t.Errorf("%s: the server committed: %v, ImplicitCommit is %v", c.statement, kept, want)
			}
			tried++
			done()
		}
		if tried < 70 {
			t.Errorf("only %d statements tried", tried)
		}
	})
}

// A name or a string that was quoted comes back as it was.
func TestQuoteAsTheServer(t *testing.T) {
	names := []string{"plain", "Mixed", "a b", "a`b", "1a", "123", "a$b", "ü", "x.y", "_x", "end", "a-b", "Ö`"}
	for word := range myReserved {
		names = append(names, strings.ToLower(word))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	onServers(t, func(t *testing.T, d Dialect, s *server) {
		conn, done := s.connect(t, false)
		defer done()
		var columns []string
		for _, n := range names {
			columns = append(columns, d.QuoteIdent(n)+" int")
		}
		if got := run(t.Context(), conn, "CREATE TABLE q ("+strings.Join(columns, ", ")+")"); failed(got) {
			t.Fatalf("%q", got)
		}
		got := run(t.Context(), conn, "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND table_name = 'q' ORDER BY ordinal_position")
		want := ""
		for _, n := range names {
			want += fmt.Sprintf(" %q", []sql.RawBytes{sql.RawBytes(n)})
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
		for _, text := range []string{"", "a'b", `a\b`, `\'`, "a\"b", "line\nfeed", `%\_`} {
			got := run(t.Context(), conn, "SELECT CONCAT('<', "+d.QuoteLiteral(text)+", '>')")
			if want := fmt.Sprintf(" %q", []sql.RawBytes{sql.RawBytes("<" + text + ">")}); len(got) != 1 || got[0] != want {
				t.Errorf("%q: got %q", text, got)
			}
		}
	})
	if got := MySQL.QuoteName("shop", "order"); got != "shop.`order`" {
		t.Errorf("got %s", got)
	}
	if got := Postgres.QuoteName("", "Order"); got != `"Order"` {
		t.Errorf("got %s", got)
	}
}
