package migration

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// expandEnv replaces variables in a line by the rules of the library goose
// uses: $NAME, ${NAME}, ${NAME:-default if empty}, ${NAME-default if unset},
// ${NAME:offset:length}, ${NAME?message}; \$ and $$ stand for a dollar, and \\
// and $( for themselves.
func expandEnv(line string, getenv func(string) (string, bool)) (string, error) {
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	e := &expander{s: line, getenv: getenv}
	return e.text(false)
}

type expander struct {
	s      string
	pos    int
	getenv func(string) (string, bool)
}

func (e *expander) rest() string { return e.s[e.pos:] }

// text expands up to the end, or in braces up to the closing one.
func (e *expander) text(braces bool) (string, error) {
	var b strings.Builder
	for e.pos < len(e.s) {
		r := e.rest()
		switch {
		case braces && r[0] == '}':
			return b.String(), nil
		case strings.HasPrefix(r, `\\`), strings.HasPrefix(r, `$(`):
			b.WriteString(r[:2])
			e.pos += 2
		case strings.HasPrefix(r, `\$`), strings.HasPrefix(r, `$$`):
			b.WriteByte('$')
			e.pos += 2
		case r[0] == '$' && len(r) > 1:
			v, err := e.variable()
			if err != nil {
				return "", err
			}
			b.WriteString(v)
		default:
			b.WriteByte(r[0])
			e.pos++
		}
	}
	return b.String(), nil
}

func (e *expander) identifier() (string, error) {
	r, _ := utf8.DecodeRuneInString(e.rest())
	if !unicode.IsLetter(r) {
		return "", fmt.Errorf("the name of a variable cannot begin with %q", r)
	}
	n := strings.IndexFunc(e.rest(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && r != '_' })
	if n < 0 {
		n = len(e.rest())
	}
	name := e.rest()[:n]
	e.pos += n
	return name, nil
}

func (e *expander) variable() (string, error) {
	e.pos++ // the dollar
	braces := strings.HasPrefix(e.rest(), "{")
	if braces {
		e.pos++
	}
	name, err := e.identifier()
	if err != nil {
		return "", err
	}
	value, set := e.getenv(name)
	if !braces {
		return value, nil
	}
	value, err = e.operation(name, value, set)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(e.rest(), "}") {
		return "", errors.New("a brace of ${" + name + "} is not closed")
	}
	e.pos++
	return value, nil
}

// operation applies what stands between the name and the closing brace.
func (e *expander) operation(name, value string, set bool) (string, error) {
	r := e.rest()
	switch {
	case strings.HasPrefix(r, "}"):
		return value, nil
	case strings.HasPrefix(r, ":-"), strings.HasPrefix(r, "-"), strings.HasPrefix(r, "?"):
		useDefault := !set
		if r[0] == ':' {
			useDefault = value == ""
			e.pos++
		}
		e.pos++
		alt, err := e.text(true)
		switch {
		case err != nil && useDefault:
			return "", err
		case !useDefault:
			return value, nil
		case r[0] == '?':
			if alt == "" {
				alt = "not set"
			}
			return "", errors.New("$" + name + ": " + alt)
		}
		return alt, nil
	case strings.HasPrefix(r, ":"):
		e.pos++
		end := strings.IndexByte(e.rest(), '}')
		if end < 0 {
			return value, nil
		}
		spec := e.rest()[:end]
		e.pos += end
		return substring(value, spec)
	}
	return "", fmt.Errorf("after ${%s an operator is expected", name)
}

// substring takes offset[:length] of a value, in bytes; negative numbers count
// from the end.
func substring(value, spec string) (string, error) {
	first, second, hasLength := strings.Cut(spec, ":")
	from, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return "", fmt.Errorf("%q is no offset", first)
	}
	if from < 0 {
		from += len(value)
	}
	from = min(max(from, 0), len(value))
	to := len(value)
	if hasLength {
		n, err := strconv.Atoi(strings.TrimSpace(second))
		if err != nil {
			return "", fmt.Errorf("%q is no length", second)
		}
		if n >= 0 {
			to = min(from+n, len(value))
		} else {
			to = max(len(value)+n, from)
		}
	}
	return value[from:to], nil
}
