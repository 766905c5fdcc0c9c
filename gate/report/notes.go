package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// note is a labelled sentence under a finding.
type note struct{ label, text string }

// maxMeanwhile statements are named that ran while a lock was held.
const maxMeanwhile = 5

// saidInMessages are keys of evidence that rules put into their messages in
// words. They are for scripts; under the message they would only be noise.
var saidInMessages = []string{
	"relation", "mode", "blocks", "table", "kind", "size", "server_message", "duration_ms", "at_most_alone_ms",
	"action", "object", "part", "what", "from_type", "to_type", "analysed", "not_measured", "not_judged",
	"applied", "rerun", "role", "rows_before", "missing", "added", "examples", "version", "down", "status", "first_line", "other", "highest_merged",
}

// notes says what a finding means in production and what was measured, then
// lists the evidence that no sentence has used. What was told of the same lock
// under an earlier finding is not told again.
func (m *model) notes(f *gate.Finding, told told) []note {
	var ns []note
	used := map[string]bool{}
	for _, k := range saidInMessages {
		used[k] = true
	}
	if ref, ok := f.Evidence["locked_at"].(map[string]any); ok && ref["file"] == f.File && ref["line"] == float64(f.Line) {
		used["locked_at"] = true
	}
	w := m.windowOf(f)
	if w != nil {
		for _, k := range []string{"witness", "waited", "through"} {
			used[k] = true
		}
	}
	again := w != nil && !told.first(fmt.Sprintf("%s:%d %s %v", w.File, w.Line, tableOf(w), w.BlocksAny("reads")))
	if s := m.inProduction(w); s != "" && !again {
		ns = append(ns, note{"in production", s})
	}
	if s := m.measuredNote(f, w, used, again); s != "" {
		ns = append(ns, note{"measured", s})
	}
	if s := algorithmNote(f.Evidence, used); s != "" {
		ns = append(ns, note{"algorithm", s})
	}
	state, _ := f.Evidence["sqlstate"].(string)
	if code, ok := f.Evidence["code"].(string); ok && state != "" {
		ns = append(ns, note{"error", oneLine(code + " (" + state + ")")})
		used["code"], used["sqlstate"] = true, true
	}
	if w != nil {
		if s := m.meanwhile(w); s != "" {
			if !again || f.Rule == "lock-held-across-statements" {
				ns = append(ns, note{"meanwhile", s})
			}
			used["held_during"] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(f.Evidence)) {
		if used[k] {
			continue
		}
		if v := evidenceValue(k, f.Evidence[k]); v != "" {
			label := evidenceLabel(k)
			if k == "wal_bytes" {
				label = m.logWord()
			}
			ns = append(ns, note{label, clip(v, 400, m.glyph.ellipsis)})
		}
	}
	return ns
}

// inProduction says what ordinary sessions would live through.
func (m *model) inProduction(w *gate.LockWindow) string {
	if w == nil || !judged(w) {
		return ""
	}
	table := oneLine(tableOf(w))
	var s string
	switch {
	case w.BlocksAny("reads"):
		s = "every query on " + table + ", plain SELECT included, waits until the lock is gone"
	case w.BlocksAny("writes"):
		s = "INSERT, UPDATE and DELETE on " + table + " wait until the lock is gone; reads go on"
	case w.BlocksAny("ddl"):
		if m.isMySQL() {
			return "other DDL on " + table + " waits; reads and writes go on"
		}
		return "other DDL, VACUUM and ANALYZE of " + table + " wait; reads and writes go on"
	}
	if w.Relation != tableOf(w) {
		s += " (the lock is on " + strings.TrimSpace(oneLine(w.Kind)+" "+oneLine(w.Relation)) + ")"
	}
	if w.Waited {
		return s + "; here the lock had to be waited for, and a waiting request blocks newcomers as a granted one does"
	}
	if m.isMySQL() {
		return s + "; the wait for the lock itself, behind every transaction that has touched the table and is still open, comes on top and blocks newcomers as well"
	}
	return s + "; the wait for the lock itself, behind whatever runs there, comes on top and blocks newcomers as well"
}

// measuredNote gives the figure with its uncertainty, and how it was seen.
func (m *model) measuredNote(f *gate.Finding, w *gate.LockWindow, used map[string]bool, again bool) string {
	lo, okLo := f.Evidence["at_least_ms"].(float64)
	hi, okHi := f.Evidence["at_most_ms"].(float64)
	var parts []string
	mode, _ := f.Evidence["mode"].(string)
	if w != nil && !(okLo && okHi) {
		// A rule of another subject that names a locked relation.
		lo, hi, okLo, okHi = w.AtLeastMS, w.AtMostMS, true, true
	}
	if !okLo || !okHi {
		return ""
	}
	used["at_least_ms"], used["at_most_ms"] = true, true
	if w != nil {
		mode = w.Mode
	}
	s := between(lo, hi)
	if mode != "" {
		s = oneLine(mode) + " held " + s
	}
	if course := phasesOf(f.Evidence, used); course != "" {
		s = "blocked " + between(lo, hi) + ": " + course
	}
	if waited, ok := f.Evidence["waited_ms"].(float64); ok {
		used["waited_ms"] = true
		s += ", up to " + duration(waited) + " of it waiting for the lock"
	}
	if b, ok := f.Evidence["budget_ms"].(float64); ok {
		used["budget_ms"] = true
		s += ", budget " + duration(b)
		if b > 0 && hi > b {
			s += fmt.Sprintf(" (%s%s the budget)", factor(hi/b), m.glyph.times)
		}
	}
	parts = append(parts, s)
	if w != nil && !again {
		if how := m.witness(w); how != "" {
			parts = append(parts, how)
		}
		if w.Existing && !measured(m.obs, w) {
			parts = append(parts, "NOT MEASURED on data: the table is empty here")
		} else if t, ok := m.obs.Tables[tableOf(w)]; ok {
			rows, bytes := t.Whole()
			parts = append(parts, fmt.Sprintf("on %s, %s", plural(rows, "row"), byteSize(bytes)))
			used["rows"], used["bytes"], used["size"] = true, true, true
		}
	}
	return strings.Join(parts, "; ")
}

// witness says how the window was seen and with which resolution.
func (m *model) witness(w *gate.LockWindow) string {
	switch w.Witness {
	case "boundary":
		return "seen between statements of the transaction, which misses nothing"
	case "stages":
		return "timed by the server itself (the stages of the statement)"
	case "ticker":
		if r := m.obs.Resolution; r.Looks > 0 {
			return fmt.Sprintf("seen by looks every %s (at most %s apart)", duration(ms(r.MedianGap)), duration(ms(r.MaxGap)))
		}
		return "seen by repeated looks only"
	case "statement":
		return "bounded by the statement's own duration only"
	}
	return ""
}

// meanwhile names the statements that ran while an earlier one's lock was held.
func (m *model) meanwhile(w *gate.LockWindow) string {
	var parts []string
	for i, ref := range w.HeldDuring {
		if i == maxMeanwhile {
			parts = append(parts, fmt.Sprintf("and %s more", number(int64(len(w.HeldDuring)-i))))
			break
		}
		s := fmt.Sprintf("line %d", ref.Line)
		if ref.File != w.File {
			s = fmt.Sprintf("%s:%d", oneLine(ref.File), ref.Line)
		}
		if st := m.runAt(ref); st != nil {
			s += " " + clip(oneLine(st.st.SQL), 50, m.glyph.ellipsis)
			if st.run != nil {
				s += " (" + duration(st.run.DurationMS) + ")"
			}
		}
		parts = append(parts, s)
	}
	if len(parts) == 0 {
		return ""
	}
	return "the lock was still held while these ran: " + strings.Join(parts, "; ")
}

func factor(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return number(int64(math.Round(v)))
}

func evidenceLabel(key string) string {
	switch key {
	case "wal_bytes":
		return "WAL"
	case "code":
		return "SQLSTATE"
	}
	label := strings.ReplaceAll(strings.TrimSuffix(key, "_ms"), "_", " ")
	return cmp.Or(oneLine(label), "evidence")
}

// evidenceValue writes one value for people; "" where there is nothing to say.
func evidenceValue(key string, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return oneLine(v)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case float64:
		switch {
		case strings.HasSuffix(key, "_ms"):
			return duration(v)
		case key == "bytes" || strings.HasSuffix(key, "_bytes"):
			return byteSize(int64(v))
		case v == math.Trunc(v) && math.Abs(v) < 1e15:
			return number(int64(v))
		}
		return fmt.Sprint(v)
	case []any:
		var parts []string
		for i, x := range v {
			if i == maxListed {
				parts = append(parts, fmt.Sprintf("and %s more", number(int64(len(v)-i))))
				break
			}
			parts = append(parts, evidenceValue(key, x))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		return evidenceMap(v)
	}
	return oneLine(fmt.Sprint(v))
}

// maxListed values of a list are shown.
const maxListed = 5

// evidenceMap writes what rules keep in maps: a place, a lock, or keys and
// values.
func evidenceMap(v map[string]any) string {
	if file, ok := v["file"].(string); ok && len(v) == 2 && v["line"] != nil {
		return oneLine(fmt.Sprintf("%s:%v", file, v["line"]))
	}
	if rel, ok := v["relation"].(string); ok && v["mode"] != nil {
		s := rel
		if kind, ok := v["kind"].(string); ok && kind != "table" {
			s = kind + " " + rel
		}
		s += fmt.Sprintf(" %v", v["mode"])
		if hi, ok := v["at_most_ms"].(float64); ok {
			s += " up to " + upTo(hi)
		}
		return oneLine(s)
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if s := evidenceValue(k, v[k]); s != "" {
			parts = append(parts, evidenceLabel(k)+" "+s)
		}
	}
	return strings.Join(parts, " ")
}
