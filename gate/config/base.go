package config

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"go.yaml.in/yaml/v3"
)

// FileQuery asks for the configuration file's content.
type FileQuery struct {
	// Path is absolute: the file that --config names, or that of the default
	// name at the repository's top. It need not exist.
	Path string
	// Dir is the directory that the run is in, absolute.
	Dir string
	// Command that was called ("migrate up"), and what it was given of the
	// options that tell the sides of a change apart.
	Command, From, Base, Head string
}

// FileAnswer is the file on the side that counts and, where that is not the
// one that is checked out, on the other one too.
type FileAnswer struct {
	// Data is nil where there is no such file on the side that counts.
	Data []byte
	// Compared: Before and After are the base's and the head's content, nil for
	// no file; Name is the file's path from the repository's top.
	Compared      bool
	Name          string
	Before, After []byte
	// HeadCounts: After is Data.
	HeadCounts bool
}

// FileSource answers where a configuration file's content comes from.
type FileSource func(FileQuery) (FileAnswer, error)

// changes lists what differs between two contents of the file, key by key, in
// the order of the head's lines. A side that is no YAML mapping is compared as
// a whole.
func (p *Parser) changes(a FileAnswer) []gate.ConfigChange {
	if !a.Compared || bytes.Equal(a.Before, a.After) {
		return nil
	}
	out := p.problem(a)
	before, okBefore := flatten(a.Before)
	after, okAfter := flatten(a.After)
	if !okBefore || !okAfter {
		if len(out) > 0 {
			return out
		}
		return []gate.ConfigChange{{File: a.Name, InForce: a.HeadCounts}}
	}
	keys := slices.Collect(maps.Keys(before))
	for k := range after {
		if _, ok := before[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(x, y string) int {
		if d := after[x].line - after[y].line; d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
	for _, k := range keys {
		x, y := before[k], after[k]
		if x.text == y.text {
			continue
		}
		if o := p.optionOfKey(k); o.Secret {
			x.text, y.text = masked(x.text), masked(y.text)
		}
		out = append(out, gate.ConfigChange{File: a.Name, Line: y.line, Key: k, Before: x.text, After: y.text, InForce: a.HeadCounts})
	}
	return out
}

// problem tells where the head's file, which does not count yet, could not be
// read: merged, it would end every later run.
func (p *Parser) problem(a FileAnswer) []gate.ConfigChange {
	if a.HeadCounts || a.After == nil {
		return nil
	}
	fp := fileParser{shown: a.Name, opts: p.opts, rules: p.rules}
	var mistake *Error
	if _, err := fp.parse(a.After); !errors.As(err, &mistake) {
		return nil
	}
	c := gate.ConfigChange{File: a.Name, Line: 1, Problem: mistake.Error()}
	if f := strings.Split(strings.TrimPrefix(mistake.Where, a.Name+":"), ":"); len(f) == 2 {
		if line, err := strconv.Atoi(f[0]); err == nil && line > 0 {
			c.Line = line
		}
	}
	return []gate.ConfigChange{c}
}

func masked(s string) string {
	if s == "" {
		return ""
	}
	return "***"
}

func (p *Parser) optionOfKey(key string) Option {
	if i := slices.IndexFunc(p.opts, func(o Option) bool { return o.Key == key }); i >= 0 {
		return p.opts[i]
	}
	return Option{}
}

type flat struct {
	text string
	line int
}

// flatten spells a YAML mapping as "key" and "key.key" to text: tables and
// rules by their entries, everything else by its top key. Line 0 is a key that
// is not there. False: it is no mapping, or too much to spell (aliases of
// aliases can make a short file endless).
func flatten(data []byte) (map[string]flat, bool) {
	out := map[string]flat{}
	var doc yaml.Node
	if len(data) > maxFile || yaml.Unmarshal(data, &doc) != nil {
		return nil, false
	}
	left := maxFile
	inline := func(n *yaml.Node) string { return inline(n, maxNesting, &left) }
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return out, true
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, false
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], resolve(root.Content[i+1])
		nested := key.Value == TablesKey || key.Value == RulesKey
		if !nested || value.Kind != yaml.MappingNode {
			out[key.Value] = flat{inline(value), key.Line}
			continue
		}
		for k := 0; k+1 < len(value.Content); k += 2 {
			name := key.Value + "." + value.Content[k].Value
			out[name] = flat{inline(resolve(value.Content[k+1])), value.Content[k].Line}
		}
	}
	if order := tableOrder(root); order != "" {
		// The first pattern that matches counts, so that their order is a
		// setting, too.
		out[TablesKey] = flat{order, out[TablesKey].line}
	}
	return out, left > 0
}

// tableOrder spells the patterns of the tables in their order, "" where there
// are not at least two.
func tableOrder(root *yaml.Node) string {
	var names []string
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != TablesKey {
			continue
		}
		value := resolve(root.Content[i+1])
		for k := 0; k+1 < len(value.Content) && value.Kind == yaml.MappingNode; k += 2 {
			names = append(names, strconv.Quote(value.Content[k].Value))
		}
	}
	if len(names) < 2 {
		return ""
	}
	return "order: " + strings.Join(names, ", ")
}

// maxNesting is far deeper than any setting.
const maxNesting = 20

// inline spells a node in one line, without comments and styles, while there is
// something left of what may be spelled.
func inline(n *yaml.Node, depth int, left *int) string {
	n = resolve(n)
	if depth == 0 {
		*left = 0
	}
	*left -= 1 + len(n.Value)
	if *left <= 0 {
		*left = 0
		return ""
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value
	case yaml.SequenceNode:
		parts := make([]string, len(n.Content))
		for i, e := range n.Content {
			parts[i] = inline(e, depth-1, left)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		var parts []string
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, n.Content[i].Value+": "+inline(n.Content[i+1], depth-1, left))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return ""
}
