package toolstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// parsed is what a tool's own parser makes of a text (testdata/tools/parse.go).
type parsed struct {
	Up              []string `json:"up"`
	Down            []string `json:"down"`
	UpTransaction   bool     `json:"up_transaction"`
	DownTransaction bool     `json:"down_transaction"`
	Error           string   `json:"error"`
}

// TestParsers holds the reading of files against the tools' own parsers: the
// strings that are sent, their order, whether in a transaction, and what is
// refused. The texts are what the layouts' tests have, with lines of theirs
// lost, doubled, swapped, and annotations put in between.
func TestParsers(t *testing.T) {
	bin, err := goTools()
	if err != nil {
		t.Fatalf("build testdata/tools: %v", err)
	}
	for _, tt := range []struct {
		layout string
		lines  []string
	}{
		{"dbmate", []string{
			"-- migrate:up", "-- migrate:down", "--migrate:up", "--  migrate:down", "-- migrate:up transaction:false", "-- migrate:down transaction:false",
			"-- migrate:up transaction:true", "-- migrate:up transaction: false", "-- migrate:up foo:bar transaction:false\t", " -- migrate:up", "-- migrate:upx",
			"-- migrate:down transaction:false transaction:true", "--", "migrate:up", "-- migrate:down\t", "-- a comment", "/* a block */", "",
		}},
		{"sql-migrate", []string{
			"-- +migrate Up", "-- +migrate Down", "-- +migrate Up notransaction", "-- +migrate Down notransaction", "-- +migrate StatementBegin", "-- +migrate StatementEnd",
			"--+migrate Up", "-- +migrate up", "-- +migrate ", "-- +migrate", "-- +other", " -- +migrate Down", "-- a comment;", "--a comment;", "/* a block; */", "", "x", "; -- y",
			"SELECT 1", "SELECT ';' ;", "SELECT 'a --;", "';", "SELECT 1; SELECT 2;", "\t",
		}},
	} {
		t.Run(tt.layout, func(t *testing.T) {
			snapshottest.Supported(t, "layouts", tt.layout, "same strings as its parser")
			layout, _ := migration.ByName(tt.layout)
			texts := variants(t, tt.lines)
			agreed, refused := 0, 0
			for i, want := range parse(t, bin, tt.layout, texts) {
				got := ours(layout, texts[i])
				if got.Error != "" && (want.Error != "" || ownReason(got.Error)) {
					refused++
					continue
				}
				want.Up, want.Down = statements(want.Up), statements(want.Down)
				if want.Error != "" {
					want.Up, want.Down, want.UpTransaction, want.DownTransaction = nil, nil, false, false
					got.Error = "none, and " + fmt.Sprint(got)
				}
				if len(want.Down) == 0 && len(got.Down) == 0 {
					got.DownTransaction = want.DownTransaction // sql-migrate's parser does not tell one that is missing
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("text %d:\n%s\n-the tool +ours:\n%s", i, texts[i], diff)
				}
				agreed++
			}
			t.Logf("%d texts read alike, %d refused", agreed, refused)
			if agreed < 300 || refused < 100 {
				t.Errorf("the texts are one-sided")
			}
		})
	}
}

// ownReason tells refusals that are this program's own: of texts that the
// server would refuse, or that the tool sends to no good.
func ownReason(message string) bool {
	return slices.ContainsFunc([]string{
		"never closed", "is a variable of psql", "is a command of psql", "COPY", "byte order mark", "a second -- migrate:up", `\. ends`, "UTF-8",
	}, func(s string) bool { return strings.Contains(message, s) })
}

func parse(t *testing.T, bin, tool string, texts []string) (all []parsed) {
	t.Helper()
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, tool, "parse")
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// statements are those of the strings that a tool sends, each under its
// string's number.
func statements(sent []string) (all []string) {
	for i, text := range sent {
		sts, err := migration.ParseScript("sent.sql", []byte(text))
		if err != nil {
			return []string{err.Error()}
		}
		for _, st := range sts {
			all = append(all, fmt.Sprintf("%d %s", i, st.SQL))
		}
	}
	return all
}

func ours(layout migration.Layout, text string) (p parsed) {
	up, down, err := layout.Parse("1_a.sql", []byte(text), migration.Options{})
	if err != nil {
		return parsed{Error: err.Error()}
	}
	list := func(s *migration.Script) (all []string) {
		for _, st := range s.Statements {
			all = append(all, fmt.Sprintf("%d %s", st.Batch, st.SQL))
			if first, _, _ := strings.Cut(st.SQL, "\n"); !strings.HasPrefix(text[st.Offset:], strings.TrimRight(first, "\r")) {
				p.Error = fmt.Sprintf("%q is not at %d", st.SQL, st.Offset)
			}
		}
		return all
	}
	p.Up, p.UpTransaction = list(up), up.Wrapped
	if down != nil {
		p.Down, p.DownTransaction = list(down), down.Wrapped
	}
	return p
}

// variants makes texts of the layouts' test files and of the lines given.
func variants(t *testing.T, lines []string) (texts []string) {
	t.Helper()
	archives, err := filepath.Glob("../../gate/migration/testdata/layouts/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if strings.HasSuffix(f.Name, ".sql") {
				texts = append(texts, string(f.Data))
			}
		}
	}
	seeds := len(texts)
	r := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		var text []string
		if r.IntN(2) == 0 {
			text = strings.SplitAfter(texts[r.IntN(seeds)], "\n")
		} else { // a sound file of this tool's
			text = []string{lines[0] + "\n", "CREATE TABLE a (\n", "  i int);\n", "SELECT $$\n", "$$;\n", lines[1] + "\n", "DROP TABLE a;\n"}
		}
		for range r.IntN(5) {
			i := r.IntN(len(text))
			switch r.IntN(4) {
			case 0:
				text = slices.Delete(text, i, i+1)
			case 1:
				j := r.IntN(len(text))
				text[i], text[j] = text[j], text[i]
			default:
				text = slices.Insert(text, i, lines[r.IntN(len(lines))]+"\n")
			}
			if len(text) == 0 {
				text = []string{"\n"}
			}
		}
		whole := strings.Join(text, "")
		switch r.IntN(10) {
		case 0:
			whole = strings.ReplaceAll(whole, "\n", "\r\n")
		case 1:
			whole = strings.TrimSuffix(whole, "\n")
		case 2:
			whole = "\ufeff" + whole
		}
		texts = append(texts, whole)
	}
	return texts
}
