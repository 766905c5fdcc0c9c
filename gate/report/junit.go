package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// The elements of a JUnit report as Jenkins describes them (junit-10.xsd of its
// xunit plugin), and the attribute file of a test case, which GitLab links to
// (GitLab Docs, "Unit test reports"). GitLab tells test cases apart by suite,
// class and name together and keeps one of those that agree; it takes of a
// failure the text and not the message, and fails at a second failure or
// system-out in one test case (lib/gitlab/ci/parsers/test/junit.rb).
type junitSuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	junitCounts
	Suites []*junitSuite `xml:"testsuite"`
}

type junitCounts struct {
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Errors   int    `xml:"errors,attr"`
	Time     string `xml:"time,attr"`
}

type junitSuite struct {
	Name string `xml:"name,attr"`
	junitCounts
	Skipped int          `xml:"skipped,attr"`
	Cases   []*junitCase `xml:"testcase"`

	names map[string]int
	ms    float64
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Time    string        `xml:"time,attr"`
	Skipped *junitProblem `xml:"skipped"`
	Error   *junitProblem `xml:"error"`
	Failure *junitProblem `xml:"failure"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// junit gathers the suites: one for each migration, whose test cases are its
// statements, and one for the run and for what concerns no pending script.
type junit struct {
	*model
	run    *junitSuite
	suites []*junitSuite
	taken  []bool // findings that have a place
}

func renderJUnit(m *model, b *bytes.Buffer) error {
	j := &junit{model: m, run: newJUnitSuite("migration-gate"), taken: make([]bool, len(m.findings))}
	j.decided()
	for i := range m.obs.Migrations {
		j.migration(&m.obs.Migrations[i])
	}
	for _, f := range j.take(func(*gate.Finding) bool { return true }) {
		name := oneLine(f.Rule)
		if f.Line > 0 {
			name += fmt.Sprintf(", line %d", f.Line)
		}
		c := j.run.add(cmp.Or(oneLine(f.File), "migration-gate"), name, oneLine(f.File), 0)
		j.tell(c, []*gate.Finding{f})
	}
	doc := junitSuites{Name: "migration-gate"}
	total := 0.0
	for _, s := range append([]*junitSuite{j.run}, j.suites...) {
		s.count()
		doc.Tests, doc.Failures, doc.Errors, total = doc.Tests+s.Tests, doc.Failures+s.Failures, doc.Errors+s.Errors, total+s.ms
		doc.Suites = append(doc.Suites, s)
	}
	doc.Time = seconds(total)
	raw, err := xml.MarshalIndent(doc, "", "  ")
	b.WriteString(xml.Header)
	b.Write(xmlWithoutCommands(raw))
	b.WriteByte('\n')
	return err
}

func newJUnitSuite(name string) *junitSuite {
	return &junitSuite{Name: xmlText(name), names: map[string]int{}}
}

// add makes a test case whose class and name no other of the suite has.
func (s *junitSuite) add(class, name, file string, ms float64) *junitCase {
	key := class + "\x00" + name
	s.names[key]++
	if n := s.names[key]; n > 1 {
		name += fmt.Sprintf(" (%d)", n)
	}
	c := &junitCase{Class: xmlText(class), Name: xmlText(name), File: xmlText(file), Time: seconds(ms)}
	s.Cases = append(s.Cases, c)
	s.ms += ms
	return c
}

func (s *junitSuite) count() {
	for _, c := range s.Cases {
		s.Tests++
		switch {
		case c.Error != nil:
			s.Errors++
		case c.Failure != nil:
			s.Failures++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	s.Time = seconds(s.ms)
}

// decided is the test case of the run itself: an error where the gate could
// not decide, skipped where there was nothing to decide.
func (j *junit) decided() {
	c := j.run.add("migration-gate", "the gate could decide", "", 0)
	switch reason := xmlText(oneLine(j.r.Reason)); j.r.Verdict {
	case gate.Error:
		reason = cmp.Or(reason, "no reason was given")
		c.Error = &junitProblem{Message: reason, Type: "undecided", Text: reason}
	case gate.Skipped:
		c.Skipped = &junitProblem{Message: cmp.Or(reason, "no migration changed")}
	}
	var out []string
	if p := proven(j.obs.Tier); p != "" {
		out = append(out, "proven: "+p)
	}
	for _, u := range j.obs.Unmeasured {
		out = append(out, "not measured: "+unmeasuredText(u))
	}
	if own := j.ownGate(); own != "" {
		out = append(out, own)
	}
	c.Out = junitOut(out)
}

func (j *junit) migration(m *gate.Migration) {
	s := newJUnitSuite(strings.TrimSpace(oneLine(m.Version) + " " + oneLine(m.Name)))
	j.suites = append(j.suites, s)
	j.script(s, &m.Up, m.Apply)
	files := []string{m.Up.File}
	if m.Down != nil {
		j.script(s, m.Down, m.Reversed)
		if m.Down.File != m.Up.File {
			files = append(files, m.Down.File)
		}
	}
	// After both: one file may hold both scripts.
	for _, file := range files {
		if fs := j.take(func(f *gate.Finding) bool { return f.File == file }); len(fs) > 0 {
			j.tell(s.add(oneLine(file), "the file as a whole", oneLine(file), 0), fs)
		}
	}
}

// take claims the findings that have no place yet.
func (j *junit) take(is func(*gate.Finding) bool) []*gate.Finding {
	var fs []*gate.Finding
	for i := range j.findings {
		if f := &j.findings[i]; !j.taken[i] && is(f) {
			j.taken[i] = true
			fs = append(fs, f)
		}
	}
	return fs
}

// script adds a test case for each statement.
func (j *junit) script(s *junitSuite, sc *migration.Script, run *gate.Run) {
	file := oneLine(sc.File)
	for k := range sc.Statements {
		st := &sc.Statements[k]
		ms, ran := 0.0, false
		if run != nil {
			ran = run.Failure != nil && run.Failure.Statement == k
			if k < len(run.Statements) {
				ms, ran = run.Statements[k].DurationMS, true
			}
		}
		c := s.add(file, fmt.Sprintf("line %d: %s", st.Line, cutText(oneLine(st.SQL), 100)), file, ms)
		if !ran {
			c.Skipped = &junitProblem{Message: "not run"}
		}
		j.tell(c, j.take(func(f *gate.Finding) bool {
			return f.File == sc.File && st.Line <= f.Line && f.Line <= max(st.Line, st.EndLine)
		}))
	}
}

// tell puts findings into a test case: those that fail the run into its
// failure, the others into its output.
func (j *junit) tell(c *junitCase, fs []*gate.Finding) {
	var failing, rest []string
	for _, f := range fs {
		if !j.fails(f) {
			rest = append(rest, j.findingText(f))
			continue
		}
		if c.Failure == nil {
			c.Failure = &junitProblem{Message: xmlText(cutText(oneLine(f.Message), 1000)), Type: xmlText(oneLine(f.Rule))}
			c.Skipped = nil
		}
		failing = append(failing, j.findingText(f))
	}
	if c.Failure != nil {
		c.Failure.Text = xmlText(strings.Join(failing, "\n"))
		if n := len(failing) - 1; n > 0 {
			c.Failure.Message += fmt.Sprintf(" (and %s more)", plural(int64(n), "finding"))
		}
	}
	c.Out += junitOut(rest)
}

// fails reports whether a finding is loud enough to fail the run.
func (j *junit) fails(f *gate.Finding) bool {
	least := cmp.Or(j.r.Policy.FailOn, gate.SeverityError)
	return least != gate.Off && f.Severity.AtLeast(least)
}

// findingText is a finding as readers of a log would have it: all of it, since
// GitLab shows the text alone.
func (j *junit) findingText(f *gate.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s[%s] %s: %s\n", f.Severity, oneLine(f.Rule), place(f), cutText(oneLine(f.Message), 2000))
	if sql := strings.TrimSpace(j.statementOf(f)); sql != "" {
		b.WriteString("\n" + cutLines(gate.Printable(sql), 2000, "--") + "\n")
	}
	switch fix := strings.TrimSpace(f.Fix); {
	case fix == "":
	case !isSQL(fix):
		fmt.Fprintf(&b, "\nhelp: %s\n", cutText(oneLine(fix), 2000))
	default:
		fmt.Fprintf(&b, "\n%s:\n%s\n", fixLabel(f.Rule), cutLines(gate.Printable(fix), 4000, "--"))
	}
	return b.String()
}

// attachment is what GitLab takes for a file to link to, in system-out.
var attachment = regexp.MustCompile(`\[\[(ATTACHMENT\|)`)

func junitOut(texts []string) string {
	return xmlText(attachment.ReplaceAllString(strings.Join(texts, "\n"), "[ [$1"))
}

// seconds writes milliseconds as JUnit has times, to a tenth of one.
func seconds(ms float64) string { return strconv.FormatFloat(ms/1000, 'f', 4, 64) }

// xmlText keeps the characters that XML 1.0 allows (section 2.2), and of those
// the ones a reader can see.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, gate.Printable(s))
}

// lineCommand is a runner's command, which begins its line but for blanks.
var lineCommand = regexp.MustCompile(`(?m)^([\t\p{Z}]*):(:)`)

// xmlWithoutCommands hides what a runner would obey, should the report go to
// its log. Both spellings stand in text and values only, where a reference is
// the same. Line feeds and tabs, which encoding/xml writes as references, are
// put back: they stand in text alone, which is for people.
func xmlWithoutCommands(raw []byte) []byte {
	raw = bytes.ReplaceAll(raw, []byte("&#xA;"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("&#x9;"), []byte("\t"))
	raw = lineCommand.ReplaceAll(raw, []byte("$1&#58;$2"))
	return bytes.ReplaceAll(raw, []byte("##["), []byte("#&#35;["))
}
