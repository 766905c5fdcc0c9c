package changeset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// Ledger is what a tool's history table says has been applied. The zero value
// is an empty one: a database on which nothing ran yet.
type Ledger struct {
	Table string `json:"table"`
	// Kind is "last" or "log" (migration.Ledger says what they mean).
	Kind string `json:"kind"`
	// Last is the newest version applied; -1 for none. Everything up to it
	// counts as applied where Kind is "last".
	Last int64 `json:"last"`
	// Dirty: the tool stopped in the middle of Last.
	Dirty bool `json:"dirty"`
	// Applied versions, where Kind is "log".
	Applied map[int64]bool `json:"applied,omitempty"`
}

// has reports whether a version was applied.
func (l *Ledger) has(n int64) bool {
	if l.Kind == "last" {
		return n <= l.Last
	}
	return l.Applied[n]
}

// ReadLedger makes a Ledger of a history table's rows, in any order, with
// values as either engine spells them: a truth value is "t" or "1".
func ReadLedger(kind, table string, columns []string, rows [][]string) (*Ledger, error) {
	l := &Ledger{Table: table, Kind: kind, Last: -1, Applied: map[int64]bool{}}
	switch kind {
	case "last":
		return l, l.readLast(columns, rows)
	case "log":
		return l, l.readLog(columns, rows)
	}
	return nil, fmt.Errorf("read ledger %s: unknown kind %q", table, kind)
}

// readLast reads golang-migrate's: one row (version, dirty), or none.
func (l *Ledger) readLast(columns []string, rows [][]string) error {
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

// readLog reads goose's: a row for each time a version was applied or taken
// back, of which the newest counts.
func (l *Ledger) readLog(columns []string, rows [][]string) error {
	at, err := l.columns(columns, "goose", "id", "version_id", "is_applied")
	if err != nil {
		return err
	}
	newest := map[int64]int64{}
	for _, row := range rows {
		id, err := strconv.ParseInt(row[at[0]], 10, 64)
		if err != nil {
			return fmt.Errorf("read ledger %s: id: %w", l.Table, err)
		}
		version, err := strconv.ParseInt(row[at[1]], 10, 64)
		if err != nil {
			return fmt.Errorf("read ledger %s: version_id: %w", l.Table, err)
		}
		if seen, ok := newest[version]; ok && id < seen {
			continue
		}
		newest[version] = id
		applied, err := l.bool(row[at[2]])
		if err != nil {
			return err
		}
		if applied {
			l.Applied[version] = true
		} else {
			delete(l.Applied, version)
		}
	}
	for version := range l.Applied {
		l.Last = max(l.Last, version)
	}
	return nil
}

// columns finds the wanted columns, or says whose table it is not.
func (l *Ledger) columns(have []string, tool string, want ...string) ([]int, error) {
	at := make([]int, len(want))
	for i, w := range want {
		if at[i] = slices.IndexFunc(have, func(c string) bool { return strings.EqualFold(c, w) }); at[i] < 0 {
			return nil, fmt.Errorf("read ledger %s: no column %s (it has %s), so it is not %s's: name the layout with --layout", l.Table, w, strings.Join(have, ", "), tool)
		}
	}
	return at, nil
}

func (l *Ledger) bool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "t", "true", "1":
		return true, nil
	case "f", "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("read ledger %s: %q is no truth value", l.Table, s)
}

// Pending sorts the change's migrations by what the snapshot's ledger says:
//
//   - pending: added by the change and not applied, to be measured;
//   - catchUp: merged and not applied, to be run on the baseline first;
//   - already: added by the change and applied in the snapshot.
//
// A nil ledger means a snapshot without a history table, which is taken to be
// at the base: all that is added is pending. An empty one means no snapshot:
// all that is merged is to be run first.
//
// A ledger that keeps only its newest version cannot tell a migration that it
// ran from one that it skipped because of a lower number. One is taken for
// applied only where the newest version is this change's own; an added one
// under a merged version is out of order and pending, for a rule to report, and
// so is one whose number a merged one has.
func Pending(c *Change, ledger *Ledger) (pending, catchUp, already []migration.Migration, err error) {
	if ledger == nil {
		return slices.Clone(c.Added), nil, nil, nil
	}
	if ledger.Dirty {
		return nil, nil, nil, fmt.Errorf("the snapshot was taken with migration %d half applied (%s.dirty is true): mend that database (`migrate force`), then take the snapshot again", ledger.Last, ledger.Table)
	}
	applied := ledger.has
	if ledger.Kind == "last" {
		own := slices.ContainsFunc(c.Added, func(m migration.Migration) bool { return m.Number == ledger.Last })
		newest := int64(-1)
		for _, m := range c.Merged {
			newest = max(newest, m.Number)
		}
		applied = func(n int64) bool { return own && n > newest && n <= ledger.Last }
	}
	for _, m := range c.Added {
		taken := slices.ContainsFunc(c.Merged, func(o migration.Migration) bool { return o.Number == m.Number })
		if applied(m.Number) && !taken { // else the ledger speaks of the merged one
			already = append(already, m)
		} else {
			pending = append(pending, m)
		}
	}
	for _, m := range c.Merged {
		if !ledger.has(m.Number) {
			catchUp = append(catchUp, m)
		}
	}
	if len(c.Added) > 0 && len(pending) == 0 {
		return nil, catchUp, already, fmt.Errorf("every migration of this change is in the snapshot's ledger %s already (newest: %d), so nothing is left to measure: the snapshot was taken after this change; use one from before it", ledger.Table, ledger.Last)
	}
	return pending, catchUp, already, nil
}
