package migration

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// TestFlywaySplits: texts are cut as Flyway cuts them. What it says was written
// by Flyway itself (testdata/toolstest, TestFlywaySplits).
func TestFlywaySplits(t *testing.T) {
	snapshottest.Supported(t, "layouts", "flyway", "same strings as its parser")
	text, err := os.ReadFile(filepath.Join("testdata", "flyway", "splits.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Text, Says string }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if diff := cmp.Diff(s.Says, asFlywaySays(s.Text)); diff != "" {
			t.Errorf("%q: -flyway +ours: %s", s.Text, diff)
		}
	}
	if len(all) < 500 {
		t.Errorf("only %d texts", len(all))
	}
}

func asFlywaySays(text string) string {
	var b strings.Builder
	for _, c := range splitFlyway(text) {
		if c.open {
			return b.String() + "ERR incomplete"
		}
		sql := strings.TrimFunc(text[c.start:c.sqlEnd], func(r rune) bool { return r <= ' ' }) // Java's trim
		mark := "T"
		if c.noBlock {
			mark = "N"
		}
		fmt.Fprintf(&b, "%s%d:%s\n", mark, len(utf16.Encode([]rune(sql))), sql)
	}
	return b.String()
}

func FuzzFlywaySplit(f *testing.F) {
	f.Add("CREATE TABLE t (a int);\n-- x;\nSELECT $$;$$, e'\\'', E'\\'';COPY t FROM stdin;\n1\n\\.\n")
	f.Add("/* /* */ ; BEGIN ATOMIC CASE END; END; ) (; \"a\".\"b;\"")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, c := range splitFlyway(text) {
			if c.start < last || c.sqlEnd < c.start || c.end < c.sqlEnd || c.end > len(text) || c.at < c.start || c.at >= c.sqlEnd {
				t.Fatalf("%+v after %d in %q", c, last, text)
			}
			last = c.end
		}
	})
}

// TestFlywayPositions: what stands behind a placeholder is where the file has
// it, whatever the placeholder stands for.
func TestFlywayPositions(t *testing.T) {
	layout, _ := ByName("flyway")
	text := "\ufeffSELECT 1; CREATE TABLE ${a} (é int); ALTER TABLE ${a} OWNER\n  TO ${a};\r\n${many}\nDROP TABLE x; ${all};\n"
	up, _, err := layout.Parse("m/V1__a.sql", []byte(text), Options{Placeholders: map[string]string{
		"A": "a_long_name", "many": "SELECT\n2;\nSELECT 3;\n", "all": "DROP TABLE y; DROP TABLE z",
	}})
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		Line, Column int
		At, SQL      string
	}
	var got []place
	for _, st := range up.Statements {
		at := text[st.Offset:]
		got = append(got, place{st.Line, st.Column, at[:min(8, len(at))], st.SQL})
	}
	want := []place{
		{1, 1, "SELECT 1", "SELECT 1"},
		{1, 11, "CREATE T", "CREATE TABLE a_long_name (é int)"},
		{1, 38, "ALTER TA", "ALTER TABLE a_long_name OWNER\n  TO a_long_name"},
		{3, 1, "${many}\n", "SELECT\n2"},
		{3, 1, "${many}\n", "SELECT 3"},
		{4, 1, "DROP TAB", "DROP TABLE x"},
		{4, 15, "${all};\n", "DROP TABLE y"},
		{4, 29, ";\n", "DROP TABLE z"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, st := range up.Statements {
		if st.After != "" && !strings.Contains(text, st.SQL) {
			t.Errorf("%q is said to be the file's own lines", st.SQL)
		}
	}
}

// TestFlywayChecksum: the numbers are Flyway 11's own.
func TestFlywayChecksum(t *testing.T) {
	for text, want := range map[string]int32{
		"CREATE TABLE t(a int);\n":                 962658605,
		"\ufeffCREATE TABLE\r\n t(a int);\r\n\r\n": 962658605,
		"CREATE INDEX CONCURRENTLY i ON t(a);\n":   -1847477480,
		"CREATE INDEX CONCURRENTLY i ON t(a);":     -1847477480,
		"CREATE INDEX\rCONCURRENTLY i ON t(a);":    FlywayChecksum([]byte("CREATE INDEXCONCURRENTLY i ON t(a);")),
	} {
		if got := FlywayChecksum([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestConfigFiles(t *testing.T) {
	files := ConfigFiles("./src/main")
	for _, want := range []string{"flyway.conf", "flyway.toml", "conf/flyway.toml", "src/flyway.conf", "src/main/flyway.toml"} {
		found := false
		for _, f := range files {
			found = found || f == want
			if !fs.ValidPath(f) {
				t.Errorf("%q is no path of a file", f)
			}
		}
		if !found {
			t.Errorf("%s is missing in %v", want, files)
		}
	}
}

// TestFlywaySecrets: no message shows what a configuration keeps secret.
func TestFlywaySecrets(t *testing.T) {
	for _, conf := range []struct{ name, text string }{
		{"flyway.conf", "flyway.password=hunter2\nflyway.url=jdbc:postgresql://db/a?password=hunter2\nflyway.mixed=hunter\n"},
		{"flyway.toml", "[environments.default]\npassword = \"hunter2\n"},
		{"flyway.toml", "[flyway]\nmixed = \"x\"\n[environments.default]\npassword = \"hunter2\"\n"},
	} {
		fsys := fstest.MapFS{conf.name: {Data: []byte(conf.text)}, "m/V1__a.sql": {Data: []byte("SELECT '${flyway:user}';")}}
		layout, _ := ByName("flyway")
		_, err := Load(fsys, "m", layout, Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want an error without the password", conf.name, err)
		}
	}
}
