package gitlabtest

import (
	"html"
	"regexp"
	"strings"
)

const actions = `(?:close|reopen|merge|approve|unapprove|label|unlabel|assign|assign_reviewer|milestone|title|draft|ready|target_branch|rebase|lock|spend|shrug|tableflip)`

var (
	// old is how versions up to 16 tell code from commands: three backticks at
	// a line's beginning, to three backticks alone on a line, whatever the
	// length of the fence that CommonMark sees.
	old     = regexp.MustCompile("(?ims)^```.+?\n```$|^/(?P<action>" + actions + "(?: [^\n]*)?)(?:\\s*\n|$)")
	command = regexp.MustCompile(`(?i)^ {0,3}/(` + actions + `(?: .*)?)$`)
)

// QuickActions takes out of a note what some version of GitLab would carry
// out: an old one, or a new one, which looks at lines of paragraphs as
// CommonMark has them.
func QuickActions(body string) (left string, found []string) {
	body = strings.ReplaceAll(body, "\r", "")
	body = old.ReplaceAllStringFunc(body, func(s string) string {
		action := old.FindStringSubmatch(s)[old.SubexpIndex("action")]
		if action == "" {
			return s
		}
		found = append(found, "/"+strings.TrimSpace(action))
		return ""
	})
	var kept []string
	for _, l := range lines(body) {
		if m := command.FindStringSubmatch(l.text); m != nil && !l.code {
			found = append(found, "/"+strings.TrimSpace(m[1]))
			continue
		}
		kept = append(kept, l.text)
	}
	return strings.Join(kept, "\n"), found
}

type line struct {
	text string
	code bool
}

// lines tells those in fenced code from the others (CommonMark, "Fenced code blocks").
func lines(body string) []line {
	var out []line
	fence := ""
	for l := range strings.SplitSeq(body, "\n") {
		bare := strings.TrimLeft(l, " ")
		run := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		info := bare[len(run):]
		indented := len(l)-len(bare) > 3
		switch {
		case fence == "" && len(run) >= 3 && !indented && !strings.Contains(info, "`"):
			fence = run
			out = append(out, line{l, true})
		case fence != "" && len(run) >= len(fence) && !indented && strings.TrimSpace(info) == "":
			fence = ""
			out = append(out, line{l, true})
		default:
			out = append(out, line{l, fence != ""})
		}
	}
	return out
}

var (
	element   = regexp.MustCompile(`<code>.*?</code>|<!--.*?-->`)
	tag       = regexp.MustCompile(`<[^>\n]*>`)
	reference = regexp.MustCompile(strings.Join([]string{
		`@[A-Za-z0-9_][A-Za-z0-9_.-]*`,
		`[#!&$][0-9]+`,
		`~(?:[A-Za-z0-9_:]+|"[^"]+")`,
		`%(?:[A-Za-z0-9_]+|"[^"]+")`,
		`\[(?:issue|work_item|epic|vulnerability|feature_flag|contact|cadence):[^\]]+\]`,
		`\*iteration:[0-9A-Za-z"]+`,
		`\^alert#[0-9]+`,
		`https?://\S+`,
	}, "|"))
)

// References are what GitLab would link, notify or label from a note: found,
// as there, in the text that Markdown makes, outside code.
func References(body string) []string {
	var prose strings.Builder
	for _, l := range lines(body) {
		if !l.code {
			prose.WriteString(l.text + "\n")
		}
	}
	// A reference does not reach across an element's border.
	text := html.UnescapeString(tag.ReplaceAllString(element.ReplaceAllString(prose.String(), "\n"), "\n"))
	return reference.FindAllString(text, -1)
}
