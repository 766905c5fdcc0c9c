package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// fingerprints identify findings across runs, in their order. They hold on to
// the rule, the file, the statement's text and what of it is meant, and to no
// line, figure or message: a line added above changes nothing. Where all that
// is the same, findings are counted through, since readers merge equal ones.
func (m *model) fingerprints() []string {
	seen := map[string]int{}
	prints := make([]string, len(m.findings))
	for i := range m.findings {
		f := &m.findings[i]
		statement := strings.Join(strings.Fields(m.statementOf(f)), " ")
		key := strings.Join([]string{f.Rule, f.File, statement, subject(f)}, "\x00")
		seen[key]++
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
		prints[i] = hex.EncodeToString(sum[:])
	}
	return prints
}

// subject is the object that a finding is about.
func subject(f *gate.Finding) string {
	for _, k := range []string{"relation", "table", "object", "key", "what"} {
		if s, ok := f.Evidence[k].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// statementOf is the text of the statement that a finding is on, its own
// excerpt where the script is not there; "" for none.
func (m *model) statementOf(f *gate.Finding) string {
	if st := m.at(f.File, f.Line); st != nil {
		return st.SQL
	}
	return f.SQL
}

// fileOf is the file to show a finding at. What concerns no file is shown at
// the first one of the change, since readers refuse what has no place.
func (m *model) fileOf(f *gate.Finding) string {
	file := f.File
	if file == "" && len(m.obs.Migrations) > 0 {
		file = m.obs.Migrations[0].Up.File
	}
	if file == "" && len(m.obs.Files) > 0 {
		file = m.obs.Files[0].Path
	}
	return cmp.Or(file, m.obs.Dir, ".")
}
