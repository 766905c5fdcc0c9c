package changeset

import (
	"fmt"
	"strconv"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// eventLog reads goose's: a row for each time a version was applied or taken
// back, of which the newest counts.
type eventLog struct{}

func (eventLog) read(l *Ledger, columns []string, rows [][]string) error {
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

func (eventLog) has(l *Ledger, m migration.Migration, _ side) (bool, error) {
	return l.Applied[m.Number], nil
}

func (eventLog) newest(l *Ledger) string { return strconv.FormatInt(l.Last, 10) }
