package changeset

import (
	"cmp"
	"io/fs"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// similarEnough is git's own threshold for calling a pair of files a rename.
const similarEnough = 0.5

// group is what one migration lost or gained.
type group struct {
	m     migration.Migration
	files map[migration.Direction]string
}

// renames pairs deleted with added files, new name to old. It pairs whole
// migrations first and their files by direction then, because git's pairing of
// single files takes one "SELECT 1;" for the rename of any other.
func renames(gone, fresh []string, before, after map[string]owner, base, head fs.FS) (map[string]string, error) {
	type pair struct {
		from, to *group
		score    float64
	}
	olds, news := groups(gone, before), groups(fresh, after)
	var pairs []pair
	for _, o := range olds {
		for _, n := range news {
			score, err := likeness(o, n, base, head)
			if err != nil {
				return nil, err
			}
			if score >= similarEnough {
				pairs = append(pairs, pair{o, n, score})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.score, a.score) })
	taken := map[*group]bool{}
	renamed := map[string]string{}
	for _, p := range pairs {
		if taken[p.from] || taken[p.to] {
			continue
		}
		taken[p.from], taken[p.to] = true, true
		for dir, to := range p.to.files {
			if from, ok := p.from.files[dir]; ok {
				renamed[to] = from
			}
		}
	}
	return renamed, nil
}

// groups gathers files by migration, in the files' order.
func groups(names []string, own map[string]owner) []*group {
	var all []*group
	for _, name := range names {
		o := own[name]
		i := slices.IndexFunc(all, func(g *group) bool { return identity(g.m) == identity(o.m) && mainFile(g.m) == mainFile(o.m) })
		if i < 0 {
			all = append(all, &group{m: o.m, files: map[migration.Direction]string{}})
			i = len(all) - 1
		}
		all[i].files[o.dir] = name
	}
	return all
}

// likeness scores two migrations: over 1 for the same version, 1 for the same
// up script, else the share of lines in common.
func likeness(o, n *group, base, head fs.FS) (float64, error) {
	if identity(o.m) == identity(n.m) {
		return 2, nil
	}
	from, to := o.files[migration.Up], n.files[migration.Up]
	if from == "" || to == "" {
		return 0, nil
	}
	old, now, err := linesOf(base, from, head, to)
	if err != nil {
		return 0, err
	}
	score := dice(old, now)
	if score > 0 && o.m.Name == n.m.Name {
		score = (score + 1) / 2 // between two alike, the one that kept its name
	}
	return score, nil
}

// dice is twice the number of common lines over the number of all, blank lines
// and indentation aside.
func dice(a, b []string) float64 {
	count := map[string]int{}
	total, common := 0, 0
	for _, line := range a {
		if line = strings.TrimSpace(line); line != "" {
			count[line]++
			total++
		}
	}
	for _, line := range b {
		if line = strings.TrimSpace(line); line != "" {
			total++
			if count[line] > 0 {
				count[line]--
				common++
			}
		}
	}
	if total == 0 {
		return 0
	}
	return 2 * float64(common) / float64(total)
}
