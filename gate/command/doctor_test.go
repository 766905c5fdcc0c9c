package command

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/snapshot"
)

// TestDoctorIsReadAtAGlance: one line a thing, in columns, its remedy beneath,
// and nothing that a terminal would obey.
func TestDoctorIsReadAtAGlance(t *testing.T) {
	d := diagnosis{
		Engine: "postgres", Usable: true, Targets: []string{"local"}, Tool: versions{Version: "v1.2.3", Platform: "linux/amd64"},
		Found: []symptom{
			{Area: "target", Name: "container", Status: statusMissing, Detail: "no engine answers", Remedy: "start one"},
			{Area: "target", Name: "local", Status: statusOK, Detail: "15.18", Allows: "PostgreSQL 15"},
			{Area: "run", Name: "leftovers", Status: statusWarn, Detail: "a\x1b[2Jb"},
		},
	}
	for locale, want := range map[string]string{
		"C": `migration-gate v1.2.3, linux/amd64

servers
  missing  container  no engine answers
                      -> start one
  ok       local      15.18: PostgreSQL 15

this run
  warn     leftovers  a\x1b[2Jb

a check of PostgreSQL can run here, on a server of kind local
`,
		"C.UTF-8": `migration-gate v1.2.3, linux/amd64

servers
  ✗  container  no engine answers
                → start one
  ✓  local      15.18: PostgreSQL 15

this run
  !  leftovers  a\x1b[2Jb

a check of PostgreSQL can run here, on a server of kind local
`,
	} {
		var out bytes.Buffer
		a := newApp(Env{Stdout: &out, Stderr: &out}, config.NewEnv([]string{"LANG=" + locale}), &config.Parsed{}, config.Global{Progress: "none"})
		if err := a.printDiagnosis(d); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%s: %s", locale, diff)
		}
	}
}

// A clock that stands still most of the time is no fine one.
func TestResolutionIsTheLeastStep(t *testing.T) {
	n := 0
	coarse := func() time.Time {
		n++
		return time.Unix(0, int64(n/3)*int64(time.Millisecond))
	}
	if got := resolutionOf(coarse); got != time.Millisecond {
		t.Errorf("got %s", got)
	}
	if got := resolutionOf(time.Now); got <= 0 || got > time.Millisecond {
		t.Errorf("this machine's: %s", got)
	}
}

// An examination that is interrupted says so, and nothing of a machine.
func TestDoctorIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	a := newApp(Env{Stdout: &out, Stderr: &out, Dir: t.TempDir()}, config.NewEnv(nil), &config.Parsed{}, config.Global{Progress: "none"})
	c := &doctorCmd{Migrations: config.Migrations{Engine: "postgres", Dir: "migrations", Layout: "auto"}}
	if _, err := c.Run(ctx, a); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("%v\n%s", err, &out)
	}
}

// Whatever is not there, or not as it should be, has its remedy.
func TestDoctorHasARemedyForEachFinding(t *testing.T) {
	var out bytes.Buffer
	for _, engine := range []string{snapshot.Postgres, snapshot.MySQL, snapshot.MariaDB} {
		a := newApp(Env{Stdout: &out, Stderr: &out, Dir: t.TempDir()}, config.NewEnv([]string{"PATH=" + t.TempDir()}), &config.Parsed{}, config.Global{Progress: "none"})
		c := &doctorCmd{Migrations: config.Migrations{Engine: engine, Dir: "migrations", Layout: "auto"}, Server: config.Server{Target: "auto", Production: config.Production{ServerVersion: "96"}}}
		found := a.diagnose(t.Context(), c).Found
		seen := map[string]bool{}
		for _, s := range found {
			if name := s.Area + " " + s.Name; seen[name] {
				t.Errorf("%s: two findings are called %s", engine, name)
			} else {
				seen[name] = true
			}
		}
		x := &examination{app: a, cmd: c, fleet: a.fleet(c.Server, "")}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		found = append(found, x.container(gone)...) // as without an engine
		absent := 0
		for _, s := range found {
			if s.Remedy == "" && (s.Status == statusMissing || s.Status == statusWarn || s.Area == "program" && s.Status != statusOK || s.Area == "target" && s.Facts["usable"] == false) {
				t.Errorf("%s: no remedy: %+v", engine, s)
			}
			if s.Remedy != "" {
				absent++
			}
		}
		if absent < len(clientPrograms) {
			t.Errorf("%s: only %d remedies", engine, absent)
		}
	}
	for text, want := range map[string][2]string{
		"/x is not in a git working tree: run migration-gate in your repository": {"/x is not in a git working tree", "run migration-gate in your repository"},
		"directory a does not exist in /r: pass --dir b (2 files)":               {"directory a does not exist in /r", "pass --dir b (2 files)"},
		"two layouts: a and b; say which with --layout c":                        {"two layouts: a and b", "say which with --layout c"},
		"no such thing": {"no such thing", "migration-gate detect --explain says what was looked at"},
	} {
		if detail, remedy := advice(errors.New(text)); detail != want[0] || remedy != want[1] {
			t.Errorf("%q: %q, %q", text, detail, remedy)
		}
	}
}
