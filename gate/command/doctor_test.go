package command

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/migration-gate/migration-gate/gate/config"
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
