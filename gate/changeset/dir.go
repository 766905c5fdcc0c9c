package changeset

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// migrationsDir resolves the directory: as typed where the command runs, else
// as written in a configuration at the repository's top.
func (r *repo) migrationsDir(ctx context.Context, opt Options, head string) (string, error) {
	name := opt.MigrationsDir
	if name == "" {
		return "", fmt.Errorf("no migration directory named: pass --dir DIR")
	}
	candidates := r.candidates(name)
	if len(candidates) == 0 {
		return "", fmt.Errorf("migration directory %s is outside the repository %s: run in the repository that holds it", name, r.top)
	}
	for _, c := range candidates {
		if opt.Head == "" {
			info, err := os.Stat(filepath.Join(r.top, filepath.FromSlash(c)))
			if err == nil && info.IsDir() {
				return c, r.refuseSubmodule(c)
			}
			if err == nil {
				return "", fmt.Errorf("migration directory %s is a file: pass --dir DIR", c)
			}
		}
	}
	if dir := r.firstDir(ctx, head, candidates); dir != "" {
		return dir, nil
	}
	return candidates[0], &missingDir{name: name, cwd: r.cwd, top: r.top, candidates: candidates}
}

// candidates are the places that a directory's name may mean, relative to the
// top and with links followed.
func (r *repo) candidates(name string) []string {
	var found []string
	for _, from := range []string{r.cwd, r.top} {
		abs := name
		if !filepath.IsAbs(name) {
			abs = filepath.Join(from, name)
		}
		if real, err := filepath.EvalSymlinks(abs); err == nil {
			abs = real
		}
		rel, err := filepath.Rel(r.top, abs)
		if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			continue // "../migrations", as typed in a directory below, leads out from the top
		}
		found = append(found, filepath.ToSlash(rel))
	}
	return found
}

// refuseElsewhere fails where the change itself makes the directory's name lead
// elsewhere than it leads in the base, by a symbolic link on the way or by a
// directory that comes before it: the migrations that the base has would be
// changed with nobody looking.
func (r *repo) refuseElsewhere(ctx context.Context, opt Options, base, head, dir string) error {
	for _, from := range []string{r.named, namedTop(r.named)} {
		p, inside := named(from, opt.MigrationsDir)
		if real, _ := r.real(p); !inside || real != dir {
			continue
		}
		link, err := r.newLink(ctx, base, opt.Head, head, p)
		if err != nil {
			return err
		}
		if link != "" {
			return fmt.Errorf("%s is a symbolic link of this change's making, on the way to the migrations: keep the directory that %s has, or copy its files first and name the new place with `dir:`", link, short(base))
		}
	}
	was := r.firstDir(ctx, base, r.candidates(opt.MigrationsDir))
	if was == "" || was == dir {
		return nil
	}
	changes, err := r.diff(ctx, base, opt.Head, head, was)
	if err != nil || len(changes) == 0 {
		return err
	}
	return fmt.Errorf("the base has its migrations in %s, where %s changed, and this change has some in %s: tell which by its path from the repository's top (--dir %s)", was, changes[0].path, dir, dir)
}

// firstDir returns the first of the names that is a directory of the commit.
func (r *repo) firstDir(ctx context.Context, commit string, names []string) string {
	for _, name := range names {
		if kind, _ := r.run(ctx, "cat-file", "-t", treeish(commit, name)); strings.TrimSpace(string(kind)) == "tree" {
			return name
		}
	}
	return ""
}

// missingDir says that neither the disk nor the head has the directory.
type missingDir struct {
	name, cwd, top string
	candidates     []string
	elsewhere      string // the options that would do
}

func (e *missingDir) Error() string {
	where := e.cwd
	if e.cwd != e.top {
		where += " nor at the repository's top " + e.top
	}
	return fmt.Sprintf("migration directory %s does not exist in %s: pass %s", e.name, where, cmp.Or(e.elsewhere, "--dir DIR"))
}

// refuseSubmodule says so where the directory belongs to another repository.
func (r *repo) refuseSubmodule(dir string) error {
	for d := dir; d != "."; d = path.Dir(d) {
		if _, err := os.Lstat(filepath.Join(r.top, filepath.FromSlash(d), ".git")); err == nil {
			return fmt.Errorf("migration directory %s is in another git repository (%s): run in that one", dir, d)
		}
	}
	return nil
}

// refuseHidden fails where the directory has migrations that git ignores: to
// call that "nothing changed" would be a green light nobody gave.
func (r *repo) refuseHidden(dir, head string) error {
	if head != "" {
		return nil
	}
	top := filepath.Join(r.top, filepath.FromSlash(dir))
	return filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // deleted by this change, and empty before; or not ours to read
		}
		if name := d.Name(); d.IsDir() && file != top && (strings.HasPrefix(name, ".") || name == "node_modules") {
			return fs.SkipDir // nobody's migrations
		}
		if !d.IsDir() && isSQL(d.Name()) {
			rel, _ := filepath.Rel(top, file)
			return fmt.Errorf("every .sql file in %s is ignored by git (%s is one): add them to git, or pass another --dir", dir, filepath.ToSlash(rel))
		}
		return nil
	})
}
