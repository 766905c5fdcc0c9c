package migration

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// flywayScriptConfig is what the file beside a script says of it.
type flywayScriptConfig struct {
	inTransaction, replace *bool
	encoding               string
	skip                   bool
	// why it is skipped, and what would answer as production does.
	why, answer string
}

func (t flyway) scriptConfig(in input) (s flywayScriptConfig, err error) {
	file := in.file + ".conf"
	text, ok, err := in.beside(path.Base(file))
	if err != nil || !ok {
		return s, err
	}
	for _, p := range readProperties(text) {
		fail := func(message, remedy string) error {
			return &InputError{File: file, Line: p.line, Col: 1, Message: message, Remedy: remedy}
		}
		value, err := t.expand(in, file, p)
		if err != nil {
			return s, err
		}
		yes := strings.EqualFold(value, "true")
		switch p.key {
		case "executeInTransaction", "placeholderReplacement":
			if !yes && !strings.EqualFold(value, "false") {
				return s, fail(p.key+" is neither true nor false, which Flyway refuses", "say which")
			}
			if p.key == "executeInTransaction" {
				s.inTransaction = &yes
			} else {
				s.replace = &yes
			}
		case "encoding":
			s.encoding = value
		case "shouldExecute":
			run, ok := evaluate(value)
			if !ok {
				return s, fail("shouldExecute is an expression that this program does not understand", "write it as true, false or a comparison by == and !=, joined by && or ||")
			}
			if s.skip = !run; s.skip {
				s.why = fmt.Sprintf("not run: shouldExecute in %s:%d says no", file, p.line)
				s.answer = t.unsaid(in, p.value)
			}
		default:
			return s, fail("Flyway does not know the property "+strconv.Quote(p.key)+" of a script, and refuses it", "remove it: executeInTransaction, encoding, placeholderReplacement and shouldExecute can be said here")
		}
	}
	return s, nil
}

// unsaid asks for the placeholders of an expression that nobody gave with the
// run: a project's file may have others than production.
func (t flyway) unsaid(in input, value string) string {
	var ask []string
	for _, s := range t.config().stretches(value) {
		given := false
		for name := range in.opt.Placeholders {
			given = given || strings.EqualFold(name, s.name)
		}
		if s.is && !given {
			ask = append(ask, "--placeholder "+s.name+"=VALUE")
		}
	}
	if ask == nil {
		return ""
	}
	return "pass " + strings.Join(ask, " ") + " as it is in production"
}

// evaluate answers an expression of shouldExecute.
func evaluate(expression string) (yes, ok bool) {
	for _, either := range strings.Split(expression, "||") {
		all := true
		for _, term := range strings.Split(either, "&&") {
			term = strings.TrimSpace(term)
			truth := strings.EqualFold(term, "true")
			if a, b, equal := strings.Cut(term, "=="); equal {
				truth = strings.TrimSpace(a) == strings.TrimSpace(b)
			} else if a, b, unequal := strings.Cut(term, "!="); unequal {
				truth = strings.TrimSpace(a) != strings.TrimSpace(b)
			} else if !truth && !strings.EqualFold(term, "false") || strings.ContainsAny(term, "()") {
				return false, false
			}
			all = all && truth
		}
		yes = yes || all
	}
	return yes, true
}

// plainEncodings are those in which ASCII is what it is in UTF-8.
var plainEncodings = regexp.MustCompile(`(?i)^(us-?ascii|iso-?8859-?\d+|latin-?\d+|windows-?125\d|cp-?125\d|shift[_-]?jis|euc-\w+|gbk|gb18030|big5)$`)

// checkEncoding refuses a file that Flyway would read as other characters.
func (c *flywayConfig) checkEncoding(in input, script string) error {
	encoding := cmp.Or(script, c.encoding, "UTF-8")
	ascii := !slices.ContainsFunc(in.text, func(b byte) bool { return b >= 0x80 })
	if strings.EqualFold(encoding, "UTF-8") || strings.EqualFold(encoding, "UTF8") || ascii && plainEncodings.MatchString(encoding) {
		return nil
	}
	return &InputError{File: in.file, Message: "Flyway is told to read it as " + encoding + ", which this program reads only as far as it is ASCII", Remedy: "save it as UTF-8 and say so with flyway.encoding, or with encoding in " + path.Base(in.file) + ".conf"}
}
