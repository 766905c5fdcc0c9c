package changeset

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// schemaHistory reads Flyway's: a row for each time it ran, undid, deleted or
// declared something, of which the newest for each version counts.
type schemaHistory struct{}

// historyRow is a row of flyway_schema_history.
type historyRow struct {
	rank                            int64
	version, description, sort      string
	checksum                        int32
	failed, undo, deleted, baseline bool
}

func (schemaHistory) read(l *Ledger, columns []string, rows [][]string) error {
	history, err := readHistory(l, columns, rows)
	if err != nil {
		return err
	}
	l.Names, l.Repeatables = map[string]bool{}, map[string]int32{}
	newest := map[string]historyRow{}
	for _, r := range history { // by rank
		key := plainVersion(r.version)
		if r.version == "" {
			key = "R " + r.description
		}
		newest[key] = r
	}
	for key, r := range newest {
		switch {
		case r.failed:
			what := "migration " + r.version
			if r.version == "" {
				what = "the repeatable migration " + strconv.Quote(r.description)
			}
			l.Half = fmt.Sprintf("%s half applied (%s.success is false): mend that database (undo what the script left, then `flyway repair`)", what, l.Table)
		case r.undo, r.deleted, r.sort == "SCHEMA":
		case r.version == "":
			l.Repeatables[r.description] = r.checksum
		default:
			l.Names[key] = true
			if r.baseline && compareVersions(key, l.Baseline) > 0 {
				l.Baseline = key
			}
		}
	}
	return nil
}

func readHistory(l *Ledger, columns []string, rows [][]string) ([]historyRow, error) {
	at, err := l.columns(columns, "Flyway", "installed_rank", "version", "description", "type", "checksum", "success")
	if err != nil {
		return nil, err
	}
	var history []historyRow
	for _, row := range rows {
		r := historyRow{version: row[at[1]], description: row[at[2]], sort: strings.ToUpper(row[at[3]])}
		if r.rank, err = strconv.ParseInt(row[at[0]], 10, 64); err != nil {
			return nil, fmt.Errorf("read ledger %s: installed_rank: %w", l.Table, err)
		}
		if sum := row[at[4]]; sum != "" {
			n, err := strconv.ParseInt(sum, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("read ledger %s: checksum: %w", l.Table, err)
			}
			r.checksum = int32(n)
		}
		ok, err := l.bool(row[at[5]])
		if err != nil {
			return nil, err
		}
		// SQL, JDBC, SCRIPT and others, each also as UNDO_… and …_BASELINE.
		r.failed, r.undo = !ok, strings.HasPrefix(r.sort, "UNDO")
		r.deleted, r.baseline = r.sort == "DELETE", strings.Contains(r.sort, "BASELINE")
		history = append(history, r)
	}
	slices.SortStableFunc(history, func(a, b historyRow) int { return cmp.Compare(a.rank, b.rank) })
	return history, nil
}

func (schemaHistory) has(l *Ledger, m migration.Migration, of side) (bool, error) {
	switch {
	case m.IsCallback():
		return len(l.Names) > 0, nil // it ran with each of them
	case m.Repeatable:
		sum, ran := l.Repeatables[description(m)]
		if !ran {
			return false, nil
		}
		sums, err := migration.FlywayChecksums(of.fsys, m.Up.File, of.opt)
		return slices.Contains(sums, sum), err
	}
	version := plainVersion(m.Version)
	return l.Names[version] || l.Baseline != "" && compareVersions(version, l.Baseline) <= 0, nil
}

func (schemaHistory) newest(l *Ledger) string {
	return rowEach{}.newest(l)
}

// description as the ledger has it: at most 200 characters, and spaces where
// the file's name has underscores.
func description(m migration.Migration) string {
	d := strings.ReplaceAll(m.Name, "_", " ")
	if r := []rune(d); len(r) > 200 {
		d = string(r[:197]) + "..."
	}
	return d
}

// plainVersion keeps a version's numbers: "1.2" for 01_2_0, as Flyway takes
// the two for the same.
func plainVersion(version string) string {
	parts := strings.FieldsFunc(version, func(r rune) bool { return r == '.' || r == '_' })
	for i, p := range parts {
		if parts[i] = strings.TrimLeft(p, "0"); parts[i] == "" {
			parts[i] = "0"
		}
	}
	for len(parts) > 1 && parts[len(parts)-1] == "0" {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, ".")
}

// compareVersions compares number by number, and what is no number as text; ""
// comes first.
func compareVersions(a, b string) int {
	as, bs := strings.Split(plainVersion(a), "."), strings.Split(plainVersion(b), ".")
	for i := range min(len(as), len(bs)) {
		order := cmp.Compare(as[i], bs[i])
		if isDigits(as[i]) && isDigits(bs[i]) {
			order = cmp.Or(cmp.Compare(len(as[i]), len(bs[i])), order)
		}
		if order != 0 {
			return order
		}
	}
	return cmp.Compare(len(as), len(bs))
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
