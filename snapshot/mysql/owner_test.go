package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	driver "github.com/go-sql-driver/mysql"
)

// The migrating account may do anything in its schema, and nothing outside.
func TestOwnerIsConfined(t *testing.T) {
	onBoth(t, func(t *testing.T, l *lab) {
		d := l.clone(t)
		run(t, d.OwnerDSN(), "CREATE TABLE t (id int)", "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.id = 1",
			"CREATE PROCEDURE p() SELECT 1", "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
			"CREATE VIEW v AS SELECT f() AS one FROM t", "LOCK TABLES t WRITE", "UNLOCK TABLES", "CREATE TEMPORARY TABLE tmp (id int)", "CALL p()",
			"DROP EVENT e", "DROP TABLE t", "DROP DATABASE app", "CREATE DATABASE app")
		refused := []string{
			"SELECT 1 INTO OUTFILE '/tmp/migration-gate-escape'",
			"SELECT LOAD_FILE('/etc/passwd') FROM DUAL WHERE LOAD_FILE('/etc/passwd') IS NOT NULL", // no rows
			"LOAD DATA INFILE '/etc/passwd' INTO TABLE s",
			"SET GLOBAL max_connections = 5",
			"SET GLOBAL local_infile = 1",
			"SET GLOBAL general_log = 1",
			"INSTALL PLUGIN x SONAME 'x.so'",
			"CREATE FUNCTION sys_exec RETURNS int SONAME 'x.so'",
			"SELECT * FROM mysql.user",
			"SELECT * FROM mysql.db",
			"SELECT * FROM migration_gate.baseline",
			"CREATE DATABASE other",
			"CREATE DATABASE app2",
			"CREATE DATABASE test",
			"CREATE USER x",
			"GRANT SELECT ON app.* TO root",
			"SET PASSWORD FOR root@localhost = 'x'",
			"SHOW GRANTS FOR root@localhost",
			"FLUSH TABLES",
			"SHUTDOWN",
			"DROP DATABASE mysql",
			"CREATE DEFINER=root@localhost PROCEDURE q() SELECT 1",
			"SET SESSION sql_log_bin = 0",
		}
		refused = append(refused, l.on("ALTER INSTANCE DISABLE INNODB REDO_LOG", "INSTALL SONAME 'x'"), l.on("SET PERSIST max_connections = 5", "SET GLOBAL event_scheduler = ON"))
		run(t, d.OwnerDSN(), "CREATE TABLE s (a text)")
		for _, q := range refused {
			row, err := try(t, d.OwnerDSN(), q)
			var my *driver.MySQLError
			if err == nil && (row != nil || !strings.Contains(q, "LOAD_FILE")) {
				t.Errorf("%s: the server let it pass (%v)", q, row)
			} else if err != nil && !errors.As(err, &my) {
				t.Errorf("%s: %v, want a refusal by the server", q, err)
			}
		}
		if got := ask(t, d.OwnerDSN(), "SELECT COUNT(DISTINCT GRANTEE) FROM information_schema.USER_PRIVILEGES"); got[0] != "1" {
			t.Errorf("it sees the privileges of %s accounts", got[0])
		}
		if got := ask(t, d.OwnerDSN(), "SELECT GROUP_CONCAT(SCHEMA_NAME ORDER BY 1) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('information_schema', 'performance_schema')"); got[0] != "app" {
			t.Errorf("it sees the schemas %s", got[0])
		}
		other := dial(t, d.AdminDSN())
		defer other.Close()
		if got := ask(t, d.OwnerDSN(), "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER NOT IN ('migrator')"); got[0] != "0" {
			t.Errorf("it sees %s sessions of others", got[0])
		}

		driver.RegisterReaderHandler("escape", func() io.Reader { return strings.NewReader("x\n") })
		defer driver.DeregisterReaderHandler("escape")
		var my *driver.MySQLError
		if _, err := try(t, d.OwnerDSN(), "LOAD DATA LOCAL INFILE 'Reader::escape' INTO TABLE s"); !errors.As(err, &my) {
			t.Errorf("LOAD DATA LOCAL: %v, want a refusal by the server", err)
		}
		if strings.Contains(fmt.Sprint(l.base.Clone(context.Background(), d.Instance())), strings.Split(d.OwnerDSN(), ":")[1]) {
			t.Error("an error tells the password")
		}
	})
}
