package report

import (
	"fmt"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// What is told of a MySQL run and no other.

// logWord names what the server writes so as not to lose a change.
func (m *model) logWord() string {
	if m.isMySQL() {
		return "redo"
	}
	return "WAL"
}

// failureCode is the error as the engine's users know it.
func failureCode(f *gate.Failure) string {
	if f.SQLState == "" {
		return oneLine(f.Code)
	}
	return oneLine(f.CodeText())
}

// ddlLine says how the server went about an online DDL statement: "INPLACE,
// rebuild, LOCK=NONE; best: INSTANT".
func ddlLine(d *gate.OnlineDDL) string {
	if d == nil {
		return ""
	}
	var words []string
	if d.Algorithm != "" {
		words = append(words, d.Algorithm)
	}
	if d.Rebuild && d.Algorithm != "COPY" {
		words = append(words, "rebuild")
	}
	if d.Lock != "" {
		words = append(words, "LOCK="+d.Lock)
	}
	s := strings.Join(words, ", ")
	used := d.Algorithm
	if used == "INPLACE" && !d.Rebuild && d.Best != nil && d.Best.Algorithm == "NOCOPY" {
		used = "NOCOPY" // the same, in MariaDB's word
	}
	if best := bestLine(d.Best); best != "" && best != strings.Join(withLock(used, d.Lock), ", ") {
		s = joinNotes(s, "best: "+best)
	}
	return oneLine(s)
}

func bestLine(b *gate.BestDDL) string {
	if b == nil || b.Algorithm == "" {
		return ""
	}
	return strings.Join(withLock(b.Algorithm, b.Lock), ", ")
}

func withLock(algorithm, lock string) []string {
	words := []string{algorithm}
	if lock != "" && algorithm != "INSTANT" {
		words = append(words, "LOCK="+lock)
	}
	return words
}

// fate says what became of a statement whose script failed later.
func fate(s *statement) string {
	if s.mig.Apply == nil || s.mig.Apply.Failure == nil || s.failure != nil || s.run == nil {
		return ""
	}
	switch {
	case s.run.RolledBack:
		return "rolled back"
	case s.mig.Rerun != nil && (len(s.st.Facts.Actions) > 0 || !s.st.Facts.Analysed):
		return "stays applied"
	}
	return ""
}

// rerunLine says how a second run of a failed up script ended.
func rerunLine(m *gate.Migration) string {
	switch {
	case m.Rerun == nil:
		return ""
	case m.Rerun.Failure == nil:
		return "goes through"
	case m.Converges():
		return "stops at the same statement"
	}
	f := m.Rerun.Failure
	return oneLine(fmt.Sprintf("stops at line %d with %s: %s", f.Line, f.CodeText(), clip(f.Message, 120, "...")))
}

// reruns are the lines of all migrations that were run again.
func (m *model) reruns() []string {
	var lines []string
	for i := range m.obs.Migrations {
		mig := &m.obs.Migrations[i]
		if s := rerunLine(mig); s != "" {
			lines = append(lines, "a second run of "+clipLeft(oneLine(mig.Up.File), 60, m.glyph.ellipsis)+" "+s)
		}
	}
	return lines
}

// algorithmNote gathers what a finding's evidence tells of the algorithm.
func algorithmNote(evidence map[string]any, used map[string]bool) string {
	text := func(key string) string {
		s, _ := evidence[key].(string)
		return oneLine(s)
	}
	if _, ok := evidence["algorithm"]; !ok && evidence["told_by"] == nil && evidence["best_algorithm"] == nil {
		return ""
	}
	for _, key := range []string{"algorithm", "lock", "rebuild", "told_by", "best_algorithm", "best_lock", "best_reason", "best_unasked"} {
		used[key] = true
	}
	rebuild, _ := evidence["rebuild"].(bool)
	s := ddlLine(&gate.OnlineDDL{Algorithm: text("algorithm"), Lock: text("lock"), Rebuild: rebuild})
	if by := text("told_by"); by != "" {
		s = strings.TrimPrefix(s+" (told by "+by+")", " ")
	}
	if best := bestLine(&gate.BestDDL{Algorithm: text("best_algorithm"), Lock: text("best_lock")}); best != "" {
		s = joinNotes(s, "the best that the server takes: "+best)
		if why := text("best_reason"); why != "" {
			s += " (" + why + ")"
		}
	} else if why := text("best_unasked"); why != "" {
		s = joinNotes(s, "the best that the server takes was not asked: "+why)
	}
	return s
}

// phasesOf lists the locks that a stretch consists of, one after the other.
func phasesOf(evidence map[string]any, used map[string]bool) string {
	phases, ok := evidence["phases"].([]any)
	if !ok {
		if maps, isMaps := evidence["phases"].([]map[string]any); isMaps {
			for _, p := range maps {
				phases = append(phases, p)
			}
		}
	}
	used["phases"] = len(phases) > 0
	var words []string
	for _, p := range phases {
		p, ok := p.(map[string]any)
		if !ok {
			continue
		}
		most, _ := p["at_most_ms"].(float64)
		words = append(words, oneLine(fmt.Sprintf("%v up to %s", p["mode"], upTo(most))))
	}
	return strings.Join(words, ", then ")
}
