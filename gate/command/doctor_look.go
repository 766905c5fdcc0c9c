package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/changeset"
	"github.com/migration-gate/migration-gate/gate/ci"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/container"
	"github.com/migration-gate/migration-gate/snapshot/local"
)

// examination looks at one thing after the other.
type examination struct {
	*app
	cmd   *doctorCmd
	fleet fleet
}

// wanted says whether --target lets a kind of server be used at all.
func (x *examination) wanted(kind string) bool {
	k := kindOf(x.cmd.Server)
	return k == kind || k == "auto" && kind != "server"
}

// provisioner finds that of a kind, as what it is.
func provisioner[P snapshot.Provisioner](f fleet) (p P) {
	for _, each := range f {
		if is, ok := each.(P); ok {
			return is
		}
	}
	return p
}

func (x *examination) spec() snapshot.Spec {
	return snapshot.Spec{Engine: x.cmd.Engine, Version: snapshot.Series(x.cmd.Engine, x.cmd.ServerVersion), Image: x.cmd.Image}
}

// offered makes a symptom of a provisioner's own answer.
func (x *examination) offered(ctx context.Context, kind string) (symptom, snapshot.Offer) {
	s := symptom{Area: "target", Name: kind, Status: statusMissing}
	p, err := x.fleet.maker(snapshot.Handle{Kind: kind})
	if err != nil {
		s.Detail = err.Error()
		return s, snapshot.Offer{}
	}
	o := p.Offer(ctx, x.spec())
	s.Detail, s.Remedy = o.Detail, o.Help
	s.Facts = map[string]any{"usable": o.OK && x.wanted(kind), "version": o.Version}
	switch {
	case o.OK && o.Exact:
		s.Status, s.Remedy = statusOK, ""
	case o.OK:
		s.Status, s.Remedy = statusWarn, "have the version that production runs"
	case s.Remedy == "" && kind == "local":
		s.Remedy = "the server programs of that version, or another kind of server (--target); a directory that the server's account may enter is named with --work-dir"
	case s.Remedy == "" && kind == "server":
		s.Remedy = "let it answer at that address, and let that account in"
	case s.Remedy == "":
		s.Remedy = "take another kind of server (--target container or local)"
	}
	return s, o
}

// server asks a running one, where it is named.
func (x *examination) server(ctx context.Context) []symptom {
	if x.cmd.DatabaseURL == "" {
		return nil
	}
	s, o := x.offered(ctx, "server")
	for _, l := range o.Lacks {
		if s.Status == statusOK {
			s.Status = statusWarn
		}
		s.Detail += "; " + l.What + " cannot be had, since " + l.Why
		s.Remedy = l.Remedy
	}
	return []symptom{s}
}

// container asks the engine, and no registry.
func (x *examination) container(ctx context.Context) []symptom {
	s := symptom{Area: "target", Name: "container", Status: statusMissing, Facts: map[string]any{"usable": false}}
	e, err := container.Look(ctx)
	if err != nil {
		s.Detail = oneLine(err.Error())
		s.Allows = "no images of production's own version"
		s.Remedy = "start a Docker engine, or set DOCKER_HOST; the user must be allowed to use its socket"
		if x.others(ctx) {
			s.Status = statusInfo
		}
		return []symptom{s}
	}
	s.Status = statusOK
	s.Detail = fmt.Sprintf("%s %s (API %s, %s) on %s", known(e.Name), e.Version, e.API, e.Platform, e.Address)
	s.Allows = "servers of any version, whose images it pulls"
	if len(e.Images) > 0 {
		s.Allows += "; already there: " + strings.Join(e.Images, ", ")
	}
	s.Facts = map[string]any{"usable": x.wanted("container"), "engine": e}
	return []symptom{s}
}

// others reports whether there is a server without a container.
func (x *examination) others(ctx context.Context) bool {
	return provisioner[*local.Provisioner](x.fleet).Offer(ctx, x.spec()).OK
}

// serverProgram is what an engine's server is called, which tells it from its client.
var serverProgram = map[string]string{snapshot.Postgres: "postgres", snapshot.MySQL: "mysqld", snapshot.MariaDB: "mariadbd"}

// local lists the server binaries of every product.
func (x *examination) local(ctx context.Context) []symptom {
	s, _ := x.offered(ctx, "local")
	if s.Status == statusMissing && s.Remedy != "" {
		s.Remedy = "install " + s.Remedy
	}
	all := map[string][]local.Binaries{}
	var more []string
	var others []symptom
	p := provisioner[*local.Provisioner](x.fleet)
	for _, engine := range []string{snapshot.Postgres, snapshot.MySQL, snapshot.MariaDB} {
		found, broken, err := p.Found(ctx, engine)
		if err != nil {
			continue
		}
		all[engine] = append([]local.Binaries{}, found...)
		if o := p.Offer(ctx, snapshot.Spec{Engine: engine}); engine != x.cmd.Engine && !o.OK && o.Help != "" {
			others = append(others, symptom{
				Area: "program", Name: serverProgram[engine], Status: statusInfo, Detail: o.Detail, Remedy: "where checks of it are wanted without a container, install " + o.Help,
			})
		}
		for _, b := range found {
			more = append(more, gate.Engine{Name: engine}.Product()+" "+b.Version)
		}
		for _, b := range broken {
			more = append(more, "one that does not start: "+b)
		}
	}
	if len(more) > 1 || s.Status == statusMissing && len(more) > 0 {
		s.Allows = "here are " + strings.Join(more, ", ")
	}
	if s.Facts == nil {
		s.Facts = map[string]any{"usable": false}
	}
	s.Facts["found"] = all
	return append(others, s)
}

// embedded is usable without proof only where nothing has to be fetched.
func (x *examination) embedded(ctx context.Context) []symptom {
	s, o := x.offered(ctx, "embedded")
	p := provisioner[*local.Embedded](x.fleet)
	cached := p.Cached()
	s.Facts["cached"] = append([]string{}, cached...)
	if !o.OK {
		s.Status = statusInfo // PostgreSQL's alone
		if o.Help != "" {
			s.Remedy = "install " + o.Help
		}
		return []symptom{s}
	}
	if len(cached) > 0 {
		s.Allows = "kept here: " + strings.Join(cached, ", ")
	}
	there := slices.Contains(cached, o.Version)
	switch {
	case x.cmd.Online:
		if err := p.Reachable(ctx); err == nil {
			s.Detail += "; " + p.Repository() + " answers"
			break
		} else if s.Facts["reachable"] = false; there {
			s.Detail += "; others cannot be fetched, " + oneLine(err.Error())
		} else {
			s.Status, s.Facts["usable"] = statusMissing, false
			s.Detail, s.Remedy = s.Detail+", which is not possible: "+oneLine(err.Error()), "allow that connection (HTTPS_PROXY is heeded), or name a mirror with --embedded-url"
		}
	case !there:
		s.Status, s.Facts["usable"] = statusInfo, false
		s.Remedy = "--online asks whether that is possible"
	}
	return []symptom{s}
}

// git is what no run does without.
func (x *examination) git(ctx context.Context) []symptom {
	s := symptom{Area: "program", Name: "git", Status: statusOK}
	version, err := changeset.GitVersion(ctx)
	if err != nil {
		s.Status, s.Detail, s.Allows, s.Remedy = statusMissing, oneLine(err.Error()), "what a change is cannot be told", "install git"
		return []symptom{s}
	}
	s.Detail, s.Facts = version, map[string]any{"version": version}
	return []symptom{s}
}

// migrations is the repository around the run, and what it holds.
func (x *examination) migrations(ctx context.Context) []symptom {
	s := symptom{Area: "repository", Name: "repository", Status: statusOK}
	r, err := changeset.LookAt(ctx, x.env.Dir)
	if err != nil {
		s.Status = statusWarn
		s.Detail, s.Remedy = advice(err)
		return []symptom{s}
	}
	s.Detail, s.Facts = r.Top, map[string]any{"repository": r}
	if r.Shallow {
		s.Status, s.Detail = statusWarn, s.Detail+", a shallow clone"
		s.Allows, s.Remedy = "a base that it lacks has to be fetched", "git fetch --unshallow, or fetch-depth: 0 for the checkout"
	}
	m := symptom{Area: "repository", Name: "migrations", Status: statusOK}
	opt := x.changesetOptions(x.cmd.Migrations)
	opt.Offline, opt.KeepGoing = true, true
	change, err := changeset.Detect(ctx, opt)
	if err != nil {
		m.Status = statusWarn
		m.Detail, m.Remedy = advice(err)
		return []symptom{s, m}
	}
	m.Detail = fmt.Sprintf("%d merged and %d of this change in %s", len(change.Merged), len(change.Added), change.Dir)
	if change.Layout != "" {
		m.Detail += ", " + change.Layout + " (" + change.LayoutReason + ")"
	}
	m.Allows = "compared with " + short(change.Base) + ", " + change.BaseReason
	m.Facts = map[string]any{"dir": change.Dir, "layout": change.Layout, "merged": len(change.Merged), "added": len(change.Added), "base": change.Base}
	return []symptom{s, m}
}

// advice takes an error of a change's apart into what is wrong and the next step,
// which stands at its end.
func advice(err error) (detail, remedy string) {
	text := oneLine(err.Error())
	for _, before := range []string{"; ", ": pass ", ": run "} {
		if i := strings.LastIndex(text, before); i > 0 {
			return text[:i], strings.TrimLeft(text[i:], ";: ")
		}
	}
	return text, "migration-gate detect --explain says what was looked at"
}

// clientPrograms restore what a server cannot by itself.
var clientPrograms = []struct {
	name, engine, serves, from string
}{
	{"pg_restore", snapshot.Postgres, "dumps in pg_dump's custom, directory and tar formats", postgresClient},
	{"psql", snapshot.Postgres, "plain dumps (which are read without it, too)", postgresClient},
	{"pg_dump", snapshot.Postgres, "making snapshots", postgresClient},
	{"mysql", snapshot.MySQL, "", mysqlClient},
	{"mysqldump", snapshot.MySQL, "making snapshots", mysqlClient},
	{"mariadb-dump", snapshot.MariaDB, "making snapshots", "mariadb-client (Debian, Ubuntu), mariadb (Red Hat, Homebrew)"},
	{"mydumper", snapshot.MySQL, "making snapshots of large databases", "mydumper (Debian, Ubuntu, Homebrew)"},
}

// Packages that programs come in.
const (
	postgresClient = "postgresql-client (Debian, Ubuntu), postgresql (Red Hat) or libpq (Homebrew)"
	mysqlClient    = "mysql-client (Ubuntu, Homebrew), default-mysql-client (Debian) or mysql (Red Hat)"
)

var versionShape = regexp.MustCompile(`\d+(\.\d+)+[\w.-]*|\d+(beta|rc)\d+`)

// clients are the programs on the path, each asked for its version.
func (x *examination) clients(ctx context.Context) []symptom {
	out := make([]symptom, len(clientPrograms))
	var wait sync.WaitGroup
	for i, p := range clientPrograms {
		wait.Go(func() {
			s := symptom{Area: "program", Name: p.name, Status: statusOK, Allows: p.serves}
			out[i] = s
			path := x.onPath(p.name)
			if path == "" {
				s.Status, s.Detail, s.Remedy = statusInfo, "not on PATH", "where that is wanted here, install "+p.from
				if p.name == "pg_restore" && x.cmd.Engine == snapshot.Postgres {
					s.Remedy = "install " + p.from + "; without it a dump is restored over one connection, which takes longer"
					s.Status = statusWarn
				}
				out[i] = s
				return
			}
			s.Detail = known(programVersion(ctx, path)) + " in " + filepath.Dir(path)
			s.Facts = map[string]any{"path": path, "version": programVersion(ctx, path)}
			out[i] = s
		})
	}
	wait.Wait()
	return out
}

// onPath finds a program, in absolute directories only: others may be the
// repository's.
func (x *examination) onPath(name string) string {
	for _, dir := range filepath.SplitList(x.vars.Get("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

func programVersion(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"} // pg_wrapper is a script
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return string(versionShape.Find(bytes.TrimSpace(out)))
}

// user is whom this process and its servers run as.
func (x *examination) user(context.Context) []symptom {
	s := symptom{Area: "run", Name: "user", Status: statusOK, Detail: fmt.Sprintf("uid %d", os.Geteuid()), Facts: map[string]any{"uid": os.Geteuid()}}
	if u, err := osuser.Current(); err == nil {
		s.Detail = u.Username
	}
	if as := local.RunsAs(x.cmd.Engine); as != "" {
		s.Detail += ", and servers as " + as
		s.Facts["servers_as"] = as
	}
	return []symptom{s}
}

// ci is the system that runs this, if one does.
func (x *examination) ci(context.Context) []symptom {
	s := symptom{Area: "run", Name: "CI", Status: statusInfo, Detail: "none"}
	switch {
	case x.ciErr != nil:
		s.Status, s.Detail, s.Remedy = statusWarn, oneLine(x.ciErr.Error()), "give the run the variables and the event's file as the CI system sets them"
	case x.app.ci.Provider != ci.None:
		r := x.app.ci
		s.Status, s.Detail = statusOK, fmt.Sprintf("%s, event %s", r.Provider, known(r.Event))
		s.Facts = map[string]any{"provider": r.Provider, "event": r.Event, "act": r.Act}
		if why, restricted := r.Restricted(); restricted {
			s.Allows = why + " gets no secrets"
		}
	}
	return []symptom{s}
}

// leftovers are what killed runs left, which the next one removes.
func (x *examination) leftovers(ctx context.Context) []symptom {
	s := symptom{Area: "run", Name: "leftovers", Status: statusOK, Detail: "none of earlier runs"}
	left, err := provisioner[*local.Provisioner](x.fleet).Leftovers()
	inside, err2 := provisioner[*container.Provisioner](x.fleet).Leftovers(ctx)
	if err = errors.Join(err, err2); err != nil {
		s.Status, s.Detail, s.Remedy = statusWarn, oneLine(err.Error()), "look into what is named there; servers of killed runs may still be running"
		return []symptom{s}
	}
	if left = append(left, inside...); len(left) > 0 {
		s.Status, s.Detail, s.Remedy = statusWarn, strings.Join(left, "; "), "none needed: the next run removes them"
		s.Facts = map[string]any{"left": left}
	}
	return []symptom{s}
}
