package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/migration-gate/migration-gate/gate"
)

// What GitHub's code scanning takes of a SARIF file (GitHub Docs, "SARIF
// support for code scanning", validation of results): 25,000 results a run, of
// which it shows the first 5,000; 20 tags a rule, of which it shows 10; 10 MB
// compressed, which the limits on text keep us far below.
const (
	SARIFMaxResults = 5000
	SARIFMaxTags    = 10
	SARIFMaxBytes   = 10 << 20 // compressed with gzip

	sarifMaxMessage = 1000
	sarifMaxFix     = 32 << 10 // a fix is told whole or not at all
)

// SARIFFingerprint is the key of a result's partial fingerprint. GitHub's own,
// primaryLocationLineHash, is left to its upload action, which computes it from
// the file and complains of any other value.
const SARIFFingerprint = "migrationGateFinding/v1"

const (
	projectURI  = "https://github.com/migration-gate/migration-gate"
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

// renderSARIF writes one run in SARIF 2.1.0 (OASIS, with errata 01).
func renderSARIF(m *model, b *bytes.Buffer) error {
	run := sarif.NewRunWithInformationURI("migration-gate", projectURI).WithColumnKind("unicodeCodePoints")
	if m.opt.Version != "" {
		run.Tool.Driver.WithVersion(oneLine(m.opt.Version))
	}
	index := m.sarifRules(run)
	shown := m.findings[:min(len(m.findings), SARIFMaxResults)]
	prints := m.fingerprints()
	for i := range shown {
		run.AddResult(m.sarifResult(&shown[i], index[shown[i].Rule], prints[i]))
	}
	run.AddInvocation(m.sarifInvocation(len(m.findings) - len(shown)))

	doc := sarif.NewReport().AddRun(run)
	doc.Schema = sarifSchema
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	raw, err = encodeJSON(withoutDefaults(v))
	b.Write(raw)
	return err
}

// sarifRules describes the rules of the catalogue and, after them, those of
// findings that it lacks. It returns where each is.
func (m *model) sarifRules(run *sarif.Run) map[string]int {
	index := map[string]int{}
	add := func(r Rule) {
		if _, ok := index[r.ID]; ok {
			return
		}
		index[r.ID] = len(index)
		title := cmp.Or(oneLine(r.Title), oneLine(r.ID))
		d := sarif.NewReportingDescriptor().WithID(oneLine(r.ID)).WithName(oneLine(r.ID)).
			WithShortDescription(sarif.NewMultiformatMessageString().WithText(title)).
			WithFullDescription(sarif.NewMultiformatMessageString().WithText(title)).
			WithHelpURI(projectURI + "/blob/main/docs/rules.md#" + uriPath(r.ID)).
			WithProperties(sarif.NewPropertyBag().WithTags([]string{"database", "migration"}))
		help := sarif.NewMultiformatMessageString().WithText("migration-gate explain " + oneLine(r.ID))
		if r.Doc != "" {
			doc := gate.Printable(r.Doc)
			help.WithText(doc).WithMarkdown(doc)
		}
		d.WithHelp(help)
		if r.Severity != "" {
			d.WithDefaultConfiguration(sarif.NewReportingConfiguration().WithEnabled(r.Severity != gate.Off).WithLevel(sarifLevel(r.Severity)))
		}
		run.Tool.Driver.AddRule(d)
	}
	for _, r := range m.opt.Rules {
		add(r)
	}
	for i := range m.findings {
		add(Rule{ID: m.findings[i].Rule})
	}
	return index
}

func sarifLevel(s gate.Severity) string {
	switch s {
	case gate.SeverityError:
		return sarif.LevelError
	case gate.Warning:
		return sarif.LevelWarning
	case gate.Notice:
		return sarif.LevelNote
	}
	return sarif.LevelNone
}

func (m *model) sarifResult(f *gate.Finding, rule int, fingerprint string) *sarif.Result {
	place := sarif.NewSimpleArtifactLocation(uriPath(repositoryPath(m.fileOf(f))))
	where := sarif.NewPhysicalLocation().WithArtifactLocation(place).WithRegion(m.sarifRegion(f))
	res := sarif.NewRuleResult(oneLine(f.Rule)).WithRuleIndex(rule).WithLevel(sarifLevel(f.Severity)).
		WithMessage(sarifMessage(cutText(oneLine(f.Message), sarifMaxMessage))).
		WithLocations([]*sarif.Location{sarif.NewLocationWithPhysicalLocation(where)}).
		WithPartialFingerprints(map[string]string{SARIFFingerprint: fingerprint})
	if f.Suggestion != "" && f.Line > 0 && len(f.Suggestion) <= sarifMaxFix && utf8.ValidString(f.Suggestion) {
		lines := sarif.NewRegion().WithStartLine(f.Line).WithStartColumn(1).WithEndLine(max(f.Line, f.EndLine))
		change := sarif.NewArtifactChange().WithArtifactLocation(place).AddReplacement(sarif.NewReplacement().
			WithDeletedRegion(lines).WithInsertedContent(sarif.NewArtifactContent().WithText(f.Suggestion)))
		res.WithFixes([]*sarif.Fix{sarif.NewFix().WithDescription(sarif.NewTextMessage("replace the statement")).AddArtifactChange(change)})
	}
	return res
}

// sarifRegion is where a finding is; a file as a whole is shown at its first
// line, since GitHub shows nothing without one. Columns are given as far as
// they are known from the statement.
func (m *model) sarifRegion(f *gate.Finding) *sarif.Region {
	line, end := max(f.Line, 1), max(f.Line, f.EndLine, 1)
	from, to := f.Column, 0
	if st := m.at(f.File, f.Line); st != nil && st.Column > 0 {
		if from == 0 && line == st.Line {
			from = st.Column
		}
		if lines := strings.Split(unixLines(st.SQL), "\n"); end-st.Line < len(lines) {
			to = utf8.RuneCountInString(lines[end-st.Line]) + 1
			if end == st.Line {
				to += st.Column - 1
			}
		}
	}
	r := sarif.NewRegion().WithStartLine(line).WithStartColumn(max(from, 1)).WithEndLine(end)
	if to > 0 && (end > line || to > from) {
		r.WithEndColumn(to)
	}
	return r
}

// sarifPlaceholder is, beside links, what SARIF's plain text takes for more than text
// (sections 3.11.5 and 3.11.6).
var sarifPlaceholder = regexp.MustCompile(`\{([0-9]+)\}`)

func sarifMessage(s string) *sarif.Message {
	s = sarifPlaceholder.ReplaceAllString(s, "{{$1}}")
	return sarif.NewTextMessage(strings.ReplaceAll(s, "](", "] ("))
}

// sarifInvocation says how the run went: why it could not decide, and what it
// could not measure.
func (m *model) sarifInvocation(cut int) *sarif.Invocation {
	inv := sarif.NewInvocation().WithExecutionSuccessful(m.r.Verdict != gate.Error).WithExitCode(m.r.Verdict.ExitCode())
	say := func(level, text string) {
		inv.AddToolExecutionNotification(sarif.NewNotification().WithLevel(level).WithMessage(sarifMessage(cutText(text, sarifMaxMessage))))
	}
	if m.r.Verdict == gate.Error {
		say(sarif.LevelError, cmp.Or(oneLine(m.r.Reason), "the gate could not decide, and gave no reason"))
	} else if m.r.Verdict == gate.Skipped && m.r.Reason != "" {
		say(sarif.LevelNote, oneLine(m.r.Reason))
	}
	for _, u := range m.obs.Unmeasured {
		say(sarif.LevelWarning, "not measured: "+unmeasuredText(u))
	}
	if cut > 0 {
		say(sarif.LevelNote, fmt.Sprintf("%s more not listed: a run shows at most %s", plural(int64(cut), "finding"), number(SARIFMaxResults)))
	}
	return inv
}

// withoutDefaults leaves out what the library writes for members that were
// not given, and what a reader takes them for anyway: empty lists, and -1.
func withoutDefaults(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			list, isList := x.([]any)
			if isList && len(list) == 0 && k != "results" && k != "rules" || x == float64(-1) {
				delete(v, k)
				continue
			}
			if bag, ok := x.(map[string]any); ok && len(bag) == 0 {
				delete(v, k)
				continue
			}
			v[k] = withoutDefaults(x)
		}
	case []any:
		for i := range v {
			v[i] = withoutDefaults(v[i])
		}
	}
	return v
}

// uriPath writes a path as a relative URI reference (RFC 3986): all but
// unreserved characters and the slash is percent-encoded, byte by byte.
func uriPath(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
