package report

import (
	"bytes"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// codeQuality is one entry of GitLab's Code Quality report (GitLab Docs, "Code
// Quality", "Implement a custom tool"). GitLab stops reading at the first
// entry that lacks description, fingerprint, severity or location.
type codeQuality struct {
	Description string              `json:"description"`
	CheckName   string              `json:"check_name"`
	Fingerprint string              `json:"fingerprint"`
	Severity    string              `json:"severity"`
	Location    codeQualityLocation `json:"location"`
}

type codeQualityLocation struct {
	Path  string           `json:"path"`
	Lines codeQualityLines `json:"lines"`
}

type codeQualityLines struct {
	Begin int `json:"begin"`
}

// codeQualitySeverity maps ours: an error is "critical", since by default it
// fails the run, and GitLab's "blocker" would claim the same for one that was
// configured not to.
func codeQualitySeverity(s gate.Severity) string {
	switch s {
	case gate.SeverityError:
		return "critical"
	case gate.Warning:
		return "minor"
	}
	return "info"
}

// renderCodeQuality writes the findings as GitLab's merge requests read them.
func renderCodeQuality(m *model, b *bytes.Buffer) error {
	prints := m.fingerprints()
	entries := make([]codeQuality, 0, len(m.findings))
	for i := range m.findings {
		f := &m.findings[i]
		entries = append(entries, codeQuality{
			Description: cutText(oneLine(f.Message), 1000), CheckName: oneLine(f.Rule), Fingerprint: prints[i],
			Severity: codeQualitySeverity(f.Severity),
			Location: codeQualityLocation{repositoryPath(m.fileOf(f)), codeQualityLines{max(f.Line, 1)}},
		})
	}
	raw, err := encodeJSON(entries)
	b.Write(raw)
	return err
}

// repositoryPath is a path from the repository's top, which no "/" or "./" at
// its beginning leads away from.
func repositoryPath(file string) string {
	for strings.HasPrefix(file, "./") || strings.HasPrefix(file, "/") {
		file = strings.TrimPrefix(strings.TrimPrefix(file, "./"), "/")
	}
	if file == "" {
		return "."
	}
	return file
}
