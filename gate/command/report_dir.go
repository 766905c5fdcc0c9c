package command

import (
	"path/filepath"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
	"github.com/migration-gate/migration-gate/gate/report"
)

// reportFile is one of those that --report-dir gets.
type reportFile struct {
	format, name string
	// output of the action that names it.
	output string
}

func reportFiles() []reportFile {
	return []reportFile{
		{"text", "report.txt", "report-txt"},
		{"markdown", "report.md", "report-md"},
		{"json", "report.json", "report-json"},
		{"sarif", "report.sarif", "report-sarif"},
		{"junit", "junit.xml", "report-junit"},
		{"code-quality", "code-quality.json", "report-code-quality"},
		{"dotenv", "report.env", "report-dotenv"},
	}
}

// defaultReportDir is where the reports go under GitHub Actions, whose outputs
// name them.
const defaultReportDir = "migration-gate-report"

// reportDir is where the files go, absolute; "" for nowhere. publishing is a run
// that tells the forge of itself.
func (a *app) reportDir(o config.Output, publishing bool) string {
	switch {
	case o.ReportDir != "":
		return a.path(o.ReportDir)
	case publishing && a.onGitHub():
		return a.path(defaultReportDir)
	}
	return ""
}

// formats are the places that a command's reports go to: those of --format and
// the files of reportDir.
func (a *app) formats(o config.Output, publishing bool) ([]config.Format, error) {
	formats, err := o.Formats()
	if err != nil {
		return nil, err
	}
	if dir := a.reportDir(o, publishing); dir != "" {
		for _, f := range reportFiles() {
			formats = append(formats, config.Format{Name: f.format, Path: filepath.Join(dir, f.name)})
		}
	}
	return formats, nil
}

// reportPaths names the report files that this run wrote, by the action's output
// for each, relative to the workspace that later steps start in.
func (a *app) reportPaths(dir string) map[string]string {
	paths := map[string]string{}
	if dir == "" {
		return paths
	}
	from := a.vars.Get("GITHUB_WORKSPACE")
	if from == "" {
		from = a.env.Dir
	}
	for _, f := range reportFiles() {
		path := filepath.Join(dir, f.name)
		if !a.wrote[path] {
			continue // an older run's may well be there
		}
		if rel, err := filepath.Rel(from, path); err == nil && filepath.IsLocal(rel) {
			path = rel
		}
		paths[f.output] = filepath.ToSlash(path)
	}
	return paths
}

// dotenvNames are the variables that a dotenv report hands to later jobs.
func dotenvNames() []string {
	var names []string
	for _, o := range report.Outputs(gate.Report{}) {
		names = append(names, report.DotenvName(o.Name))
	}
	return names
}
