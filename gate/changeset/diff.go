package changeset

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// rawChange is one record of git diff --raw: the head's mode and object (zeros
// where only the disk has it) and a status letter.
type rawChange struct {
	path   string
	status byte // A, M, D, T
	mode   string
	id     string
}

// diff lists what differs between the base and a commit or, without ref, the
// working tree (untracked files aside).
func (r *repo) diff(ctx context.Context, base, ref, head, dir string, more ...string) ([]rawChange, error) {
	args := []string{"diff", "--raw", "-z", "--no-abbrev", "--no-renames", "--ignore-submodules=all", base}
	if ref != "" {
		args = append(args, head)
	}
	out, err := r.run(ctx, append(append(args, "--", dir), more...)...)
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", dir, short(base), err)
	}
	fields := strings.Split(string(out), "\x00")
	var changes []rawChange
	for i := 0; i+1 < len(fields); i += 2 {
		f := strings.Fields(strings.TrimPrefix(fields[i], ":")) // modes, ids, status
		if len(f) != 5 {
			return nil, fmt.Errorf("compare %s with %s: git diff answered %q", dir, short(base), fields[i])
		}
		c := rawChange{path: fields[i+1], status: f[4][0], mode: f[1], id: f[3]}
		if strings.Trim(c.id, "0") == "" {
			c.id = ""
		}
		if c.mode == "160000" || f[0] == "160000" && c.status == 'D' {
			continue // a submodule's own history is not this change's
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// conflicts are the letters by which git status marks an unmerged path.
var conflicts = []string{"DD", "AU", "UD", "UA", "DU", "AA", "UU"}

// status tells whether the directory holds something uncommitted, and which
// files of it, and of more, are not tracked (ignored ones aside).
func (r *repo) status(ctx context.Context, dir string, more ...string) (dirty bool, untracked []string, err error) {
	args := []string{"status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=all", "--no-renames", "--", dir}
	out, err := r.run(ctx, append(args, more...)...)
	if err != nil {
		return false, nil, fmt.Errorf("look for uncommitted files in %s: %w", dir, err)
	}
	for rec := range strings.SplitSeq(string(out), "\x00") {
		if rec == "" {
			continue
		}
		dirty = dirty || dir == "." || strings.HasPrefix(rec[min(3, len(rec)):], dir+"/")
		if slices.Contains(conflicts, rec[:2]) {
			return false, nil, fmt.Errorf("%s has a merge conflict: resolve it, then run this again", rec[3:])
		}
		if name, ok := strings.CutPrefix(rec, "?? "); ok && !strings.HasSuffix(name, "/") { // "/": a repository of its own
			untracked = append(untracked, name)
		}
	}
	return dirty, untracked, nil
}

// owner says which migration a file belongs to, and in which direction.
type owner struct {
	m   migration.Migration
	dir migration.Direction
}

func owners(s migration.Set) map[string]owner {
	own := map[string]owner{}
	for _, m := range s.Migrations {
		if m.Down != nil && m.Down.File != "" {
			own[m.Down.File] = owner{m, migration.Down}
		}
		if m.Up.File != "" {
			own[m.Up.File] = owner{m, migration.Up}
		}
	}
	return own
}

// added returns the head's migrations that the base does not have, and the
// repeatable ones that it has with another content (baseTree's). A version
// whose merged file is gone but which has another file now is a rename of the
// merged one: its tool, which knows versions, would not run it again.
func added(base, head migration.Set, baseTree, headTree *tree) []migration.Migration {
	merged := map[string]bool{}
	gone := map[string]bool{}
	repeatable := map[string]string{}
	for _, m := range base.Migrations {
		merged[mainFile(m)] = true
		if _, still := headTree.files[mainFile(m)]; !still {
			gone[identity(m)] = true
		}
		if m.Repeatable {
			repeatable[identity(m)] = mainFile(m)
		}
	}
	var news []migration.Migration
	for _, m := range head.Migrations {
		file := mainFile(m)
		was := repeatable[identity(m)]
		if !merged[file] && !gone[identity(m)] || was != "" && differ(baseTree, was, headTree, file) {
			news = append(news, m)
		}
	}
	slices.SortStableFunc(news, func(a, b migration.Migration) int {
		return cmp.Or(cmp.Compare(a.Key(), b.Key()), strings.Compare(mainFile(a), mainFile(b)))
	})
	return news
}

// identity is what its tool knows a migration by, among those of its sort.
func identity(m migration.Migration) string {
	return fmt.Sprint(m.Repeatable, m.Baseline, m.Key())
}

// differ reports whether two files that both sides have differ in content.
func differ(base *tree, from string, head *tree, to string) bool {
	if base == nil || from == to && base.same(head, to) {
		return false
	}
	line, err := firstDifference(base, from, head, to)
	return err == nil && line > 0
}

// same reports whether both sides have the very same object.
func (t *tree) same(head *tree, name string) bool {
	old, now := t.files[name], head.files[name]
	return old.blob == now.blob && now.blob != "" && !old.symlink
}

// mainFile identifies a migration: its up file or, without one, its down file.
func mainFile(m migration.Migration) string {
	if m.Up.File == "" && m.Down != nil {
		return m.Down.File
	}
	return m.Up.File
}

// compare tells what happened to each file that belongs to a migration.
func compare(baseSet, headSet migration.Set, base, head *tree) ([]gate.FileChange, error) {
	before, after := owners(baseSet), owners(headSet)
	merged := mergedFiles(baseSet, headSet, head)
	changes := []gate.FileChange{}
	var gone, fresh []string
	for name := range union(base.files, head.files) {
		_, inBase := before[name]
		a, inHead := after[name]
		switch {
		case !inBase && !inHead:
		case !inBase:
			fresh = append(fresh, name)
		case !inHead:
			gone = append(gone, name)
		default:
			same := base.files[name].blob == head.files[name].blob && head.files[name].blob != ""
			link := base.files[name].symlink
			if same && !link {
				continue
			}
			line, err := firstDifference(base, name, head, name)
			if err != nil {
				if same && leadsOut(base, head, name) {
					continue // out of both sides' files
				}
				return nil, err
			}
			if line > 0 {
				changes = append(changes, gate.FileChange{Path: name, Status: "edited", FirstLine: line, Merged: true, Version: a.m.Version, Repeatable: a.m.Repeatable})
			}
		}
	}
	slices.Sort(gone)
	slices.Sort(fresh)
	renamed, err := renames(gone, fresh, before, after, base, head)
	if err != nil {
		return nil, err
	}
	for _, name := range fresh {
		from, ok := renamed[name]
		if !ok {
			changes = append(changes, gate.FileChange{Path: name, Status: "added", Merged: merged[name], Version: after[name].m.Version, Repeatable: after[name].m.Repeatable})
			continue
		}
		line, err := firstDifference(base, from, head, name)
		if err != nil {
			return nil, err
		}
		if moved := headSet.Layout.Name == "flyway" && path.Base(from) == path.Base(name); moved && (line == 0 || after[name].m.Repeatable) {
			if line > 0 { // which Flyway runs again, wherever it lies
				changes = append(changes, gate.FileChange{Path: name, From: from, Status: "edited", FirstLine: line, Merged: true, Version: after[name].m.Version, Repeatable: true})
			}
			continue // Flyway knows a script by its name alone
		}
		changes = append(changes, gate.FileChange{Path: name, From: from, Status: "renamed", FirstLine: line, Merged: true, Version: after[name].m.Version, Repeatable: after[name].m.Repeatable})
	}
	for _, name := range gone {
		if !contains(renamed, name) {
			changes = append(changes, gate.FileChange{Path: name, Status: "deleted", Merged: true, Version: before[name].m.Version, Repeatable: before[name].m.Repeatable})
		}
	}
	beside, err := companions(headSet.Layout.Name, before, after, base, head)
	if err != nil {
		return nil, err
	}
	changes = append(changes, beside...)
	slices.SortFunc(changes, func(a, b gate.FileChange) int { return strings.Compare(a.Path, b.Path) })
	return changes, nil
}

// leadsOut reports whether neither side can read what a link leads to.
func leadsOut(base, head *tree, name string) bool {
	_, before := base.ReadFile(name)
	_, after := head.ReadFile(name)
	return before != nil && after != nil
}

// mergedFiles are the head's files of migrations that the base has.
func mergedFiles(base, head migration.Set, headTree *tree) map[string]bool {
	isNew := map[string]bool{}
	for _, m := range added(base, head, nil, headTree) {
		isNew[mainFile(m)] = true
	}
	files := map[string]bool{}
	for _, m := range head.Migrations {
		if isNew[mainFile(m)] {
			continue
		}
		files[m.Up.File] = true
		if m.Down != nil {
			files[m.Down.File] = true
		}
	}
	return files
}

// unrecognised finds the .sql files that this change adds or edits and that no
// name of the layout fits: a tool might run them, and the gate would not have
// looked.
func unrecognised(set migration.Set, base, head *tree, layout string) (mistakes []*migration.InputError) {
	for _, name := range set.Unrecognised {
		old, was := base.files[name]
		now := head.files[name]
		if was && old.blob == now.blob && now.blob != "" {
			continue
		}
		if was {
			if line, err := firstDifference(base, name, head, name); err == nil && line == 0 {
				continue
			}
		}
		verb := "added"
		if was {
			verb = "edited"
		}
		better := ""
		if to := set.Renames[name]; to != "" {
			better = " to " + to
		}
		mistakes = append(mistakes, &migration.InputError{
			File:    name,
			Message: fmt.Sprintf("%s by this change, and no migration by the names of the %s layout", verb, layout),
			Remedy:  fmt.Sprintf("rename it%s, or list it under `ignore:` in .migration-gate.yml (ignore: [%q])", better, path.Base(name)),
		})
	}
	return mistakes
}

// differing are those of some files that this change adds, edits or deletes.
func differing(files []string, base, head *tree) (names []string) {
	for _, name := range files {
		_, was := base.files[name]
		_, is := head.files[name]
		if was != is || is && differ(base, name, head, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// firstReversals finds the files that this change brings and that are taken for
// reversals by an underscore alone, where the base has none of that sort: what
// has run every file so far would run them too.
func firstReversals(baseSet, headSet migration.Set, base *tree) (mistakes []*migration.InputError) {
	if len(baseSet.Migrations) == 0 || len(baseSet.Unsure) > 0 {
		return nil
	}
	for _, name := range headSet.Unsure {
		if _, was := base.files[name]; was {
			continue
		}
		stem := name[:strings.LastIndexByte(name, '_')]
		mistakes = append(mistakes, &migration.InputError{
			File: name, Message: "the first file here whose name ends as a reversal's might: whatever runs the others may run it as well",
			Remedy: fmt.Sprintf("name it %s.down.sql if it reverses %s, and with another last word if not; where a tool wants it so, list it under ignore: until it is merged", path.Base(stem), path.Base(stem)),
		})
	}
	return mistakes
}

// firstDifference returns the first line that differs, 1-based and counted in
// the head's file; 0 if none does. Line endings are not content, the last
// one included: checkouts convert them, and no tool's SQL depends on them.
func firstDifference(base fs.FS, from string, head fs.FS, to string) (int, error) {
	a, b, err := linesOf(base, from, head, to)
	if err != nil {
		return 0, err
	}
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return i + 1, nil
		}
	}
	return 0, nil
}

// linesOf reads both sides' files.
func linesOf(base fs.FS, from string, head fs.FS, to string) (old, now []string, err error) {
	a, err := fs.ReadFile(base, from)
	if err != nil {
		return nil, nil, err
	}
	b, err := fs.ReadFile(head, to)
	if err != nil {
		return nil, nil, err
	}
	return lines(a), lines(b), nil
}

func lines(text []byte) []string {
	s := strings.ReplaceAll(string(text), "\r\n", "\n")
	return strings.Split(strings.TrimRight(s, "\n"), "\n")
}

func union(a, b map[string]entry) map[string]struct{} {
	all := make(map[string]struct{}, len(a))
	for name := range a {
		all[name] = struct{}{}
	}
	for name := range b {
		all[name] = struct{}{}
	}
	return all
}

func contains(m map[string]string, value string) bool {
	for _, v := range m {
		if v == value {
			return true
		}
	}
	return false
}
