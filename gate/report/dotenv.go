package report

import (
	"bytes"
	"fmt"
	"strings"
)

// DotenvPrefix begins every variable's name in the dotenv format.
const DotenvPrefix = "MIGRATION_GATE_"

// GitLab's limits for artifacts:reports:dotenv (GitLab Docs, "GitLab CI/CD
// artifacts reports types"; parse_dotenv_artifact_service.rb): the file is
// smaller than 5 KiB, has at most 20 variables on an instance that changed
// nothing, and every line is NAME=value, so no empty ones and no comments.
const (
	DotenvMaxBytes     = 5 * 1024
	DotenvMaxVariables = 20
)

// renderDotenv writes Outputs one variable a line.
func renderDotenv(m *model, b *bytes.Buffer) error {
	for _, o := range Outputs(m.r) {
		fmt.Fprintf(b, "%s=%s\n", DotenvName(o.Name), o.Value)
	}
	return nil
}

// DotenvName is the variable's name of an Output: MIGRATION_GATE_TOTAL_MS.
func DotenvName(output string) string {
	return DotenvPrefix + strings.ToUpper(strings.ReplaceAll(output, "-", "_"))
}
