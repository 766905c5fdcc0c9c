package runnertest

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// Limits of the runner and of GitHub's services, per step.
const (
	AnnotationsPerLevel = 10
	MessageLength       = 4096    // in UTF-16 units; the rest is cut off
	SummarySize         = 1 << 20 // bytes; a bigger summary is dropped whole
)

// Annotation is an issue that the runner reports for a step.
type Annotation struct {
	Level, File, Title, Message string
	// Line, EndLine and Column are as given, "" for none.
	Line, EndLine, Column string
}

// Annotations are those of the commands that GitHub shows, and how many it
// leaves out since there are more of their level.
func Annotations(commands []Command) (shown []Annotation, left int) {
	count := map[string]int{}
	for _, c := range commands {
		level := strings.ToLower(c.Name)
		if level != "error" && level != "warning" && level != "notice" {
			continue
		}
		if count[level]++; count[level] > AnnotationsPerLevel {
			left++
			continue
		}
		message := utf16.Encode([]rune(c.Data))
		shown = append(shown, Annotation{Level: level, File: c.Properties["file"], Title: c.Properties["title"],
			Message: string(utf16.Decode(message[:min(len(message), MessageLength)])),
			Line:    c.Properties["line"], EndLine: c.Properties["endLine"], Column: c.Properties["col"]})
	}
	return shown, left
}

// ParseOutputs reads a file of names and values as the runner reads
// GITHUB_OUTPUT and GITHUB_ENV; of a name given twice the last value counts. An
// error is one that fails the step.
func ParseOutputs(file []byte) (map[string]string, error) {
	out := map[string]string{}
	rest := string([]rune(strings.TrimPrefix(string(file), "\ufeff")))
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if line == "" {
			continue
		}
		equals, heredoc := strings.Index(line, "="), strings.Index(line, "<<")
		switch {
		case equals >= 0 && (heredoc < 0 || equals < heredoc):
			out[line[:equals]] = line[equals+1:]
		case heredoc >= 0:
			name, delimiter := line[:heredoc], line[heredoc+2:]
			if name == "" || delimiter == "" {
				return nil, fmt.Errorf("invalid format %q: name and delimiter must not be empty", line)
			}
			var lines []string
			for {
				l, after, more := strings.Cut(rest, "\n")
				if l == delimiter {
					rest = after
					break
				}
				if !more {
					return nil, fmt.Errorf("invalid value of %q: matching delimiter %q not found", name, delimiter)
				}
				lines, rest = append(lines, l), after
			}
			out[name] = strings.Join(lines, "\n")
		default:
			return nil, fmt.Errorf("invalid format %q", line)
		}
	}
	return out, nil
}
