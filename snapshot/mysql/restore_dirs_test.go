package mysql_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// mydumper dumps a database into a directory.
func (p *production) mydumper(args ...string) string {
	p.t.Helper()
	program, err := exec.LookPath("mydumper")
	if err != nil {
		snapshottest.Missing(p.t, "restoring mydumper's dumps, for there is no mydumper", "testdata/install.sh mydumper, or your package manager")
	}
	dir := filepath.Join(p.t.TempDir(), "dump")
	args = append(args, "--host", p.target.Host, "--port", fmt.Sprint(p.target.Port), "--user", p.target.User, "--password", p.target.Password, "--outputdir", dir)
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		p.t.Fatalf("mydumper: %v\n%s", err, out)
	} else if len(out) > 0 {
		p.t.Logf("mydumper: %s", out)
	}
	return dir
}

// mydumper 0.10 cannot dump a table with a backtick in its name, nor write down
// under which sql_mode a routine was made, and leaves out columns of MySQL 8
// whose default is an expression: without these everything comes back.
func TestRestoreMydumper(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		before := p.schemas()
		p.shop()
		p.exec("ALTER TABLE shop.customers MODIFY created timestamp NULL")
		p.exec("DROP TABLE shop.`odd ``name' \"x\" ö`; DROP FUNCTION shop.f; CREATE FUNCTION shop.f(a int) RETURNS varchar(50) DETERMINISTIC RETURN concat('a', a, ';')")
		want := p.contents("shop")
		dirs := map[string]string{
			"plain":  p.mydumper("--database", "shop", "--triggers", "--routines", "--events"),
			"gzip":   p.mydumper("--database", "shop", "--triggers", "--routines", "--events", "--compress"),
			"chunks": p.mydumper("--database", "shop", "--triggers", "--routines", "--events", "--rows", "100"),
		}
		p.dropAllBut(before)
		for name, dir := range dirs {
			t.Run(name, func(t *testing.T) {
				p.t = t
				_, m := p.mustRestore(dir)
				defer p.dropAllBut(before)
				got := p.contents("shop")
				for what, def := range got { // what is lost in mydumper's files
					got[what] = strings.NewReplacer(p.query("SELECT @@GLOBAL.sql_mode")[0][0], "", "; \nEND", ";\nEND").Replace(def)
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("(-original +restored):\n%s", d)
				}
				if m.Rows != 3+2+2+900+3+2 {
					t.Errorf("%d rows restored, want 912", m.Rows)
				}
			})
		}
		dir := dirs["gzip"]
		p.t = t
		for _, broken := range []struct {
			name string
			do   func() error
			want string
		}{
			{"a file cut off", func() error { return truncate(filepath.Join(dir, "shop.parts.sql.gz"), 1000) }, "cut off"},
			{"without its end", func() error { return os.Rename(filepath.Join(dir, "metadata"), filepath.Join(dir, "metadata.partial")) }, "cut off"},
		} {
			if err := broken.do(); err != nil {
				t.Fatal(err)
			}
			if _, err := snapshot.Open(t.Context(), dir); err == nil || !strings.Contains(err.Error(), broken.want) {
				t.Errorf("%s: error %v does not say %q", broken.name, err, broken.want)
			}
		}
	})
}

func truncate(path string, n int64) error { return os.Truncate(path, n) }

// shellDump writes a directory as MySQL Shell does, by its manual and its
// reader: MySQL Shell itself is in no package that tests could install.
func (p *production) shellDump(sql []byte, rows map[string][]byte, columns map[string]map[string]any) string {
	p.t.Helper()
	dir := p.t.TempDir()
	put := func(name string, data any) {
		b, ok := data.([]byte)
		if !ok {
			var err error
			if b, err = json.Marshal(data); err != nil {
				p.t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	version := p.query("SELECT VERSION()")[0][0]
	put("@.json", map[string]any{"dumper": "mysqlsh Ver 8.0.36 for Linux on x86_64 - for MySQL 8.0.36 (MySQL Community Server (GPL))", "version": "2.0.1", "origin": "dumpSchemas", "schemas": []string{"shop"},
		"basenames": map[string]string{"shop": "shop"}, "serverVersion": version, "defaultCharacterSet": "utf8mb4", "tzUtc": true})
	put("@.sql", []byte("-- MySQLShell dump 2.0.1\n"))
	put("@.post.sql", []byte("-- MySQLShell dump 2.0.1\n"))
	put("shop.sql", sql)
	var tables []string
	basenames := map[string]string{}
	chunks := map[string]int{}
	for name, data := range rows {
		base := fmt.Sprintf("shop@%s", strings.NewReplacer("%", "%25", " ", "%20").Replace(name))
		tables, basenames[name] = append(tables, name), base
		about := columns[name]
		ddl := about["ddl"]
		delete(about, "ddl")
		put(base+".sql", []byte(ddl.(string)))
		put(base+".json", map[string]any{"includesDdl": true, "includesData": true, "extension": "tsv.zst", "chunking": true, "compression": "zstd",
			"options": map[string]any{"schema": "shop", "table": name, "columns": about["columns"], "decodeColumns": about["decode"], "defaultCharacterSet": "utf8mb4",
				"fieldsTerminatedBy": "\t", "fieldsEnclosedBy": "", "fieldsOptionallyEnclosed": false, "fieldsEscapedBy": "\\", "linesTerminatedBy": "\n"}})
		lines := bytes.SplitAfter(data, []byte("\n"))
		half := len(lines) - 2 // the rest is the last row
		for i, part := range [][]byte{bytes.Join(lines[:half], nil), bytes.Join(lines[half:], nil)} {
			file := fmt.Sprintf("%s@%s%d.tsv.zst", base, strings.Repeat("@", i), i)
			put(file, packed(p.t, part, "zstd"))
			chunks[file] = len(part)
		}
		if triggers, ok := about["triggers"].(string); ok {
			put(base+".triggers.sql", []byte(triggers))
		}
	}
	put("shop.json", map[string]any{"schema": "shop", "includesDdl": true, "includesViewsDdl": true, "includesData": true, "tables": tables, "views": []string{"names"}, "basenames": basenames})
	put("shop@names.pre.sql", []byte("/*!50001 CREATE VIEW `names` AS SELECT 1 AS `id`,1 AS `name`*/;\n"))
	put("shop@names.sql", []byte("/*!50001 DROP VIEW IF EXISTS `names`*/;\n/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`ghost`@`%` SQL SECURITY DEFINER */\n/*!50001 VIEW `names` AS select `t`.`id` AS `id`,`t`.`name` AS `name` from `t` */;\n"))
	put("@.done.json", map[string]any{"end": "2024-01-01 00:00:00", "dataBytes": 1, "chunkFileBytes": chunks})
	return dir
}

func TestRestoreMySQLShell(t *testing.T) {
	onFlavours(t, func(t *testing.T, p *production) {
		if p.mariadb() {
			t.Skip("MySQL Shell dumps MySQL alone")
		}
		const table = "CREATE TABLE IF NOT EXISTS `t` (`id` int NOT NULL AUTO_INCREMENT, `name` varchar(50), `raw` varbinary(20), `at` timestamp NULL, `len` int GENERATED ALWAYS AS (char_length(`name`)) STORED, PRIMARY KEY (`id`), KEY `n` (`name`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n"
		dir := p.shellDump(
			[]byte("-- MySQLShell dump 2.0.1  Distrib Ver 8.0.36\nCREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop` /*!40100 DEFAULT CHARACTER SET latin1 */ /*!80016 DEFAULT ENCRYPTION='N' */;\nUSE `shop`;\nDELIMITER ;;\nCREATE DEFINER=`ghost`@`%` PROCEDURE `p`()\nBEGIN SELECT 1; END ;;\nDELIMITER ;\n"),
			map[string][]byte{
				"t":     []byte("0\tnought\t\\N\t\\N\n1\tZoë 😀\tAP8nIlwKDQ==\t2001-02-03 04:05:06\n2\ttab\\\tnew\\\nline \\\\ back\t\\N\t\\N\n3\t\\N\t\t\\N\n"),
				"a % b": []byte("1\n2\n"),
			},
			map[string]map[string]any{
				"t":     {"ddl": table, "columns": []string{"id", "name", "raw", "at"}, "decode": map[string]string{"raw": "FROM_BASE64"}, "triggers": "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`ghost`@`%`*/ /*!50003 TRIGGER `boom` BEFORE INSERT ON `t` FOR EACH ROW SIGNAL SQLSTATE '45000' */;;\nDELIMITER ;\n"},
				"a % b": {"ddl": "CREATE TABLE IF NOT EXISTS `a % b` (`i %d` int);\n", "columns": []string{"i %d"}},
			})
		before := p.schemas()
		_, m := p.mustRestore(dir)
		defer p.dropAllBut(before)
		if m.Rows != 6 {
			t.Errorf("%d rows, want 6", m.Rows)
		}
		p.exec("SET time_zone = '+00:00'")
		got := p.query("SELECT id, name, HEX(raw), at, len FROM shop.t ORDER BY id")
		want := [][]string{{"0", "nought", "NULL", "NULL", "6"}, {"1", "Zoë 😀", "00FF27225C0A0D", "2001-02-03 04:05:06", "5"}, {"2", "tab\tnew\nline \\ back", "NULL", "NULL", "19"}, {"3", "NULL", "", "NULL", "NULL"}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("rows (-want +got):\n%s", d)
		}
		c := p.contents("shop")
		if c["shop"] != "latin1_swedish_ci" || !strings.Contains(c["shop trigger boom"], "migrator") || !strings.Contains(c["shop PROCEDURE p"], "SELECT 1") || !strings.Contains(c["shop view names"], "`t`.`name`") {
			t.Errorf("contents: %q", c)
		}
		if on := p.query("SELECT @@GLOBAL.local_infile"); on[0][0] != "0" {
			t.Error("local_infile is left on")
		}
		p.dropAllBut(before)

		// A row that does not fit is an error, not a warning.
		bad := filepath.Join(dir, "shop@t@@1.tsv.zst")
		if err := os.WriteFile(bad, packed(t, []byte("x\tname\t\\N\t\\N\n"), "zstd"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.restore(dir, mysql.RestoreOptions{}); err == nil || !strings.Contains(err.Error(), "shop@t@@1.tsv.zst") {
			t.Errorf("error %v does not name the file", err)
		}
		if err := os.Remove(bad); err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Open(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "shop@t@@1.tsv.zst") {
			t.Errorf("error %v does not say what is missing", err)
		}
		if err := os.Remove(filepath.Join(dir, "@.done.json")); err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Open(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("error %v does not say that it was cut off", err)
		}
	})
}
