package rule

import "slices"

// tree is one table, or several partitions of one, out of a list of facts.
type tree[T any] struct {
	table  string // the only one, else the root
	tables []string
	facts  []T
}

// partitions is how many tables beneath the named one are meant.
func (t tree[T]) partitions() int {
	n := 0
	for _, name := range t.tables {
		if name != t.table {
			n++
		}
	}
	return n
}

// grouped gathers the wanted facts of one statement by the table on top.
func grouped[T any](c *change, facts []T, key func(T) (table string, wanted bool)) []tree[T] {
	var trees []tree[T]
	index := map[string]int{}
	for _, f := range facts {
		table, wanted := key(f)
		if !wanted {
			continue
		}
		root := c.Root(table)
		i, ok := index[root]
		if !ok {
			i = len(trees)
			index[root] = i
			trees = append(trees, tree[T]{table: table})
		}
		t := &trees[i]
		if table != t.table {
			t.table = root
		}
		if !slices.Contains(t.tables, table) {
			t.tables = append(t.tables, table)
		}
		t.facts = append(t.facts, f)
	}
	return trees
}
