package config

import (
	"slices"
	"strings"
)

// Env is an environment as a lookup and a list, so that tests and embedders
// bring their own.
type Env map[string]string

// NewEnv makes an Env of "NAME=value" lines; the first of a name counts, as
// getenv has it.
func NewEnv(environ []string) Env {
	e := make(Env, len(environ))
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if _, dup := e[name]; ok && !dup {
			e[name] = value
		}
	}
	return e
}

// Get returns the variable's value without the space around it. Unset, empty
// and blank are the same: CI systems set what was not given to "".
func (e Env) Get(name string) string { return strings.TrimSpace(e[name]) }

// lookup finds the option's value in the environment and the name it has
// there. Inputs count under GitHub Actions only, where the runner sets them;
// elsewhere INPUT_BASE may be anybody's.
func (e Env) lookup(o Option) (value, name string) {
	actions := e.Get("GITHUB_ACTIONS") == "true"
	for _, n := range o.Env {
		if strings.HasPrefix(n, "INPUT_") && !actions {
			continue
		}
		if v := e.Get(n); v != "" {
			return v, n
		}
	}
	return "", ""
}

// unknown lists variables with the tool's prefix that no option reads, each
// with the nearest that one does.
func (e Env) unknown(opts []Option, writes []string) []string {
	var known []string
	for _, o := range opts {
		if len(o.Env) > 0 {
			known = append(known, o.Env[0])
		}
	}
	var out []string
	for name := range e {
		if !strings.HasPrefix(name, EnvPrefix) || slices.Contains(known, name) || slices.Contains(writes, name) || strings.HasPrefix(name, EnvPrefix+"TEST_") {
			continue
		}
		out = append(out, name+" is not read by anything"+hint(name, known))
	}
	slices.Sort(out)
	return out
}

// splitList takes a list's text from the environment apart: one element per
// line, or where it is a single line, commas outside braces and brackets
// separate them.
func splitList(s string) []string {
	parts := strings.Split(s, "\n")
	if len(parts) == 1 {
		parts = splitCommas(s)
	}
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

func splitCommas(s string) []string {
	var out []string
	depth, start := 0, 0
	for i, r := range s {
		switch r {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth <= 0 {
				out = append(out, s[start:i])
				start = i + 1
			}
		}
	}
	return append(out, s[start:])
}
