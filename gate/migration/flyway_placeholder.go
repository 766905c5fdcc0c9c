package migration

import (
	"cmp"
	"path"
	"strings"
)

// flywayTimestamp stands for the time at which Flyway runs, which differs
// each time and must not make two readings of one file differ.
const flywayTimestamp = "2000-01-01 00:00:00"

// placeholder looks a name up: what the user said comes before the
// environment, and that before the configuration. Case does not matter.
func (t flyway) placeholder(in input, name string) (value string, e *InputError) {
	c := t.config()
	lower := strings.ToLower(name)
	for key, value := range in.opt.Placeholders {
		if strings.ToLower(key) == lower {
			return value, nil
		}
	}
	if in.opt.Getenv != nil {
		if value, ok := in.opt.Getenv("FLYWAY_PLACEHOLDERS_" + strings.ToUpper(name)); ok {
			return value, nil
		}
	}
	written := c.open + name + c.shut
	pass := "pass --placeholder " + name + "=VALUE"
	if v, ok := c.placeholders[lower]; ok {
		if v.lacks != "" {
			return "", &InputError{Message: "the placeholder " + written + " comes from " + v.lacks + ", which this run does not have", Remedy: pass}
		}
		return v.text, nil
	}
	own, ok := strings.CutPrefix(lower, "flyway"+strings.ToLower(c.namespaceSeparator))
	if !ok {
		return "", &InputError{Message: "no value is known for the placeholder " + written + ", and Flyway would refuse it so", Remedy: pass + ", or add flyway.placeholders." + name + " to flyway.conf; placeholderReplacement=false in the script's .conf leaves " + c.open + " alone"}
	}
	switch own {
	case "defaultschema":
		return cmp.Or(c.schema, "public"), nil
	case "table":
		return c.table, nil
	case "filename":
		return path.Base(in.file), nil
	case "timestamp":
		return flywayTimestamp, nil
	case "environment":
		return "default", nil
	case "user":
		value = c.user
	case "database":
		value = c.database
	case "workingdirectory":
	default:
		return "", &InputError{Message: "Flyway has no placeholder " + written, Remedy: "remove it"}
	}
	if value == "" {
		return "", &InputError{Message: "the value of " + written + " is known where Flyway runs, and not here", Remedy: pass}
	}
	return value, nil
}

// stretch is a part of a text that is no placeholder, or one.
type stretch struct {
	from, to int
	name     string
	is       bool
	unclosed bool
}

// stretches finds placeholders as Flyway's reader does: what it has read while
// it looked for the prefix it does not look at again, so $${a} has none.
func (c *flywayConfig) stretches(text string) (all []stretch) {
	last := 0
	for i := 0; i < len(text); {
		n := 1
		for n < len(c.open) && i+n < len(text) && text[i:i+n] == c.open[:n] {
			n++
		}
		if text[i:i+n] != c.open {
			i += n
			continue
		}
		if last < i {
			all = append(all, stretch{from: last, to: i})
		}
		s := stretch{from: i, is: true}
		rest := text[i+n:]
		if end := strings.Index(rest, c.shut); end >= 0 {
			s.name, s.to = rest[:end], i+n+end+len(c.shut)
		} else {
			s.name, s.to, s.unclosed = rest, len(text), true
		}
		all = append(all, s)
		i, last = s.to, s.to
	}
	if last < len(text) {
		all = append(all, stretch{from: last, to: len(text)})
	}
	return all
}

// replacePlaceholders returns the text that Flyway reads, which still knows
// where in the file it stands: what a placeholder stands for is where it is.
func (t flyway) replacePlaceholders(in input, src *source) (*source, error) {
	c := t.config()
	if !strings.Contains(src.text, c.open) || c.open == "" || c.shut == "" {
		return src, nil
	}
	var b strings.Builder
	out := &source{file: src.file}
	add := func(p *source) {
		for _, m := range p.marks {
			m.off += b.Len()
			if n := len(out.marks); n > 0 && out.marks[n-1].off == m.off {
				out.marks = out.marks[:n-1]
			}
			out.marks = append(out.marks, m)
		}
		b.WriteString(p.text)
	}
	for _, s := range c.stretches(src.text) {
		if !s.is {
			add(src.part(s.from, s.to))
			continue
		}
		if s.unclosed {
			return nil, src.errorAt(s.from, c.open+" opens a placeholder that is never closed, which Flyway refuses", "end it with "+c.shut+", or turn placeholders off by placeholderReplacement=false in "+path.Base(in.file)+".conf")
		}
		value, e := t.placeholder(in, s.name)
		if e != nil {
			return nil, src.errorAt(s.from, e.Message, e.Remedy)
		}
		off, line, col := src.position(s.from)
		end, _, _ := src.position(s.to)
		marks := []mark{{0, off, line, col, end}}
		for i := range value { // its lines are none of the file's
			if value[i] == '\n' {
				marks = append(marks, mark{i + 1, off, line, col, end})
			}
		}
		if value != "" {
			add(&source{text: value, marks: marks})
		}
	}
	out.text = b.String()
	if len(out.marks) == 0 {
		out.marks = src.marks[:1]
	}
	return out, nil
}

// expand replaces the placeholders of a property, of a script's own file.
func (t flyway) expand(in input, file string, p property) (string, error) {
	var b strings.Builder
	for _, s := range t.config().stretches(p.value) {
		if !s.is {
			b.WriteString(p.value[s.from:s.to])
			continue
		}
		value, e := t.placeholder(in, s.name)
		if e != nil {
			e.File, e.Line, e.Col = file, p.line, 1
			return "", e
		}
		b.WriteString(value)
	}
	return b.String(), nil
}
