package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// binaries is a directory of programs of one version.
type binaries struct {
	dir     string
	version string // "15.18", "19beta1"
}

// find lists the directories that hold all the programs of one of the
// alternatives, best first: newest version, then order of looking. It also
// returns what it looked at, and what it found and could not start.
func (m *machine) find(ctx context.Context, p *product, alternatives ...[]string) (found []binaries, looked, broken []string) {
	dirs := slices.Clone(m.opt.Bins)
	if list := filepath.SplitList(m.opt.Path); len(list) > 0 {
		looked = append(looked, "PATH")
		for _, d := range list {
			if filepath.IsAbs(d) { // a relative entry would run what the repository under test brings along
				dirs = append(dirs, d)
			}
		}
	}
	if p.engine == snapshot.Postgres {
		if d := m.pgConfig(ctx); d != "" {
			dirs = append(dirs, d)
			looked = append(looked, "pg_config --bindir ("+d+")")
		}
	}
	looked = append(append([]string{}, m.opt.Bins...), looked...)
	for _, glob := range p.places {
		matches, _ := filepath.Glob(glob) // the only error is a bad pattern
		dirs = append(dirs, matches...)
	}
	looked = append(looked, p.places...)

	seen := map[string]bool{}
	for _, dir := range dirs {
		for _, programs := range alternatives {
			// The directory may be a link, or full of links to the real one.
			program, err := filepath.EvalSymlinks(filepath.Join(dir, programs[0]))
			if err != nil {
				continue
			}
			real := filepath.Dir(program)
			if seen[real] || !hasPrograms(real, programs) {
				continue
			}
			seen[real] = true
			b, err := inspect(ctx, p, real, programs[0])
			var stranger *strangerError
			switch {
			case err == nil:
				found = append(found, b)
			case !errors.As(err, &stranger):
				broken = append(broken, err.Error())
			}
		}
	}
	slices.SortStableFunc(found, func(a, b binaries) int { return compareVersions(b.version, a.version) })
	return found, looked, broken
}

// pgConfig asks the pg_config on the path, which knows where the server
// binaries are that the path does not have.
func (m *machine) pgConfig(ctx context.Context) string {
	for _, d := range filepath.SplitList(m.opt.Path) {
		if !filepath.IsAbs(d) {
			continue
		}
		if program := filepath.Join(d, "pg_config"); executable(program) {
			out, err := output(ctx, program, "--bindir")
			if err == nil && filepath.IsAbs(out) {
				return out
			}
		}
	}
	return ""
}

func hasPrograms(dir string, programs []string) bool {
	for _, p := range programs {
		path := filepath.Join(dir, p)
		if !executable(path) {
			return false
		}
		// Debian's pg_wrapper picks a version by itself; the real programs
		// are in a directory of their own.
		if real, err := filepath.EvalSymlinks(path); err != nil || filepath.Base(real) == "pg_wrapper" {
			return false
		}
	}
	return true
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// inspect asks one program of a directory for its version.
func inspect(ctx context.Context, p *product, dir, program string) (binaries, error) {
	out, err := output(ctx, filepath.Join(dir, program), "--version")
	if err != nil {
		return binaries{}, err
	}
	version := p.version(out)
	if version == "" {
		return binaries{}, &strangerError{program, out}
	}
	return binaries{dir: dir, version: version}, nil
}

// strangerError is a program of that name, and of another product.
type strangerError struct{ program, said string }

func (e *strangerError) Error() string {
	return fmt.Sprintf("ask %s for its version: unexpected answer %q", e.program, e.said)
}

// output runs a program that answers at once, with an empty environment.
func output(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"LC_ALL=C"}
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) { // a library that is missing, most of the time
			if said, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n"); said != "" {
				err = fmt.Errorf("%w: %s", err, said)
			}
		}
		return "", fmt.Errorf("run %s %s: %w", program, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

// choose picks the newest of the wanted series, else the newest release of the
// nearest newer one; without a wish, the newest release there is. A wish for
// MySQL "8" means the newest 8.x. found is sorted, newest first.
func choose(engine string, found []binaries, wanted string) (best *binaries, exact bool) {
	if wanted == "" {
		for i := range found {
			if released(found[i].version) {
				return &found[i], true
			}
		}
		return &found[0], true
	}
	series := func(version string) string { return snapshot.Series(engine, version) }
	if !strings.Contains(wanted, ".") {
		series = snapshot.Major
	}
	want := series(wanted)
	for i := range found {
		b := &found[i]
		if compareVersions(series(b.version), want) < 0 {
			break
		}
		if best == nil || compareVersions(series(b.version), series(best.version)) < 0 {
			best = b
		}
	}
	if best == nil {
		return nil, false
	}
	return best, series(best.version) == want
}

// released is false for betas and release candidates.
func released(version string) bool {
	return !strings.ContainsFunc(version, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
}

// majorOf is the major version as a number; 0 where there is none.
func majorOf(version string) int {
	n, _ := strconv.Atoi(snapshot.Major(version))
	return n
}

// compareVersions orders "9.6" < "15.9" < "15.18" < "16beta1" < "16.0".
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	if c := cmp.Compare(majorOf(a), majorOf(b)); c != 0 {
		return c
	}
	if ra, rb := released(a), released(b); ra != rb {
		if ra {
			return 1
		}
		return -1
	}
	for i := 1; i < max(len(as), len(bs)); i++ {
		var x, y int
		if i < len(as) {
			x, _ = strconv.Atoi(as[i])
		}
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(a, b)
}

func list(found []binaries) string {
	var s []string
	for _, b := range found {
		s = append(s, b.version+" in "+b.dir)
	}
	return strings.Join(s, ", ")
}
