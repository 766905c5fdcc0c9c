package command

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/snapshot"
)

// Status of one thing that doctor looked at.
type status string

const (
	statusOK      status = "ok"
	statusInfo    status = "info"    // neither good nor bad
	statusWarn    status = "warn"    // it works, with a drawback
	statusMissing status = "missing" // what it serves cannot be had
)

// symptom is one thing found, or not found, and what to do about it.
type symptom struct {
	Area   string `json:"area"` // "target", "program", "machine", …
	Name   string `json:"name"`
	Status status `json:"status"`
	Detail string `json:"detail"`
	// Allows is what can be done with it, or not without.
	Allows string         `json:"allows,omitempty"`
	Remedy string         `json:"remedy,omitempty"`
	Facts  map[string]any `json:"facts,omitempty"`
}

// diagnosis is all of doctor's answer; docs/local.md documents it.
type diagnosis struct {
	SchemaVersion string    `json:"schema_version"`
	Tool          versions  `json:"tool"`
	Usable        bool      `json:"usable"`
	Engine        string    `json:"engine"`
	Targets       []string  `json:"targets"` // those that a check of the engine could use, in the order of trying
	Found         []symptom `json:"found"`
	Remedy        string    `json:"remedy,omitempty"` // where nothing is usable
}

// doctorVersion of the JSON.
const doctorVersion = "1"

// Run looks at everything a check depends on, changes nothing, and answers with
// exit code 2 where no check could run here.
func (c *doctorCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	if err := a.settleEngine(&c.Migrations, c.Server, config.Snapshot{}); err != nil {
		return gate.Error, err
	}
	d := a.diagnose(ctx, c)
	if err := ctx.Err(); err != nil {
		return gate.Error, err
	}
	var err error
	if c.JSON {
		enc := json.NewEncoder(a.stdoutFor("json"))
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err = enc.Encode(d)
	} else {
		err = a.printDiagnosis(d)
	}
	if err != nil {
		return gate.Error, fmt.Errorf("write what was found: %w", err)
	}
	if !d.Usable {
		return gate.Error, &usageError{"no check of " + gate.Engine{Name: d.Engine}.Product() + " can run here", d.Remedy}
	}
	return gate.Pass, nil
}

// diagnose asks everything at once: most of it is other programs' answers.
func (a *app) diagnose(ctx context.Context, c *doctorCmd) diagnosis {
	x := &examination{app: a, cmd: c, fleet: a.fleet(c.Server, c.WorkDir)}
	looks := []func(context.Context) []symptom{
		x.server, x.container, x.local, x.embedded, x.git, x.migrations, x.clients, x.ground, x.user, x.ci, x.leftovers,
	}
	found := make([][]symptom, len(looks))
	var wait sync.WaitGroup
	for i, look := range looks {
		wait.Go(func() { found[i] = look(ctx) })
	}
	wait.Wait()
	// Nothing else may run meanwhile, or the clock would be measured with it.
	clock := x.clock(ctx)
	d := diagnosis{SchemaVersion: doctorVersion, Tool: buildVersions(), Engine: c.Engine, Targets: []string{}}
	d.Found = append(slices.Concat(found...), clock...)
	slices.SortStableFunc(d.Found, func(a, b symptom) int {
		return cmp.Compare(slices.Index(areas, a.Area), slices.Index(areas, b.Area))
	})
	git := true
	for _, s := range d.Found {
		if s.Area == "target" && s.Facts["usable"] == true {
			d.Targets = append(d.Targets, s.Name)
		}
		git = git && (s.Name != "git" || s.Status != statusMissing)
	}
	switch d.Usable = git && len(d.Targets) > 0; {
	case !git:
		d.Remedy = "install git"
	case !d.Usable:
		d.Remedy = x.remedy()
	}
	return d
}

// areas in the order in which they are shown, and their headings.
var areas = []string{"target", "program", "repository", "machine", "run"}

// remedy is the shortest way to a server.
func (x *examination) remedy() string {
	if x.cmd.DatabaseURL != "" {
		return "see what is said of the server"
	}
	product := gate.Engine{Name: x.cmd.Engine}.Product()
	if x.cmd.Engine == snapshot.Postgres && !x.cmd.Online {
		return "start a Docker engine, install " + product + "'s server, or let one be downloaded (doctor --online asks whether that is possible)"
	}
	return "start a Docker engine, or install " + product + "'s server, or name a running one with --database-url"
}

// marks of the text, by status; without Unicode words say it.
var marks = map[status][2]string{
	statusOK: {"✓", "ok"}, statusInfo: {"·", "-"}, statusWarn: {"!", "warn"}, statusMissing: {"✗", "missing"},
}

// printDiagnosis writes it for people: one line a thing, by areas, and beneath
// it what to do.
func (a *app) printDiagnosis(d diagnosis) error {
	var b strings.Builder
	color := func(s status, text string) string {
		codes := map[status]string{statusOK: "32", statusWarn: "33", statusMissing: "31"}
		if code := codes[s]; code != "" && a.color(a.env.Stdout) {
			return "\x1b[" + code + "m" + text + "\x1b[0m"
		}
		return text
	}
	kind, wide := 1, 7
	if a.unicode() {
		kind, wide = 0, 1
	}
	name := 0
	for _, s := range d.Found {
		name = max(name, len(s.Name))
	}
	fmt.Fprintf(&b, "migration-gate %s, %s\n", d.Tool.Version, d.Tool.Platform)
	area := ""
	for _, s := range d.Found {
		if s.Area != area {
			area = s.Area
			fmt.Fprintf(&b, "\n%s\n", headings[area])
		}
		mark := marks[s.Status][kind]
		text := s.Detail
		if s.Allows != "" {
			text += ": " + s.Allows
		}
		indent := strings.Repeat(" ", wide+name+6)
		fmt.Fprintf(&b, "  %s  %-*s  %s\n", color(s.Status, pad(mark, wide)), name, s.Name, gate.Printable(text))
		if s.Remedy != "" {
			fmt.Fprintf(&b, "%s%s\n", indent, gate.Printable("→ "+s.Remedy))
		}
	}
	switch product := (gate.Engine{Name: d.Engine}).Product(); {
	case d.Usable:
		fmt.Fprintf(&b, "\na check of %s can run here, on a server of kind %s\n", product, strings.Join(d.Targets, ", else "))
	default:
		fmt.Fprintf(&b, "\nno check of %s can run here: %s\n", product, d.Remedy)
	}
	text := b.String()
	if kind == 1 {
		text = strings.NewReplacer("→", "->", "…", "...").Replace(text)
	}
	_, err := fmt.Fprint(a.env.Stdout, text)
	return err
}

var headings = map[string]string{
	"target": "servers", "program": "programs", "repository": "repository", "machine": "machine", "run": "this run",
}

func pad(s string, width int) string { return s + strings.Repeat(" ", max(0, width-len([]rune(s)))) }

// known is what is put where nothing is known.
func known(s string) string { return cmp.Or(s, "unknown") }
