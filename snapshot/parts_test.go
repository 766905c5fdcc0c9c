package snapshot_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
)

// sqlDump is what pg_dump writes, in short: comments, and what they are about.
func sqlDump(objects ...string) string {
	var b strings.Builder
	b.WriteString("--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 16.4\n-- Dumped by pg_dump version 16.4\n\nSET statement_timeout = 0;\n")
	for _, o := range objects {
		kind, name, _ := strings.Cut(o, " ")
		switch kind {
		case "rows":
			fmt.Fprintf(&b, "--\n-- Data for Name: %s; Type: TABLE DATA; Schema: public; Owner: o\n--\n\nCOPY public.%s (a) FROM stdin;\nCREATE TABLE in a row\n-- Name: x; Type: TABLE; Schema: y\n\\.\n", name, name)
		case "table":
			fmt.Fprintf(&b, "--\n-- Name: %s; Type: TABLE; Schema: public; Owner: o\n--\n\nCREATE TABLE public.%s (a text);\n", name, name)
		case "function":
			fmt.Fprintf(&b, "--\n-- Name: %s(); Type: FUNCTION; Schema: public; Owner: o\n--\n\nCREATE FUNCTION public.%s() RETURNS void LANGUAGE sql AS $$\nINSERT INTO t VALUES ('x');\n$$;\n", name, name)
		case "index":
			fmt.Fprintf(&b, "--\n-- Name: %s; Type: INDEX; Schema: public; Owner: o\n--\n\nCREATE INDEX %s ON public.t (a);\n", name, name)
		case "connect":
			fmt.Fprintf(&b, "\\connect %s\n", name)
		}
	}
	b.WriteString("\n--\n-- PostgreSQL database dump complete\n--\n\n")
	return b.String()
}

const globalsDump = "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE app;\nALTER ROLE app WITH LOGIN;\n\n--\n-- PostgreSQL database cluster dump complete\n--\n\n"

// cluster is what pg_dumpall writes of databases.
func cluster(databases ...string) string {
	s := strings.TrimSuffix(globalsDump, "--\n-- PostgreSQL database cluster dump complete\n--\n\n")
	for _, d := range databases {
		name, objects, _ := strings.Cut(d, ":")
		s += "\\connect " + name + "\n\n"
		if objects == "" {
			s += sqlDump()
		} else {
			s += sqlDump(strings.Split(objects, ",")...)
		}
	}
	return s + "--\n-- PostgreSQL database cluster dump complete\n--\n\n"
}

func directoryOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func shown(s snapshot.Source) string {
	if len(s.Parts) == 0 {
		return s.Format + " " + s.Database
	}
	var parts []string
	for _, p := range s.Parts {
		parts = append(parts, p.Role+" "+filepath.Base(p.Path))
	}
	return strings.Join(parts, ", ")
}

func TestOpenOrdersParts(t *testing.T) {
	schema, rows, whole := sqlDump("table t", "function f", "index i"), sqlDump("rows t"), sqlDump("table t", "rows t")
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"roles, schema and rows", map[string]string{"a-rows.sql": rows, "b-schema.sql": schema, "z.sql": globalsDump}, "globals z.sql, schema b-schema.sql, data a-rows.sql"},
		{"numbers as people write them", map[string]string{"10.sql": rows, "9.sql": rows, "schema.sql": schema}, "schema schema.sql, data 9.sql, data 10.sql"},
		{"sections", map[string]string{"post.sql": sqlDump("index i"), "data.sql": rows, "pre.sql": sqlDump("table t")}, "schema pre.sql, data data.sql, post-data post.sql"},
		{"scripts by hand", map[string]string{"01.sql": "CREATE TABLE t (id int);\nINSERT INTO t VALUES (1);\n", "02.sql": "CREATE TABLE u (id int);\nINSERT INTO u VALUES (1);\n"}, "whole 01.sql, whole 02.sql"},
		{"a schema and seeds by hand", map[string]string{"schema.sql": schema, "a.sql": "INSERT INTO t VALUES (1);\n"}, "schema schema.sql, data a.sql"},
		{"a dump and more by hand", map[string]string{"db.sql": whole, "a.sql": "INSERT INTO t VALUES (1);\n"}, "whole db.sql, data a.sql"},
		{"one dump and what is none", map[string]string{"db.sql": whole, "README.md": "x", "dump.log": "pg_dump: x", ".gitkeep": ""}, "whole db.sql"},
		{"a dump of roles and a cluster's", map[string]string{"db.sql": cluster("template1", "shop:table t,rows t")}, "whole db.sql"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src, err := snapshot.Open(context.Background(), directoryOf(t, test.files))
			if err != nil {
				t.Fatal(err)
			}
			if got := shown(src); got != test.want || src.Format != snapshot.FormatParts || src.Engine == "mysql" {
				t.Errorf("%s: got %s, want %s", src.Format, got, test.want)
			}
			if src.Ignored != nil && strings.Join(src.Ignored, " ") != "README.md dump.log" {
				t.Errorf("ignored %q", src.Ignored)
			}
		})
	}
}

func TestComposeRefuses(t *testing.T) {
	schema, rows, whole := sqlDump("table t"), sqlDump("rows t"), sqlDump("table t", "rows t")
	tests := []struct {
		name          string
		base          map[string]string
		data, globals string
		want          []string
	}{
		{"two whole dumps", map[string]string{"a.sql": whole, "b.sql": whole}, "", "", []string{"several whole dumps: a.sql, b.sql"}},
		{"two databases", map[string]string{"a.sql": sqlDump("connect shop", "table t"), "b.sql": sqlDump("connect stock", "table t")}, "", "", []string{"shop (a.sql)", "stock (b.sql)"}},
		{"rows that are there", map[string]string{"a.sql": whole, "b.sql": rows}, "", "", []string{"a.sql holds rows already", "b.sql"}},
		{"rows alone", map[string]string{"a.sql": rows}, "", "", []string{"holds rows and no tables", "--snapshot-data"}},
		{"roles alone", map[string]string{"a.sql": globalsDump}, "", "", []string{"no database", "--globals"}},
		{"MySQL's beside others", map[string]string{"a.sql": mysqlDump, "b.sql": rows}, "", "", []string{"holds a.sql", "MySQL", "give the one file"}},
		{"MySQL's alone in a directory", map[string]string{"a.sql": mysqlDump}, "", "", []string{"holds a.sql", "MySQL", "give the one file"}},
		{"what nobody knows", map[string]string{"a.sql": whole, "notes.txt": "call Bob"}, "", "", []string{"notes.txt", "no dump that is known"}},
		{"an empty file", map[string]string{"a.sql": whole, "b.sql": ""}, "", "", []string{"b.sql", "is empty"}},
		{"one that was cut off", map[string]string{"a.sql": schema, "b.sql": rows[:len(rows)-60]}, "", "", []string{"b.sql", "cut off"}},
		{"--snapshot-data of a whole dump", map[string]string{"a.sql": schema}, whole, "", []string{"--snapshot-data is not for it, which holds a schema and rows", "--data-only"}},
		{"--snapshot-data to a whole dump", map[string]string{"a.sql": whole}, rows, "", []string{"holds rows already"}},
		{"--snapshot-data of MySQL", map[string]string{"a.sql": schema}, mysqlDump, "", []string{"--snapshot-data is for dumps of PostgreSQL"}},
		{"--globals of a database", map[string]string{"a.sql": whole}, "", whole, []string{"--globals is not for it", "pg_dumpall --globals-only"}},
		{"--globals of a whole cluster", map[string]string{"a.sql": whole}, "", cluster("shop:table t,rows t"), []string{"--globals is not for it, which holds whole databases and roles"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := func(data string) string {
				if data == "" {
					return ""
				}
				return file(t, []byte(data))
			}
			_, err := snapshot.Compose(context.Background(), directoryOf(t, test.base), spec(test.data), spec(test.globals))
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v does not say %q", err, want)
				}
			}
		})
	}
}

// Of a dump of a whole cluster, the one database in it is meant, or the one that
// is named.
func TestOpenOfAWholeCluster(t *testing.T) {
	two := cluster("template1", "shop:table t,rows t", `"My Stock":table u`, "postgres")
	tests := []struct {
		name, data, spec, want string
		refused                string
	}{
		{"one", cluster("template1", "shop:table t,rows t", "postgres"), "", "plain shop", ""},
		{"one, and something in postgres", cluster("template1", "shop:table t", "postgres:table u"), "", "plain shop", ""},
		{"postgres alone", cluster("template1", "postgres:table t"), "", "plain postgres", ""},
		{"several", two, "", "", "databases shop, My Stock; name the one to restore behind the file: #database=shop"},
		{"several, one named", two, "#database=My Stock", "plain My Stock", ""},
		{"several, another named", two, "#database=stock", "", "holds the databases template1, shop, My Stock, postgres, and none called stock"},
		{"a name of pg_dump's way", cluster(`-reuse-previous=on "dbname='we ird\'x'":table t`), "#database=we ird'x", "plain we ird'x", ""},
		{"no cluster", sqlDump("table t"), "#database=shop", "", "no dump of a whole cluster"},
		{"no cluster, and the very name", sqlDump("connect shop", "table t"), "#database=shop", "plain ", ""},
		{"an archive of another", string(customDump(t)), "#database=shop", "", "none called shop"},
		{"nothing but templates", cluster("template1", "postgres"), "", "", "holds the roles of a cluster and no database"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src, err := snapshot.Open(context.Background(), file(t, []byte(test.data))+test.spec)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("error %v does not say %q", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := shown(src); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Roles beside it do not have it.
func TestOpenOfAWholeClusterInADirectory(t *testing.T) {
	dir := directoryOf(t, map[string]string{"globals.sql": globalsDump, "all.sql": cluster("shop:table t,rows t", "stock:table u")})
	src, err := snapshot.Open(context.Background(), dir+"#database=stock")
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(src); got != "globals globals.sql, whole all.sql" || src.Parts[1].Database != "stock" {
		t.Errorf("got %s of %q", got, src.Parts[1].Database)
	}
}

// A digest and a name may stand in either order behind a file whose name has a #.
func TestOpenSpec(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dump#1.sql")
	if err := os.WriteFile(path, []byte(cluster("a:table t", "b:table t")), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := snapshot.Open(context.Background(), path+"#database=b")
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range []string{"#sha256=" + src.SHA256 + "#database=b", "#database=b#sha256=" + src.SHA256} {
		if src, err = snapshot.Open(context.Background(), path+spec); err != nil || src.Database != "b" || src.Path != path {
			t.Errorf("%s: %+v, %v", spec, src, err)
		}
		if engine, err := snapshot.EngineOf(path + spec); engine != "postgres" || err != nil {
			t.Errorf("%s: engine %q, %v", spec, engine, err)
		}
	}
}
