package mysql_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// production is a server as others have it, to take dumps of and to restore
// into: the dumped databases are dropped before.
type production struct {
	t      *testing.T
	target *snapshot.Target
	db     *sql.DB
}

// onFlavours runs a test on MySQL and on MariaDB.
func onFlavours(t *testing.T, f func(t *testing.T, p *production)) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			target := snapshottest.MySQL(t, flavour)
			db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s:%d)/?multiStatements=true&charset=utf8mb4&sql_mode=''", target.User, target.Password, target.Host, target.Port))
			if err != nil {
				t.Fatal(err)
			}
			p := &production{t, target, db}
			before := p.schemas()
			t.Cleanup(func() {
				p.t = t
				p.dropAllBut(before)
				db.Close()
			})
			f(t, p)
		})
	}
}

func (p *production) mariadb() bool { return p.target.Handle.Engine == snapshot.MariaDB }

func (p *production) schemas() []string {
	p.t.Helper()
	var names []string
	for _, row := range p.query("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA") {
		names = append(names, row[0])
	}
	return names
}

func (p *production) dropAllBut(keep []string) {
	p.t.Helper()
	for _, name := range p.schemas() {
		if !slices.Contains(keep, name) {
			p.exec("DROP DATABASE `" + name + "`")
		}
	}
}

func (p *production) exec(q string) {
	p.t.Helper()
	if _, err := p.db.Exec(q); err != nil {
		p.t.Fatalf("%s: %v", firstLine(q), err)
	}
}

func firstLine(s string) string { s, _, _ = strings.Cut(s, "\n"); return s }

// query gives rows of texts, NULL as "NULL".
func (p *production) query(q string) [][]string {
	p.t.Helper()
	rows, err := p.db.Query(q)
	if err != nil {
		p.t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		p.t.Fatal(err)
	}
	var out [][]string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			p.t.Fatal(err)
		}
		var line []string
		for _, v := range values {
			if !v.Valid {
				v.String = "NULL"
			}
			line = append(line, v.String)
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		p.t.Fatalf("%s: %v", q, err)
	}
	return out
}

// load runs a file of SQL by the mysql client.
func (p *production) load(schema, file string) {
	p.t.Helper()
	in, err := os.Open(file)
	if err != nil {
		p.t.Fatal(err)
	}
	defer in.Close()
	var out bytes.Buffer
	if err := p.target.Tools.Run(context.Background(), "mysql", []string{"--default-character-set=utf8mb4", "--comments", schema}, in, &out, &out); err != nil {
		p.t.Fatalf("%v\n%s", err, out.String())
	}
}

// shop makes the database shop with everything in it.
func (p *production) shop() {
	p.t.Helper()
	p.exec("CREATE DATABASE shop CHARACTER SET utf8mb4; SET GLOBAL log_bin_trust_function_creators = 1; CREATE USER IF NOT EXISTS ghost@`%`; CREATE USER IF NOT EXISTS ghost@`10.0.%`; GRANT ALL ON *.* TO ghost@`%`; GRANT ALL ON *.* TO ghost@`10.0.%`")
	p.load("shop", "testdata/shop.sql")
}

// dump runs mysqldump.
func (p *production) dump(args ...string) []byte {
	p.t.Helper()
	var out, errs bytes.Buffer
	if err := p.target.Tools.Run(context.Background(), "mysqldump", args, nil, &out, &errs); err != nil {
		p.t.Fatalf("mysqldump %q: %v\n%s", args, err, errs.String())
	}
	return out.Bytes()
}

// restore opens a dump and restores it.
func (p *production) restore(path string, opt mysql.RestoreOptions) (*mysql.Baseline, snapshot.Manifest, error) {
	p.t.Helper()
	s, err := mysql.Connect(context.Background(), p.target)
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.Close()
	src, err := snapshot.Open(context.Background(), path)
	if err != nil {
		p.t.Fatal(err)
	}
	return s.Restore(context.Background(), src, opt)
}

func (p *production) mustRestore(path string) (*mysql.Baseline, snapshot.Manifest) {
	p.t.Helper()
	b, m, err := p.restore(path, mysql.RestoreOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Logf("%d rows, %d bytes, skipped %q", m.Rows, m.Bytes, m.Skipped)
	return b, m
}

// contents are everything in some databases, each thing under a name of its
// own: definitions as the server writes them, and checksums of rows.
func (p *production) contents(schemas ...string) map[string]string {
	p.t.Helper()
	all := map[string]string{}
	for _, schema := range schemas {
		q := "`" + schema + "`."
		def := p.query("SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '" + schema + "'")
		if len(def) == 0 {
			p.t.Fatalf("no database %s", schema)
		}
		all[schema] = def[0][0]
		for _, row := range p.query("SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = '" + schema + "'") {
			name := "`" + strings.ReplaceAll(row[0], "`", "``") + "`"
			show := p.query("SHOW CREATE TABLE " + q + name)[0]
			if row[1] == "VIEW" {
				all[schema+" view "+row[0]] = strings.Join(show[1:], " ")
				continue
			}
			all[schema+" table "+row[0]] = show[1]
			all[schema+" rows "+row[0]] = p.query("CHECKSUM TABLE " + q + name)[0][1]
		}
		for _, row := range p.query("SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '" + schema + "'") {
			all[schema+" "+row[0]+" "+row[1]] = strings.Join(p.query("SHOW CREATE " + row[0] + " " + q + "`" + row[1] + "`")[0], " ")
		}
		for _, row := range p.query("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '" + schema + "'") {
			all[schema+" trigger "+row[0]] = strings.Join(p.query("SHOW CREATE TRIGGER " + q + "`" + row[0] + "`")[0][:6], " ") // without when it was made
		}
		order := p.query("SELECT GROUP_CONCAT(TRIGGER_NAME, ' ', ACTION_ORDER ORDER BY 1) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '" + schema + "'")
		all[schema+" order of triggers"] = order[0][0]
		for _, row := range p.query("SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '" + schema + "'") {
			all[schema+" event "+row[0]] = strings.Join(p.query("SHOW CREATE EVENT " + q + "`" + row[0] + "`")[0], " ")
		}
	}
	for k, v := range all {
		for _, definer := range []string{"`root`@`localhost`", "`ghost`@`%`", "`ghost`@`10.0.%`", `"root"@"localhost"`, "`root`@`127.0.0.1`"} {
			v = strings.ReplaceAll(v, definer, "`migrator`@`%`")
		}
		all[k] = strings.ReplaceAll(v, `"migrator"@"%"`, "`migrator`@`%`")
	}
	return all
}

func write(t *testing.T, data []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "snapshot")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func packed(t *testing.T, data []byte, pack string) []byte {
	t.Helper()
	var b bytes.Buffer
	switch pack {
	case "gzip":
		w := gzip.NewWriter(&b)
		w.Write(data)
		w.Close()
	case "zstd":
		w, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(data)
		w.Close()
	default:
		return data
	}
	return b.Bytes()
}

// A dump restored is the original, but for who owns what.
func TestRestoreGivesTheOriginal(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		before := p.schemas()
		p.shop()
		want := p.contents("shop")
		whole := []string{"--single-transaction", "--routines", "--triggers", "--events"}
		tests := []struct {
			name, pack string
			args       []string
		}{
			{"plain", "", append(whole, "shop")},
			{"gzip", "gzip", append(whole, "shop")},
			{"zstd", "zstd", append(whole, "shop")},
			{"with hex-blob", "", append(whole, "--hex-blob", "shop")},
			{"with databases", "", append(whole, "--databases", "shop")},
			{"with an INSERT a row", "", append(whole, "--skip-extended-insert", "shop")},
			{"with column names", "", append(whole, "--complete-insert", "--insert-ignore", "shop")},
			{"all databases", "gzip", append(whole, "--all-databases")},
			{"without comments", "", append(whole, "--skip-comments", "--databases", "shop")},
			{"compact", "", append(whole, "--compact", "--databases", "shop")},
			{"without options", "", append(whole, "--skip-opt", "--create-options", "--quick", "--databases", "shop")},
		}
		dumps := map[string]string{}
		for _, test := range tests {
			dumps[test.name] = write(t, packed(t, p.dump(test.args...), test.pack))
		}
		p.dropAllBut(before)
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				p.t = t
				b, m := p.mustRestore(dumps[test.name])
				defer p.dropAllBut(before)
				if b.Name() != "shop" {
					t.Errorf("the database is called %s", b.Name())
				}
				if d := cmp.Diff(want, p.contents("shop")); d != "" {
					t.Errorf("(-original +restored):\n%s", d)
				}
				if m.Rows != 3+2+3+2+900+3+2 {
					t.Errorf("%d rows restored, want 915", m.Rows)
				}
			})
		}
	})
}
