package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// step is one pull request: the files of one migration, relative to the
// directory of migrations.
type step struct {
	key   string // version, as the files spell it
	root  string // directory the files are in
	files []string
}

// readSteps tells by simple means of its own, not the gate's, which files make
// a migration and in which order the tool runs them.
func readSteps(root string, h history) ([]step, error) {
	by := map[string]*step{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		key, ok := stepKey(rel, h)
		if !ok {
			return nil
		}
		s := by[key]
		if s == nil {
			s = &step{key: key, root: root}
			by[key] = s
		}
		s.files = append(s.files, rel)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(by) == 0 {
		return nil, fmt.Errorf("%s holds no migration", root)
	}
	var steps []step
	for _, s := range by {
		steps = append(steps, *s)
	}
	slices.SortFunc(steps, func(a, b step) int {
		if h.Lexical {
			return strings.Compare(a.key, b.key)
		}
		return compareNatural(order(a.key, h.Layout), order(b.key, h.Layout))
	})
	return steps, nil
}

// stepKey names the migration that a file belongs to.
func stepKey(rel string, h history) (string, bool) {
	base := path.Base(rel)
	for _, p := range h.Skip {
		if ok, _ := path.Match(p, base); ok {
			return "", false
		}
	}
	nested := strings.Contains(rel, "/")
	switch {
	case h.Layout == "plain" && nested:
		return path.Dir(rel), strings.HasSuffix(base, ".sql") && !strings.Contains(path.Dir(rel), "/")
	case nested && h.Layout != "flyway":
		return "", false
	case h.Layout == "flyway":
		rel = strings.TrimSuffix(rel, ".conf")
		return rel, strings.HasSuffix(rel, ".sql")
	case h.Layout == "golang-migrate":
		version, _, ok := strings.Cut(base, "_")
		return version, ok && strings.HasSuffix(base, ".sql")
	case h.Layout == "plain":
		up := strings.NewReplacer(".up.sql", ".sql", ".down.sql", ".sql", "_down.sql", ".sql").Replace(base)
		return up, strings.HasSuffix(base, ".sql")
	}
	return base, strings.HasSuffix(base, ".sql")
}

// order is what a layout sorts by. Flyway runs repeatables last.
func order(key, layout string) string {
	if layout != "flyway" {
		return key
	}
	base := path.Base(key)
	if strings.HasPrefix(base, "R") {
		return "~" + base
	}
	version, _, _ := strings.Cut(base[1:], "__")
	return strings.ReplaceAll(version, "_", ".")
}

var runs = regexp.MustCompile(`[0-9]+|[^0-9]+`)

// compareNatural compares runs of digits as numbers.
func compareNatural(a, b string) int {
	x, y := runs.FindAllString(a, -1), runs.FindAllString(b, -1)
	for i := 0; i < len(x) && i < len(y); i++ {
		m, errM := strconv.ParseUint(x[i], 10, 64)
		n, errN := strconv.ParseUint(y[i], 10, 64)
		c := strings.Compare(x[i], y[i])
		if errM == nil && errN == nil {
			c = cmp.Compare(m, n)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}
