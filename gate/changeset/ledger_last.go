package changeset

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// newestOnly reads golang-migrate's: one row (version, dirty), or none.
type newestOnly struct{}

func (newestOnly) read(l *Ledger, columns []string, rows [][]string) error {
	at, err := l.columns(columns, "golang-migrate", "version", "dirty")
	if err != nil || len(rows) == 0 {
		return err
	}
	if len(rows) > 1 {
		return fmt.Errorf("read ledger %s: %d rows where golang-migrate keeps one: is it another tool's table? name the layout with --layout", l.Table, len(rows))
	}
	if l.Last, err = strconv.ParseInt(rows[0][at[0]], 10, 64); err != nil {
		return fmt.Errorf("read ledger %s: version: %w", l.Table, err)
	}
	l.Dirty, err = l.bool(rows[0][at[1]])
	return err
}

func (newestOnly) has(l *Ledger, m migration.Migration, _ side) (bool, error) {
	return m.Number <= l.Last, nil
}

func (newestOnly) newest(l *Ledger) string { return strconv.FormatInt(l.Last, 10) }

// ownNewest answers for the migrations that a change adds (Pending says how).
type ownNewest struct {
	kind
	c *Change
}

func (o ownNewest) has(l *Ledger, m migration.Migration, _ side) (bool, error) {
	own := slices.ContainsFunc(o.c.Added, func(a migration.Migration) bool { return a.Number == l.Last })
	newest := int64(-1)
	for _, merged := range o.c.Merged {
		newest = max(newest, merged.Number)
	}
	return own && m.Number > newest && m.Number <= l.Last, nil
}
