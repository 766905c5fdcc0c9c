package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/server"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// accounts on somebody else's server, from the administrator's to one that may
// do no more than what restoring takes.
var accounts = map[string]string{
	"root": "ALL PRIVILEGES ON *.*",
	// May make the migrating account, and no objects that belong to it.
	"maker": "CREATE, DROP, SELECT, INSERT, UPDATE, DELETE, ALTER, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW, TRIGGER, EVENT, CREATE ROUTINE, " +
		"ALTER ROUTINE, EXECUTE, LOCK TABLES, CREATE TEMPORARY TABLES, CREATE USER, PROCESS ON *.*",
	"plain": "ALL PRIVILEGES ON `mg\\_%`.*",
}

// guestOf makes a target of a run's own schemas on a server.
func guestOf(t testing.TB, on *snapshot.Target, account string) *snapshot.Target {
	t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s:%d)/", on.User, on.Password, on.Host, on.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := "ci_" + account
	for _, q := range []string{
		"CREATE USER IF NOT EXISTS " + name + " IDENTIFIED BY 'secret-1A'",
		"GRANT " + accounts[account] + " TO " + name + map[bool]string{true: "", false: " WITH GRANT OPTION"}[account == "plain"],
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	p := server.New(server.Options{URL: fmt.Sprintf("mysql://%s:secret-1A@%s:%d", name, on.Host, on.Port)})
	spec := snapshot.Spec{Run: strings.ReplaceAll(t.Name(), "/", "-"), Engine: on.Handle.Engine, Expires: time.Now().Add(time.Hour)}
	offer := p.Offer(t.Context(), spec)
	if !offer.OK {
		t.Fatalf("%+v", offer)
	}
	target, err := p.Provision(t.Context(), spec, offer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return target
}

// TestGuestGivesTheOriginal: what dump tools write of a database comes back on
// somebody else's server under a name of the run's own, and its clone is the
// same; people are shown the name they know.
func TestGuestGivesTheOriginal(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		before := p.schemas()
		p.shop()
		want := p.contents("shop")
		dumps := map[string]string{
			"without its name": write(t, p.dump("--routines", "--events", "--triggers", "shop")),
			"with its name":    write(t, p.dump("--routines", "--events", "--triggers", "--databases", "shop")),
		}
		p.dropAllBut(before)
		on := snapshottest.MySQLAlone(t, p.target.Handle.Engine, nil)
		there := &production{t, on, dialRoot(t, on)}
		for how, dump := range dumps {
			for account := range accounts {
				t.Run(how+", "+account, func(t *testing.T) {
					there.t = t
					target := guestOf(t, on, account)
					s, err := mysql.Connect(t.Context(), target)
					if err != nil {
						t.Fatal(err)
					}
					if own := account != "plain"; s.OwnAccount() != own {
						t.Errorf("an account of its own: %t", !own)
					}
					src, err := snapshot.Open(t.Context(), dump)
					if err != nil {
						t.Fatal(err)
					}
					base, m, err := s.Restore(t.Context(), src, mysql.RestoreOptions{})
					if err != nil {
						t.Fatal(err)
					}
					t.Logf("%d rows, skipped:\n%s", m.Rows, strings.Join(m.Skipped, "\n"))
					if err := base.Seal(t.Context()); err != nil {
						t.Fatal(err)
					}
					if err := base.Clone(t.Context(), "candidate"); err != nil {
						t.Fatal(err)
					}
					for _, d := range []*mysql.Database{base.Database(), s.Database("candidate")} {
						names := d.Names()
						if names.Shown != "shop" || !strings.HasPrefix(names.Physical, target.Prefix) {
							t.Fatalf("%+v", names)
						}
						got := map[string]string{}
						for what, def := range there.contents(names.Physical) {
							def = strings.NewReplacer("`"+s.OwnerName()+"`", "`migrator`", `"`+s.OwnerName()+`"`, "`migrator`").Replace(def)
							if strings.Contains(what, " event ") {
								def = strings.NewReplacer(" DISABLE ON SLAVE ", " ENABLE ", " DISABLE ON REPLICA ", " ENABLE ").Replace(def)
							}
							got[names.Show(what)] = strings.ReplaceAll(names.Show(def), `migrator`+"`"+`@"%"`, "migrator`@`%`")
						}
						if d := cmp.Diff(want, got); d != "" {
							t.Errorf("%s (-original +restored):\n%s", names.Physical, d)
						}
					}
					mustBeTheSame(t, base, s.Database("candidate"))
				})
			}
		}
	})
}

// mustBeTheSame reads schema, catalogue and rows of both.
func mustBeTheSame(t *testing.T, base *mysql.Baseline, clone *mysql.Database) {
	t.Helper()
	sameSchemaAndRows(t, base, clone)
	catalog, err := clone.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for key, r := range catalog {
		if strings.Contains(key+r.Table+strings.Join(r.References, ""), "mg_") {
			t.Errorf("%s: %+v", key, r)
		}
	}
	if r := catalog["shop.customers"]; r.Schema != "shop" || r.Rows != 3 || len(r.References) != 1 || r.References[0] != "shop.products" {
		t.Errorf("%+v", r)
	}
}

func sameSchemaAndRows(t *testing.T, base *mysql.Baseline, clone *mysql.Database) {
	t.Helper()
	was, err := base.Database().Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now, err := clone.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(was, now); d != "" {
		t.Errorf("schema (-baseline +clone):\n%s", d)
	}
	diffs, compared, err := mysql.Compare(t.Context(), base.Database(), clone, mysql.CompareOptions{})
	if err != nil || len(diffs) > 0 || compared == 0 {
		t.Errorf("%d tables compared, %+v, %v", compared, diffs, err)
	}
}

func dialRoot(t *testing.T, on *snapshot.Target) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s:%d)/?multiStatements=true&charset=utf8mb4&sql_mode=''", on.User, on.Password, on.Host, on.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestGuestWithABinaryLog: MySQL as its makers set it up takes triggers and
// functions from an administrator alone. Who is none is told what to do, and
// leaves nothing behind.
func TestGuestWithABinaryLog(t *testing.T) {
	p := production{t: t, target: snapshottest.MySQL(t, snapshot.MySQL)}
	p.db = dialRoot(t, p.target)
	before := p.schemas()
	p.shop()
	dump := write(t, p.dump("--routines", "--events", "--triggers", "shop"))
	p.dropAllBut(before)
	on := snapshottest.MySQLAlone(t, snapshot.MySQL, map[string]string{"skip_log_bin": "0", "event_scheduler": "ON"})
	there := &production{t, on, dialRoot(t, on)}
	if log := there.query("SELECT @@log_bin, @@log_bin_trust_function_creators")[0]; log[0] != "1" || log[1] != "0" {
		t.Fatalf("binary log %q", log)
	}
	for account := range accounts {
		t.Run(account, func(t *testing.T) {
			target := guestOf(t, on, account)
			s, err := mysql.Connect(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			src, err := snapshot.Open(t.Context(), dump)
			if err != nil {
				t.Fatal(err)
			}
			base, _, err := s.Restore(t.Context(), src, mysql.RestoreOptions{})
			if account != "root" {
				if err == nil || !strings.Contains(err.Error(), "--log-bin-trust-function-creators=1") || strings.Contains(err.Error(), target.Prefix) {
					t.Errorf("%v", err)
				}
				there.t = t
				if left := there.query("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '" + target.Prefix + "base'"); len(left) > 0 {
					t.Errorf("left %q", left)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := base.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := base.Clone(t.Context(), "candidate"); err != nil {
				t.Fatal(err)
			}
			mustBeTheSame(t, base, s.Database("candidate"))
		})
	}
}

// TestGuestOfMydumper: a directory of mydumper's, whose views and triggers name
// the database.
func TestGuestOfMydumper(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		before := p.schemas()
		p.shop()
		p.exec("ALTER TABLE shop.customers MODIFY created timestamp NULL")
		p.exec("DROP TABLE shop.`odd ``name' \"x\" ö`; DROP FUNCTION shop.f; CREATE FUNCTION shop.f(a int) RETURNS varchar(50) DETERMINISTIC RETURN concat('a', a, ';')")
		dir := p.mydumper("--database", "shop", "--triggers", "--routines", "--events")
		p.dropAllBut(before)
		s, base := p.guest(t, "maker", dir)
		if err := base.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := base.Clone(t.Context(), "candidate"); err != nil {
			t.Fatal(err)
		}
		mustBeTheSame(t, base, s.Database("candidate"))
	})
}

// guest restores a dump as a guest on the same server.
func (p *production) guest(t *testing.T, account, path string) (*mysql.Server, *mysql.Baseline) {
	t.Helper()
	s, base, _, err := p.tryGuest(t, account, path)
	if err != nil {
		t.Fatal(err)
	}
	return s, base
}

func (p *production) tryGuest(t *testing.T, account, path string) (*mysql.Server, *mysql.Baseline, *snapshot.Target, error) {
	t.Helper()
	target := guestOf(t, p.target, account)
	s, err := mysql.Connect(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	src, err := snapshot.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	base, m, err := s.Restore(t.Context(), src, mysql.RestoreOptions{})
	t.Logf("%d rows, skipped %q", m.Rows, m.Skipped)
	return s, base, target, err
}

// TestGuestRedirects: what names the dump's own database is made to name the one
// that it goes to, where that can be told.
func TestGuestRedirects(t *testing.T) {
	const tables = "CREATE TABLE `t` (`id` int NOT NULL, `shop` int DEFAULT NULL, PRIMARY KEY (`id`));\nINSERT INTO `t` VALUES (1,1),(2,2);\n"
	onFlavours(t, func(t *testing.T, p *production) {
		ok := map[string]string{
			"view of tables":     "CREATE VIEW `v` AS select `shop`.`t`.`id` AS `id`,`shop`.`t`.`shop` AS `shop` from `shop`.`t`;\n",
			"view of an alias":   "CREATE VIEW `v` AS select `o`.`id` AS `id` from `shop`.`t` `o` where `o`.`id` in (select `shop`.`t`.`id` from `shop`.`t`);\n",
			"call of a function": "CREATE FUNCTION g(a int) RETURNS int DETERMINISTIC RETURN a;\nCREATE VIEW `v` AS select `shop`.g(`t`.`id`) AS `id` from `shop`.`t`;\n",
			"foreign key":        "CREATE TABLE `c` (`t_id` int, CONSTRAINT f FOREIGN KEY (`t_id`) REFERENCES `shop`.`t` (`id`));\n",
			"trigger":            "CREATE TABLE l (i int);\nCREATE TRIGGER tr AFTER INSERT ON shop.t FOR EACH ROW INSERT INTO shop.l SELECT MAX(shop.t.id) FROM shop . t;\n",
			"rows":               "INSERT INTO `shop`.`t` VALUES (3,3);\nINSERT INTO shop.t (id) VALUES (4);\n",
			"words in strings":   "INSERT INTO `t` (id) SELECT LENGTH('`shop`.`x`') FROM DUAL;\n",
		}
		for name, more := range ok {
			t.Run(name, func(t *testing.T) {
				head := p.header("shop") + "CREATE DATABASE `shop` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;\nUSE `shop`;\n"
				s, base := p.guest(t, "maker", write(t, []byte(head+tables+more+ending)))
				schema, err := base.Database().Schema(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range schema {
					if strings.Contains(fmt.Sprint(o), "mg_") {
						t.Errorf("%+v", o)
					}
				}
				dsn := base.Unsealed().OwnerDSN()
				if strings.Contains(more, "VIEW") {
					if got := ask(t, dsn, "SELECT COUNT(id) FROM v"); got[0] != "2" {
						t.Errorf("%q", got)
					}
				}
				if name == "trigger" {
					run(t, dsn, "INSERT INTO t VALUES (9, 9)")
					if got := ask(t, dsn, "SELECT i FROM l"); got[0] != "9" {
						t.Errorf("%q", got)
					}
				}
				if err := base.Seal(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := base.Clone(t.Context(), "candidate"); err != nil {
					t.Fatal(err)
				}
				clone := s.Database("candidate")
				now, err := clone.Schema(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(schema, now, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".OID" }, cmp.Ignore())); d != "" {
					t.Errorf("(-baseline +clone):\n%s", d)
				}
				if _, err := try(t, clone.OwnerDSN(), "INSERT INTO `"+base.Database().Names().Physical+"`.t VALUES (99, 99)"); err == nil {
					t.Error("the migrating account wrote to the baseline")
				}
			})
		}
		refused := map[string][2]string{
			"two databases": {"CREATE DATABASE shop;\nUSE shop;\n" + tables + "CREATE DATABASE audit;\nUSE audit;\n" + tables,
				"line 12: the dump holds more than one database (shop, audit)"},
			"a table of the same name": {"CREATE DATABASE shop;\nUSE shop;\n" + tables + "CREATE TABLE shop (id int);\nCREATE VIEW v AS select `shop`.`id` AS `id` from `shop`;\n",
				"shop is the name of the database and of a table or an alias"},
			"a mistake":        {"CREATE DATABASE shop;\nUSE shop;\n" + tables + "CREATE VIEW v AS SELECT * FROM nowhere;\n", "Table 'shop.nowhere' doesn't exist"},
			"another database": {"CREATE DATABASE shop;\nUSE shop;\n" + tables + "CREATE VIEW v AS SELECT * FROM audit.log;\n", "audit"},
		}
		for name, test := range refused {
			t.Run(name, func(t *testing.T) {
				_, _, target, err := p.tryGuest(t, "maker", write(t, []byte(p.header("shop")+test[0]+ending)))
				if err == nil || !strings.Contains(err.Error(), test[1]) || strings.Contains(err.Error(), target.Prefix+"base") {
					t.Errorf("%v does not say %q", err, test[1])
				}
			})
		}
	})
}

// TestGuestClonesWhatIsOdd: what no dump brings, and migrations do.
func TestGuestClonesWhatIsOdd(t *testing.T) {
	common := []string{
		"CREATE TABLE a (id int AUTO_INCREMENT PRIMARY KEY, v varchar(20) CHARACTER SET latin1, up varchar(20) AS (UPPER(v)) STORED, low varchar(20) AS (LOWER(v)) VIRTUAL, hidden int INVISIBLE DEFAULT 7, CHECK (hidden < 1000)) AUTO_INCREMENT = 500",
		"INSERT INTO a (id, v, hidden) VALUES (1, 'Ä', 1), (2, NULL, 2)",
		"CREATE TABLE b (a_id int, d datetime, KEY (d), CONSTRAINT fk FOREIGN KEY (a_id) REFERENCES a (id) ON DELETE CASCADE)",
		"SET sql_mode = 'ALLOW_INVALID_DATES'", "INSERT INTO b VALUES (1, '2020-02-31'), (NULL, '0000-00-00')", "SET sql_mode = ''",
		"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM b",
		"SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'", "CREATE TRIGGER t1 BEFORE INSERT ON b FOR EACH ROW SET NEW.d = COALESCE(NEW.d, 'x' || '1')", "SET sql_mode = ''",
		"CREATE TRIGGER t0 BEFORE INSERT ON b FOR EACH ROW SET @t0 = 1",
		"CREATE VIEW z AS SELECT id, CONCAT('\\\\', v) AS w FROM a", "CREATE VIEW y AS SELECT * FROM z",
	}
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			more := []string{"CREATE INDEX f ON a ((hidden + 1))", "ANALYZE TABLE a UPDATE HISTOGRAM ON v WITH 8 BUCKETS"}
			if snapshottest.MySQLSpec(flavour).Engine == snapshot.MariaDB {
				more = []string{"CREATE SEQUENCE s START WITH 5", "DO NEXTVAL(s)", "CREATE TABLE o (n bigint DEFAULT NEXTVAL(s), v int)", "INSERT INTO o (v) VALUES (1)",
					"CREATE TABLE h (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING", "INSERT INTO h VALUES (1, 1)", "UPDATE h SET v = 2"}
			}
			s, err := mysql.Connect(t.Context(), guestOf(t, snapshottest.MySQL(t, flavour), "maker"))
			if err != nil {
				t.Fatal(err)
			}
			sealed(t, func(t *testing.T, b *lab) {
				clone := b.clone(t)
				sameSchemaAndRows(t, b.base, clone)
				dsn := clone.OwnerDSN()
				run(t, dsn, "INSERT INTO a (v) VALUES ('new')")
				if got := ask(t, dsn, "SELECT MAX(id), (SELECT GROUP_CONCAT(hidden ORDER BY id) FROM a WHERE id < 3), (SELECT GROUP_CONCAT(STATUS) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()) FROM a"); got[0] != "500" || got[1] != "1,2" || !strings.HasSuffix(got[2], "SIDE_DISABLED") {
					t.Errorf("%q", got)
				}
				if b.mariadb() {
					run(t, dsn, "INSERT INTO o (v) VALUES (2)")
					if got := ask(t, dsn, "SELECT GROUP_CONCAT(n ORDER BY v) FROM o"); !strings.HasPrefix(got[0], "6,") {
						t.Errorf("%q", got)
					}
				}
			}, s, nil, append(common, more...)...)
		})
	}
}

// TestGuestWithOtherRights: an account that may not make another migrates itself,
// and what would reach for somebody else's database is not restored.
func TestGuestWithOtherRights(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		p.exec("CREATE DATABASE billing; CREATE TABLE billing.invoices (id int); CREATE USER IF NOT EXISTS ci_plain IDENTIFIED BY 'secret-1A'; GRANT ALL ON billing.* TO ci_plain")
		defer p.exec("REVOKE ALL ON billing.* FROM ci_plain")
		for name, test := range map[string][2]string{
			"trigger":   {"CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW INSERT INTO billing.invoices VALUES (1);", "names the database billing"},
			"rows":      {"INSERT INTO `billing`.`invoices` VALUES (1);", "more than one database (shop, billing)"},
			"reference": {"ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES `billing`.`invoices` (id);", "names the database billing"},
		} {
			t.Run(name, func(t *testing.T) {
				_, _, _, err := p.tryGuest(t, "plain", write(t, []byte(p.header("shop")+"CREATE TABLE t (id int);\n"+test[0]+ending)))
				if err == nil || !strings.Contains(err.Error(), test[1]) {
					t.Errorf("%v does not say %q", err, test[1])
				}
			})
		}
		if rows := p.query("SELECT COUNT(*) FROM billing.invoices"); rows[0][0] != "0" {
			t.Errorf("%s rows went to somebody else", rows[0][0])
		}
		s, err := mysql.Connect(t.Context(), guestOf(t, p.target, "plain"))
		if err != nil {
			t.Fatal(err)
		}
		if others, err := s.Others(t.Context()); err != nil || strings.Join(others, " ") != "billing" || s.OwnAccount() {
			t.Errorf("%q, %v, an account of its own: %t", others, err, s.OwnAccount())
		}
	})
}
