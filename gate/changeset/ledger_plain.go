package changeset

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// plainRows reads the history table of a tool whose migrations are read as
// plain: a row for each migration, by a name that its file gives.
type plainRows struct {
	rowEach
	// undone is a column that is set where a row counts no more, ended one that
	// is not set where the tool stopped in the middle, and mend what to do then.
	undone, ended, mend string
}

func plainKind(name string) (kind, bool) {
	row := func(column string, name func(migration.Migration) string) rowEach {
		return rowEach{tool: "", column: column, name: name}
	}
	version := func(m migration.Migration) string { return m.Version }
	k, ok := map[string]plainRows{
		"sqlx": {rowEach: row("version", func(m migration.Migration) string { return strconv.FormatInt(m.Number, 10) }),
			ended: "success", mend: "undo what it left, and delete its row"},
		"diesel": {rowEach: row("version", version)},
		"prisma": {rowEach: row("migration_name", func(m migration.Migration) string { return path.Base(path.Dir(mainFile(m))) }),
			undone: "rolled_back_at", ended: "finished_at", mend: "prisma migrate resolve"},
		"supabase": {rowEach: row("version", version)},
	}[name]
	k.tool = name
	return k, ok
}

// plainLedgerKind tells by a table's name whose it is, or returns "".
func plainLedgerKind(table string) string {
	table = strings.ToLower(strings.ReplaceAll(table, `"`, ""))
	for _, l := range migration.PlainLedgers() {
		if table == l.Table || !strings.Contains(l.Table, ".") && strings.HasSuffix(table, "."+l.Table) {
			return l.Kind
		}
	}
	return ""
}

func (k plainRows) read(l *Ledger, columns []string, rows [][]string) error {
	want := []string{k.column}
	for _, c := range []string{k.undone, k.ended} {
		if c != "" {
			want = append(want, c)
		}
	}
	at, err := l.columns(columns, k.tool, want...)
	if err != nil {
		return err
	}
	undone, ended := l.column(columns, k.undone), l.column(columns, k.ended)
	l.Names = make(map[string]bool, len(rows))
	for _, row := range rows {
		name := row[at[0]]
		if undone >= 0 && row[undone] != "" {
			continue
		}
		if ended >= 0 && !k.done(l, row[ended]) {
			l.Half = fmt.Sprintf("migration %s half applied (%s.%s): mend that database (%s)", name, l.Table, k.ended, k.mend)
		}
		l.Names[name] = true
	}
	return nil
}

// done reads a truth value, or a time that is there once it is over.
func (k plainRows) done(l *Ledger, value string) bool {
	if truth, err := l.bool(value); err == nil {
		return truth
	}
	return value != ""
}
