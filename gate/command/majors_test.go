package command

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// On every major a change is measured as on all others: the rewrite, its lock,
// and the way back.
func TestCheckOnEveryMajor(t *testing.T) {
	repo := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(repo, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q", "-b", "main")
	write("migrations/000001_orders.up.sql", "CREATE TABLE orders (id int PRIMARY KEY, total int);\n")
	write("migrations/000001_orders.down.sql", "DROP TABLE orders;\n")
	git("add", "migrations")
	git("commit", "-q", "-m", "orders")
	git("checkout", "-q", "-b", "change")
	write("migrations/000002_widen.up.sql", "ALTER TABLE orders ALTER COLUMN total TYPE bigint;\n")
	write("migrations/000002_widen.down.sql", "ALTER TABLE orders ALTER COLUMN total TYPE int;\n")
	git("add", "migrations")
	git("commit", "-q", "-m", "widen")
	write("snapshot.sql", `CREATE TABLE orders (id int PRIMARY KEY, total int);
INSERT INTO orders SELECT i, i FROM generate_series(1, 5000) i;
CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
INSERT INTO schema_migrations VALUES (1, false);
`)
	for _, major := range []string{"12", "13", "14", "15", "16", "17", "18"} {
		t.Run(major, func(t *testing.T) {
			snapshottest.Supported(t, "majors", major, "change measured")
			var stdout, stderr bytes.Buffer
			home := t.TempDir()
			code := Run(t.Context(), Env{
				Args: []string{"migration-gate", "check", "--base", "main", "--snapshot", "snapshot.sql", "--server-version", major, "--format", "json"},
				Dir:  repo, Stdout: &stdout, Stderr: &stderr,
				Environ: append(os.Environ(), "XDG_STATE_HOME="+home),
			})
			var report gate.Report
			if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
				t.Fatalf("exit code %d, report: %v\n%s", code, err, stderr.String())
			}
			if got := snapshot.Major(report.Observation.Engine.Version); got != major {
				t.Errorf("measured on PostgreSQL %s", got)
			}
			rules := map[string]bool{}
			for _, f := range report.Findings {
				rules[f.Rule] = true
			}
			if code != 1 || !rules["table-rewrite"] || rules["not-measured"] {
				t.Errorf("exit code %d, rules %v; want 1 and table-rewrite", code, rules)
			}
			if !strings.Contains(stdout.String(), "AccessExclusiveLock") && !strings.Contains(stdout.String(), "ACCESS EXCLUSIVE") {
				t.Error("the lock is not in the report")
			}
		})
	}
}
