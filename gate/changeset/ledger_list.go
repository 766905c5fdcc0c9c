package changeset

import (
	"fmt"
	"path"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// rowEach reads a table with a row for each migration applied: dbmate's, by
// versions, which it compares as texts, and sql-migrate's, by file names. What
// is taken back loses its row.
type rowEach struct {
	tool, column string
	// foreign is a column that a table of the same name has with another tool.
	foreign string
	name    func(migration.Migration) string
}

func fileName(m migration.Migration) string { return path.Base(mainFile(m)) }

func (k rowEach) read(l *Ledger, columns []string, rows [][]string) error {
	at, err := l.columns(columns, k.tool, k.column)
	if err != nil {
		return err
	}
	if l.column(columns, k.foreign) >= 0 {
		return fmt.Errorf("read ledger %s: it has a column %s, so it is not %s's: name the layout with --layout", l.Table, k.foreign, k.tool)
	}
	l.Names = make(map[string]bool, len(rows))
	for _, row := range rows {
		l.Names[row[at[0]]] = true
	}
	return nil
}

func (k rowEach) has(l *Ledger, m migration.Migration, _ side) (bool, error) {
	return l.Names[k.name(m)], nil
}

func (rowEach) newest(l *Ledger) string {
	newest := ""
	for name := range l.Names {
		if compareVersions(name, newest) > 0 {
			newest = name
		}
	}
	return newest
}
