package migration_test

import (
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// After is set where a statement's lines are its own, so that replacing them by
// what they hold already changes nothing.
func TestAfter(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"alone", "SELECT 1;\n", []string{";"}},
		{"no line feed at the end", "SELECT 1;", []string{";"}},
		{"a comment behind it", "SELECT 1; -- why\nSELECT 2;\n", []string{"; -- why", ";"}},
		{"several lines", "-- first\n\nSELECT\n  1 -- one\n  , 2;\n", []string{";"}},
		{"two on a line", "SELECT 1; SELECT 2;\n", []string{"", ""}},
		{"one begins where another ends", "SELECT\n1; SELECT 2;\n", []string{"", ""}},
		{"a comment that goes on", "SELECT 1; /* and\nmore */\n", []string{""}},
		{"indented", "  SELECT 1;\n", []string{""}},
		{"a comment before it", "/* x */ SELECT 1;\n", []string{""}},
		{"no semicolon", "SELECT 1\n", []string{""}},
		{"semicolon on a line of its own", "SELECT 1\n;\n", []string{""}},
		{"lines end in CRLF", "SELECT 1;\r\nSELECT\r\n2;\r\n", []string{"", ""}},
		{"a byte order mark", "\ufeffSELECT 1;\nSELECT 2;\n", []string{"", ";"}},
	} {
		for _, d := range []migration.Dialect{migration.Postgres, migration.MySQL} {
			if d.IsMySQL() && strings.HasPrefix(c.text, "\ufeff") {
				continue // refused
			}
			sts, err := migration.ParseScriptWith("m.sql", []byte(c.text), migration.Options{Dialect: d})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			check(t, string(d)+" "+c.name, c.text, sts, c.want)
		}
	}
}

// Goose reassembles lines and fills in variables: what is sent is not always
// what the file holds.
func TestAfterInGoose(t *testing.T) {
	layout, ok := migration.ByName("goose")
	if !ok {
		t.Fatal("no goose")
	}
	text := "-- +goose Up\nSELECT 1;\n-- +goose ENVSUB ON\nSELECT '$NAME';\n-- +goose ENVSUB OFF\nSELECT 3; -- three\n-- +goose Down\nSELECT 4;\n"
	up, down, err := layout.Parse("m/00001_x.sql", []byte(text), migration.Options{Getenv: func(string) (string, bool) { return "secret", true }})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "up", text, up.Statements, []string{";", "", "; -- three"})
	check(t, "down", text, down.Statements, []string{";"})
}

func check(t *testing.T, name, text string, sts []migration.Statement, want []string) {
	t.Helper()
	if len(sts) != len(want) {
		t.Fatalf("%s: %d statements", name, len(sts))
	}
	lines := strings.Split(text, "\n")
	for i, st := range sts {
		if st.After != want[i] {
			t.Errorf("%s: statement %d: after %q, want %q", name, i, st.After, want[i])
		}
		if st.After != "" && strings.Join(lines[st.Line-1:st.EndLine], "\n") != st.SQL+st.After {
			t.Errorf("%s: statement %d: its lines are not %q", name, i, st.SQL+st.After)
		}
	}
}
