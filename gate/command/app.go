package command

import (
	"context"
	"io"
	"log/slog"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/ci"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/progress"
	"golang.org/x/term"
)

// app is what commands share during one run.
type app struct {
	env    Env
	vars   config.Env
	parsed *config.Parsed
	global config.Global
	log    *slog.Logger

	ci            ci.Run
	ciErr         error     // why ci is not to be trusted; told where it is needed
	rawStdout     io.Writer // for commands to the CI system, which env.Stdout disarms
	flush         func()    // what the guards of both streams hold back
	publisher     publisher // nil: nobody is told
	told          *gate.Report
	wrote         map[string]bool // report files of this run, by absolute path
	configChanges []gate.ConfigChange
	from          string            // where paths of the format line begin, relative to the repository's top
	unseen        []gate.Unmeasured // of the change, whatever is run

	progress *progress.Progress // keeps the phases' durations, too

	mu     sync.Mutex
	open   []string // phases under way, innermost last
	struck string   // the first phase to end after its context had
}

func newApp(env Env, vars config.Env, parsed *config.Parsed, g config.Global) *app {
	// Bars need a terminal that moves its cursor and knows its width; a dumb one
	// and one without a size (a pseudo-terminal nobody looks at) get lines.
	width, tty := terminal(env.Stderr)
	p := progress.New(env.Stderr, g.Progress, tty && width > 0 && vars["TERM"] != "dumb", time.Now)
	return &app{wrote: map[string]bool{}, env: env, vars: vars, parsed: parsed, global: g, log: newLogger(p, g), progress: p}
}

// phase marks the beginning of a part of the run; the function it returns
// marks the end. Reports list how long each took, and an interruption or a
// timeout names the innermost one it struck.
func (a *app) phase(ctx context.Context, name string) (end func()) {
	_, end = a.tracked(ctx, name)
	return end
}

// tracked is a phase whose progress can be told.
func (a *app) tracked(ctx context.Context, name string) (t tracker, end func()) {
	t = tracker{a.progress.Phase(name)}
	a.mu.Lock()
	a.open = append(a.open, name)
	a.mu.Unlock()
	return t, sync.OnceFunc(func() {
		t.Done()
		a.mu.Lock()
		defer a.mu.Unlock()
		if i := slices.Index(a.open, name); i >= 0 {
			a.open = slices.Delete(a.open, i, i+1)
		}
		if ctx.Err() != nil && a.struck == "" {
			a.struck = name
		}
	})
}

// struckPhase is the phase that the end of the run's context struck: the
// first to end after it, or where an error left its phases open the innermost.
func (a *app) struckPhase() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.struck == "" && len(a.open) > 0 {
		return a.open[len(a.open)-1]
	}
	return a.struck
}

// tracker tells how far a phase is, in the words of whoever calls.
type tracker struct{ *progress.Phase }

func (t tracker) bytes(done, total int64) {
	t.Total(total, "bytes")
	t.Set(done)
}

// statements counts statements as they begin. Without an observation their
// number is not known beforehand.
func (t tracker) statements(o *gate.Observation) func(migration.Statement) {
	if o != nil {
		total := 0
		for _, m := range o.Migrations {
			total += len(m.Up.Statements)
		}
		t.Total(int64(total), "statements")
	}
	begun := int64(0)
	return func(st migration.Statement) {
		t.Set(begun) // those before it are done
		t.Note(st.SQL)
		begun++
	}
}

// scriptEnv answers with the environment for scripts, and the files beside them,
// that substitute variables, but for what the gate itself and its forge sign in
// with: what a script is made of ends up in reports.
func (a *app) scriptEnv(name string) (string, bool) {
	if ownSecrets.MatchString(name) {
		return "", false
	}
	return a.lookupEnv(name)
}

var ownSecrets = regexp.MustCompile(`^(INPUT_|MIGRATION_GATE_|ACTIONS_|(GITHUB|GH|GITLAB)_TOKEN$|CI_.*(TOKEN|JWT|PASSWORD|REPOSITORY_URL)|` +
	`DOCKER_AUTH_CONFIG$|AWS_(SECRET_ACCESS_KEY|SESSION_TOKEN)$|AZURE_CLIENT_SECRET$|GOOGLE_.*CREDENTIALS$|VAULT_TOKEN$|PGPASSWORD$|MYSQL_PWD$|FLYWAY_PASSWORD$)`)

// lookupEnv answers with the environment as it is.
func (a *app) lookupEnv(name string) (string, bool) {
	v, ok := a.vars[name]
	return v, ok
}

// policy gathers what to judge by from the options and the file.
func (a *app) policy(b config.Budget, r config.Reversing, d config.Downs, f config.Failing) gate.Policy {
	p := gate.Policy{
		MaxExclusive: b.MaxExclusive(), MaxWriteBlock: b.MaxWriteBlock(), Tables: a.parsed.Tables,
		Reversal: gate.Reversal(r.Reversal), DeprecationPrefix: d.DeprecationPrefix,
		FailOn: gate.Severity(f.FailOn), Rules: a.parsed.Rules,
	}
	if f.FailOn == "never" {
		p.FailOn = gate.Off
	}
	return p
}

// terminal returns the width of the terminal behind a stream, and whether
// there is one.
func terminal(stream any) (width int, ok bool) {
	f, isFile := stream.(interface{ Fd() uintptr })
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	return width, true
}

// color reports whether a stream gets ANSI colours: a terminal that is not
// dumb, and NO_COLOR is unset or empty (no-color.org).
func (a *app) color(w io.Writer) bool {
	_, tty := terminal(w)
	return tty && a.vars["NO_COLOR"] == "" && a.vars["TERM"] != "dumb"
}

// unicode reports whether the reader can be expected to see more than ASCII:
// by the locale, and in the logs of CI systems, which set none.
func (a *app) unicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := a.vars.Get(name); v != "" {
			v = strings.ToUpper(v)
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return a.vars.Get("GITHUB_ACTIONS") == "true" || a.vars.Get("GITLAB_CI") == "true" || runtime.GOOS == "windows"
}
