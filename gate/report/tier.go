package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/snapshot"
)

// proven says in a few words what the verdict rests on; "" where nothing was
// tried or a report does not say.
func proven(t gate.Tier) string {
	switch t {
	case gate.TierStatic:
		return "by reading the files alone"
	case gate.TierSchema:
		return "on the schema alone"
	case gate.TierData:
		return "on a restored snapshot"
	}
	return oneLine(string(t))
}

// unmeasuredText is "what: why (the way out)".
func unmeasuredText(u gate.Unmeasured) string {
	s := oneLine(u.What) + ": " + oneLine(u.Why)
	if u.Remedy != "" {
		s += " (" + oneLine(u.Remedy) + ")"
	}
	if u.Accepted {
		s += ", which the configuration accepts"
	}
	return s
}

// has reports whether a rule has a finding, which then tells what it is about.
func (m *model) has(rule string) bool {
	for i := range m.findings {
		if m.findings[i].Rule == rule {
			return true
		}
	}
	return false
}

// unmeasured are the caveats on what nothing could observe: one line for all
// where findings tell the reasons, else one for each.
func (m *model) unmeasured() []string {
	us := m.obs.Unmeasured
	if len(us) == 0 {
		return nil
	}
	if m.has("not-measured") {
		var what []string
		for _, u := range us {
			what = append(what, oneLine(u.What))
		}
		return []string{"NOT MEASURED: " + and(what)}
	}
	var cs []string
	for _, u := range us {
		cs = append(cs, "NOT MEASURED: "+unmeasuredText(u))
	}
	return cs
}

// durationsUnmeasured: it is told already, with its reason.
func (m *model) durationsUnmeasured() bool {
	return slices.ContainsFunc(m.obs.Unmeasured, func(u gate.Unmeasured) bool { return strings.Contains(u.What, "duration") })
}

// locksUnmeasured: that none was seen says nothing.
func (m *model) locksUnmeasured() bool {
	return slices.ContainsFunc(m.obs.Unmeasured, func(u gate.Unmeasured) bool { return u.What == snapshot.LackLocks })
}

// ownGate says that the change alters what it is judged by.
func (m *model) ownGate() string {
	if len(m.obs.ConfigChanges) == 0 {
		return ""
	}
	later, now := 0, 0
	for _, c := range m.obs.ConfigChanges {
		if c.InForce {
			now++
		} else {
			later++
		}
	}
	s := "this change alters " + plural(int64(now+later), "setting") + " of the gate itself"
	switch {
	case now == 0:
		return s + "; judged by the base's"
	case later == 0:
		return s + ", in force already"
	}
	return s + fmt.Sprintf(", %s in force already; else judged by the base's", number(int64(now)))
}

// configRow is one alteration of the gate's own settings, for showing.
type configRow struct{ where, key, before, after, counts string }

// configRows lists the alterations where no finding does.
func (m *model) configRows() []configRow {
	if m.has("gate-config-changed") {
		return nil
	}
	var rows []configRow
	for _, c := range m.obs.ConfigChanges {
		r := configRow{where: oneLine(c.File), key: oneLine(c.Key), before: m.setting(c.Before), after: m.setting(c.After), counts: "from the merge on"}
		if c.Line > 0 {
			r.where += fmt.Sprintf(":%d", c.Line)
		}
		if c.Key == "" {
			r.key, r.before, r.after = "the file as a whole", "", ""
		}
		if c.InForce {
			r.counts = "in force"
		}
		rows = append(rows, r)
	}
	return rows
}

func (m *model) setting(v string) string {
	if strings.TrimSpace(v) == "" {
		return "not set"
	}
	return clip(oneLine(v), 80, m.glyph.ellipsis)
}
