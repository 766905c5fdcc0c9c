package changeset

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// Ledger is what a tool's history table says has been applied. The zero value
// is an empty one: a database on which nothing ran yet.
type Ledger struct {
	Table string `json:"table"`
	// Kind tells which of the fields below count (migration.Ledger says what the
	// kinds mean).
	Kind string `json:"kind"`
	// Last is the newest version applied, where versions are numbers; -1 for
	// none. Everything up to it counts as applied where Kind is "last".
	Last int64 `json:"last"`
	// Dirty: the tool stopped in the middle of Last.
	Dirty bool `json:"dirty"`
	// Applied versions, where Kind is "log".
	Applied map[int64]bool `json:"applied,omitempty"`
	// Names are the versions ("versions"), file names ("files") or versions by
	// their numbers alone ("flyway": "1.2" for V01_2_0) that were applied.
	Names map[string]bool `json:"names,omitempty"`
	// Baseline is the version that a Flyway database was declared to be at, and
	// Repeatables are the checksums of what ran last, by description.
	Baseline    string           `json:"baseline,omitempty"`
	Repeatables map[string]int32 `json:"repeatables,omitempty"`
	// Half says of a migration that the tool stopped in the middle of it, and
	// what mends that; "" where none is known.
	Half string `json:"half,omitempty"`
}

// kind is all that tells one sort of history table from another. Each has a
// file of its own.
type kind interface {
	// read takes in the table's rows, in any order.
	read(l *Ledger, columns []string, rows [][]string) error
	// has reports whether a migration, of one side's files, was applied.
	has(l *Ledger, m migration.Migration, of side) (bool, error)
	// newest is the newest version applied, for people.
	newest(l *Ledger) string
}

// side is where a migration's files are read, and how.
type side struct {
	fsys fs.FS
	opt  migration.Options
}

func kindOf(name string) (kind, bool) {
	if k, ok := plainKind(name); ok {
		return k, true
	}
	k, ok := map[string]kind{
		"last": newestOnly{}, "log": eventLog{}, "flyway": schemaHistory{},
		"versions": rowEach{tool: "dbmate", column: "version", foreign: "dirty", name: func(m migration.Migration) string { return m.Version }},
		"files":    rowEach{tool: "sql-migrate", column: "id", foreign: "version_id", name: fileName},
		"":         none{},
	}[name]
	return k, ok
}

// none stands for a tool that keeps no history: nothing is known to be applied.
type none struct{}

func (none) read(l *Ledger, _ []string, _ [][]string) error {
	return fmt.Errorf("read ledger %s: the layout keeps none", l.Table)
}
func (none) has(*Ledger, migration.Migration, side) (bool, error) {
	return false, nil
}
func (none) newest(*Ledger) string { return "" }

// ReadLedger makes a Ledger of a history table's rows, in any order, with
// values as either engine spells them: a truth value is "t" or "1", and "" is
// also what NULL reads as.
func ReadLedger(kind, table string, columns []string, rows [][]string) (*Ledger, error) {
	l := &Ledger{Table: table, Kind: kind, Last: -1, Applied: map[int64]bool{}}
	k, ok := kindOf(kind)
	if !ok {
		return nil, fmt.Errorf("read ledger %s: unknown kind %q", table, kind)
	}
	return l, k.read(l, columns, rows)
}

// columns finds the wanted columns, or says whose table it is not.
func (l *Ledger) columns(have []string, tool string, want ...string) ([]int, error) {
	at := make([]int, len(want))
	for i, w := range want {
		if at[i] = l.column(have, w); at[i] < 0 {
			return nil, fmt.Errorf("read ledger %s: no column %s (it has %s), so it is not %s's: name the layout with --layout", l.Table, w, strings.Join(have, ", "), tool)
		}
	}
	return at, nil
}

func (l *Ledger) column(have []string, want string) int {
	return slices.IndexFunc(have, func(c string) bool { return strings.EqualFold(c, want) })
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
// all that is merged is to be run first, or the newest baseline migration and
// what comes after it.
//
// A ledger that keeps only its newest version cannot tell a migration that it
// ran from one that it skipped because of a lower number. One is taken for
// applied only where the newest version is this change's own; an added one
// under a merged version is out of order and pending, for a rule to report, and
// so is one whose version a merged one has.
func Pending(c *Change, ledger *Ledger) (pending, catchUp, already []migration.Migration, err error) {
	if ledger == nil {
		return slices.Clone(c.Added), nil, nil, nil
	}
	k, ok := kindOf(ledger.Kind)
	if !ok {
		return nil, nil, nil, fmt.Errorf("read ledger %s: unknown kind %q", ledger.Table, ledger.Kind)
	}
	if half := ledger.half(); half != "" {
		return nil, nil, nil, fmt.Errorf("the snapshot was taken with %s, then take the snapshot again", half)
	}
	addedOf := k
	if ledger.Kind == "last" {
		addedOf = ownNewest{k, c}
	}
	for _, m := range c.Added {
		has, err := addedOf.has(ledger, m, side{c.HeadFS, c.Parsing})
		if err != nil {
			return nil, nil, nil, err
		}
		taken := !m.Repeatable && slices.ContainsFunc(c.Merged, func(o migration.Migration) bool { return !o.Baseline && o.Key() == m.Key() })
		if has && !taken && !m.IsCallback() { // else the ledger speaks of the merged one
			already = append(already, m)
		} else {
			pending = append(pending, m)
		}
	}
	from := standIn(c.Merged, ledger)
	for _, m := range c.Merged {
		switch {
		case m.Baseline:
			if from != nil && mainFile(m) == mainFile(*from) {
				catchUp = slices.Insert(catchUp, 0, m)
			}
			continue
		case from != nil && !m.Repeatable && compareVersions(m.Version, from.Version) <= 0:
			continue
		}
		has, err := k.has(ledger, m, side{c.MergedFS, c.Parsing})
		if err != nil {
			return nil, nil, nil, err
		}
		if !has && !superseded(m, already) {
			catchUp = append(catchUp, m)
		}
	}
	if len(c.Added) > 0 && len(pending) == 0 {
		return nil, catchUp, already, fmt.Errorf("every migration of this change is in the snapshot's ledger %s already (newest: %s), so nothing is left to measure: the snapshot was taken after this change; use one from before it", ledger.Table, k.newest(ledger))
	}
	return pending, catchUp, already, nil
}

// half says what is half applied and what mends it.
func (l *Ledger) half() string {
	if l.Half == "" && l.Dirty {
		return fmt.Sprintf("migration %d half applied (%s.dirty is true): mend that database (`migrate force`)", l.Last, l.Table)
	}
	return l.Half
}

// standIn is the newest of the merged baseline migrations, where nothing ran
// yet; nil elsewhere.
func standIn(merged []migration.Migration, l *Ledger) *migration.Migration {
	if len(l.Names) > 0 || l.Baseline != "" {
		return nil
	}
	var newest *migration.Migration
	for i, m := range merged {
		if m.Baseline && (newest == nil || compareVersions(m.Version, newest.Version) > 0) {
			newest = &merged[i]
		}
	}
	return newest
}

// superseded: the snapshot has the change's own content of a repeatable
// migration, which the merged one must not undo.
func superseded(m migration.Migration, already []migration.Migration) bool {
	return m.Repeatable && slices.ContainsFunc(already, func(o migration.Migration) bool { return o.Repeatable && o.Key() == m.Key() })
}
