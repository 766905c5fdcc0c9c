// Package rundir keeps what stands between the commands of one pipeline, and
// after them: which targets were left running, as whom and until when, and
// what was observed on them. It is a directory of small JSON files, by default
// .migration-gate at the repository's top, which git ignores by a .gitignore
// of its own.
//
// It starts, stops and connects to nothing: whoever reaps what has expired
// asks here for the handles.
package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/snapshot"
)

// Name is the default directory's name, at the repository's top.
const Name = ".migration-gate"

// marker opens the .gitignore by which a run directory is told from any other
// directory that somebody may have named by mistake.
const marker = "# made by migration-gate; safe to delete when no target is running\n*\n"

// Dir is a run directory. It may not exist yet: the first Save makes it, so
// that commands which keep nothing leave nothing.
type Dir struct{ path string }

// Open returns the run directory at path. It refuses a directory that exists,
// holds files and was not made here, since it would make git ignore them all.
func Open(path string) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open run directory: %w", err)
	}
	entries, err := os.ReadDir(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return &Dir{abs}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open run directory: %w", err)
	}
	text, _ := os.ReadFile(filepath.Join(abs, ".gitignore"))
	first, _, _ := strings.Cut(marker, ";")
	if len(entries) > 0 && !strings.HasPrefix(string(text), first) {
		return nil, fmt.Errorf("open run directory: %s holds files and was not made by migration-gate: name another with --run-dir", abs)
	}
	return &Dir{abs}, nil
}

// Path is absolute.
func (d *Dir) Path() string { return d.path }

// TargetState is a target that outlives the command that made it.
type TargetState struct {
	// Name as --into and --database spell it.
	Name string `json:"name"`
	// Handle finds the server again; with its password, so files are 0600.
	Handle snapshot.Handle `json:"handle"`
	// Engine as --engine spells it.
	Engine string `json:"engine"`
	// Baseline is the database that holds the snapshot, Database the clone of
	// it that migrations run on.
	Baseline string `json:"baseline"`
	Database string `json:"database"`
	// Created and Expires bound its life; any start of the tool may destroy it
	// after Expires.
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	// Snapshot is nil where the baseline was built of merged migrations.
	Snapshot *gate.SnapshotFacts `json:"snapshot,omitempty"`
	// Migrated: the change's migrations ran on Database.
	Migrated bool `json:"migrated"`
}

// A NotFoundError names a target or observation that is not there, and the
// command that makes one. It is an fs.ErrNotExist.
type NotFoundError struct {
	What   string // "target", "observation"
	Name   string
	Dir    string
	Have   []string // targets that are there
	Remedy string
}

func (e *NotFoundError) Error() string {
	have := ""
	if len(e.Have) > 0 {
		have = " (there: " + strings.Join(e.Have, ", ") + ")"
	}
	return fmt.Sprintf("no %s named %s in %s%s: %s", e.What, e.Name, e.Dir, have, e.Remedy)
}

// Unwrap makes errors.Is(err, fs.ErrNotExist) true.
func (e *NotFoundError) Unwrap() error { return fs.ErrNotExist }

// SaveTarget writes a target's state under a name, in place of an older one.
func (d *Dir) SaveTarget(name string, t TargetState) error {
	t.Name = name
	return d.save("targets", name, t)
}

// Target returns the state saved under a name, or a *NotFoundError.
func (d *Dir) Target(name string) (TargetState, error) {
	var t TargetState
	err := d.load("targets", name, &t)
	if errors.Is(err, fs.ErrNotExist) {
		have, _ := d.Targets()
		return t, &NotFoundError{What: "target", Name: name, Dir: d.path, Have: have,
			Remedy: "make it with `migration-gate restore-snapshot --into " + name + "`"}
	}
	return t, err
}

// Targets returns the names of all saved targets, sorted.
func (d *Dir) Targets() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.path, "targets"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list targets: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && CheckName(name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Expired returns the targets whose time was up at now. A state that cannot be
// read is skipped here, and told by Target.
func (d *Dir) Expired(now time.Time) ([]TargetState, error) {
	names, err := d.Targets()
	if err != nil {
		return nil, err
	}
	var old []TargetState
	for _, name := range names {
		if t, err := d.Target(name); err == nil && !t.Expires.IsZero() && !now.Before(t.Expires) {
			old = append(old, t)
		}
	}
	return old, nil
}

// RemoveTarget forgets a target and what was observed on it; one that is not
// there is no error.
func (d *Dir) RemoveTarget(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	for _, kind := range []string{"observations", "targets"} {
		if err := os.Remove(d.file(kind, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget target %s: %w", name, err)
		}
	}
	return nil
}

// SaveObservation writes what was observed on the target of that name.
func (d *Dir) SaveObservation(name string, o gate.Observation) error {
	return d.save("observations", name, o)
}

// Observation returns what was observed on a target, or a *NotFoundError.
func (d *Dir) Observation(name string) (gate.Observation, error) {
	var o gate.Observation
	err := d.load("observations", name, &o)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := d.Target(name); err != nil {
			return o, err
		}
		return o, &NotFoundError{What: "observation", Name: name, Dir: d.path,
			Remedy: "run `migration-gate migrate up --database " + name + "` first"}
	}
	return o, err
}

var validName = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)

// CheckName refuses what is no safe name for a file and a database alike.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%q is no name for a target: use 1 to 40 of a-z, 0-9 and _", name)
	}
	return nil
}

func (d *Dir) file(kind, name string) string { return filepath.Join(d.path, kind, name+".json") }

func (d *Dir) load(kind, name string, v any) error {
	if err := CheckName(name); err != nil {
		return err
	}
	text, err := os.ReadFile(d.file(kind, name))
	if err != nil {
		return fmt.Errorf("read %s: %w", kind, err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("read %s: %w (delete the file, or run the step that made it again)", d.file(kind, name), err)
	}
	return nil
}

// save writes a file that is either the old one or the new one, whole.
func (d *Dir) save(kind, name string, v any) error {
	if err := CheckName(name); err != nil {
		return err
	}
	dir, err := d.make(kind)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("save %s of %s: %w", kind, name, err)
	}
	tmp, err := os.CreateTemp(dir, name+".*.tmp") // 0600
	if err != nil {
		return fmt.Errorf("save %s of %s: %w", kind, name, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(text, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), d.file(kind, name))
	}
	if err != nil {
		return fmt.Errorf("save %s of %s: %w", kind, name, err)
	}
	return nil
}

// make creates the directory, its marker and one sub-directory.
func (d *Dir) make(kind string) (string, error) {
	dir := filepath.Join(d.path, kind)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make run directory: %w", err)
	}
	ignore := filepath.Join(d.path, ".gitignore")
	if _, err := os.Lstat(ignore); errors.Is(err, fs.ErrNotExist) {
		if err := os.WriteFile(ignore, []byte(marker), 0o644); err != nil {
			return "", fmt.Errorf("make run directory: %w", err)
		}
	}
	return dir, nil
}
