package toolstest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// TestFlywayScripts: what the gate makes of a project's files leaves the
// database that Flyway leaves, and is refused or fails where Flyway does. An
// archive's first line says which.
func TestFlywayScripts(t *testing.T) {
	cases, err := filepath.Glob(filepath.Join("testdata", "flyway", "*.txtar"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	server := snapshottest.Server(t, "")
	migrate := flywayServer(t, server)
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			b := &bench{t, "flyway", server, nil, t.TempDir()}
			dir := filepath.Join(b.dir, "migrations")
			for _, f := range a.Files {
				full := filepath.Join(b.dir, f.Name)
				b.must(os.MkdirAll(filepath.Dir(full), 0o755))
				b.must(os.WriteFile(full, f.Data, 0o644))
			}
			want, _, _ := strings.Cut(string(a.Comment), "\n")
			tools, gates := b.database(""), b.database("")
			toolSays := migrate(tools, dir)
			layout, _ := migration.ByName("flyway")
			set, refused := migration.Load(os.DirFS(b.dir), "migrations", layout, migration.Options{})
			var gateSays error
			if refused == nil {
				gateSays = b.gateRuns(gates, ups(set.Migrations))
			}
			got := "they differ"
			switch {
			case refused == nil && gateSays == nil && toolSays == nil:
				got = "both succeed"
			case refused != nil && toolSays != nil:
				got = "the gate refuses and flyway fails"
			case gateSays != nil && toolSays != nil:
				got = "both fail"
			}
			if got != want {
				t.Fatalf("%s, want: %s\nflyway: %v\nthe gate refuses: %v\nthe gate fails: %v", got, want, toolSays, refused, gateSays)
			}
			if refused == nil {
				b.same("after "+filepath.Base(name), tools, gates)
			}
		})
	}
}

// flywayServer starts Flyway once for many databases.
func flywayServer(t *testing.T, server *snapshot.Target) (migrate func(database, dir string) error) {
	in, out := flywayProgram(t, server, "serve")
	lines := bufio.NewScanner(out)
	return func(database, dir string) error {
		if _, err := fmt.Fprintf(in, "%s\t%s\n", url(server, database), dir); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() {
			t.Fatalf("Flyway ended: %v", lines.Err())
		}
		if said := lines.Text(); said != "ok" {
			return errors.New(said)
		}
		return nil
	}
}

// flywayProgram starts what answers on its standard output.
func flywayProgram(t *testing.T, server *snapshot.Target, command string) (io.Writer, io.Reader) {
	tool := toolOf(t, "flyway", server).(flyway)
	cmd := exec.CommandContext(t.Context(), "java", "-XX:TieredStopAtLevel=1", "-cp", tool.classpath, "Tool", command)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return in, out
}

// flywaySplit is a text and what Flyway's parser makes of it.
type flywaySplit struct {
	Text string `json:"text"`
	Says string `json:"says"`
}

// TestFlywaySplits: gate/migration's copy of Flyway's parser is tested by what
// its testdata says of texts, and here that is held against Flyway. With
// UPDATE=1 in the environment it is written anew.
func TestFlywaySplits(t *testing.T) {
	ask := flywayParser(t)
	file := filepath.Join("..", "..", "gate", "migration", "testdata", "flyway", "splits.json")
	var all []flywaySplit
	if os.Getenv("UPDATE") == "1" {
		for _, text := range flywayTexts() {
			all = append(all, flywaySplit{text, ask(text)})
		}
		encoded, err := json.MarshalIndent(all, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(encoded, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 500 {
		t.Errorf("only %d texts", len(all))
	}
	for _, s := range all {
		if diff := cmp.Diff(s.Says, ask(s.Text)); diff != "" {
			t.Errorf("%q: -written +flyway: %s", s.Text, diff)
		}
	}
}

// flywayParser starts Flyway's parser, which answers for one text after the
// other.
func flywayParser(t *testing.T) (ask func(text string) string) {
	in, out := flywayProgram(t, nil, "split")
	return func(text string) string {
		if _, err := in.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)); err != nil {
			t.Fatal(err)
		}
		var n uint32
		if err := binary.Read(out, binary.BigEndian, &n); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, n)
		if _, err := io.ReadFull(out, answer); err != nil {
			t.Fatal(err)
		}
		said := string(answer)
		if i := strings.Index(said, "ERR "); i >= 0 && strings.Contains(said[i:], "Incomplete statement") {
			said = said[:i] + "ERR incomplete"
		}
		return said
	}
}

// flywayTexts are texts put together at random, always the same.
func flywayTexts() (texts []string) {
	words := []string{";", ";\n", "\n", "\n\n", "\t", "(", ")", "'", "''", `"`, "$$", "$a$", "$1", "--x\n", "-- c;\n", "/* a;b /* c */ d */", "/**/",
		"BEGIN", "ATOMIC", "CASE", "END", "CREATE", "INDEX", "CONCURRENTLY", "UNIQUE", "VACUUM", "a", "a.b", `a."b"`, `"a"."b".c`, "1", "1.5",
		"E'", "e'", `\'`, `\`, "B'", "U&'", "DROP", "DATABASE", "SELECT", "é", "x1", "_", "@", "AS", "FUNCTION", "REINDEX", "TABLE", "SYSTEM", "ALTER",
		",", "\r\n", "\u00a0", `E'a\'b'`, "'a;b'", "$$;$$", "BEGIN ATOMIC ", " END", "CASE ", "COPY t FROM stdin;\n1\n\\.\n", "COPY (a) FROM STDIN x;\n\\.\n", "DISCARD ALL"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 700 {
		var b strings.Builder
		for range 2 + random.IntN(14) {
			b.WriteString(words[random.IntN(len(words))])
			if random.IntN(2) == 0 {
				b.WriteByte(' ')
			}
		}
		b.WriteString("\n\\.\n") // Flyway looks for the end of data for ever
		texts = append(texts, b.String())
	}
	return texts
}
