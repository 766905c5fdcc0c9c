package config

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value reads the option's value from the file as the texts that a flag would
// be given: one, or for a list one per element.
func (p *fileParser) value(o Option, key string, n *yaml.Node) ([]string, error) {
	n = resolve(n)
	if o.Type == List && n.Kind == yaml.SequenceNode {
		texts := make([]string, 0, len(n.Content))
		for _, e := range n.Content {
			t, err := p.scalar(o, key, resolve(e))
			if err != nil {
				return nil, err
			}
			texts = append(texts, t)
		}
		return texts, nil
	}
	t, err := p.scalar(o, key, n)
	return []string{t}, err
}

func (p *fileParser) scalar(o Option, key string, n *yaml.Node) (string, error) {
	wrong := func() error {
		return p.errorf(n, "%s: %s is not %s%s", key, p.describe(o, n), o.Wants(), quoteHint(o, n))
	}
	if n.Kind != yaml.ScalarNode {
		return "", wrong()
	}
	text := n.Value
	switch {
	case n.Tag == "!!null":
		return "", p.errorf(n, "%s: no value; give it one or remove the line", key)
	case o.Type == Number:
		var ok bool
		if text, ok = wholeNumber(n); !ok {
			return "", wrong()
		}
	case o.Type == Switch:
		if n.Tag != "!!bool" {
			return "", wrong()
		}
	case n.Tag == "!!str":
	case o.BareNumber && (n.Tag == "!!int" || n.Tag == "!!float"):
	default:
		return "", wrong()
	}
	if text == "" {
		return "", p.errorf(n, "%s: an empty text; give it a value or remove the line", key)
	}
	if err := o.check(text); err != nil {
		return "", p.errorf(n, "%s: %s", key, err)
	}
	if o.Path {
		text = p.rebase(o, text)
	}
	return text, nil
}

// rebase turns a path of the file into one relative to the working directory.
func (p *fileParser) rebase(o Option, text string) string {
	if o.WithPath {
		name, path, ok := strings.Cut(text, "=")
		if !ok {
			return text
		}
		return name + "=" + p.rebasePath(path)
	}
	return p.rebasePath(text)
}

func (p *fileParser) rebasePath(path string) string {
	if filepath.IsAbs(path) || p.dir == p.cwd {
		return path
	}
	path = filepath.Join(p.dir, path)
	if rel, err := filepath.Rel(p.cwd, path); err == nil {
		return rel
	}
	return path
}

// wholeNumber reads an integer as YAML writes them (1000, 0x3e8, 1_000, 1e3).
func wholeNumber(n *yaml.Node) (string, bool) {
	var i int64
	var f float64
	switch {
	case n.Tag == "!!int" && n.Decode(&i) == nil:
		return strconv.FormatInt(i, 10), true
	case n.Tag == "!!float" && n.Decode(&f) == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return strconv.FormatInt(int64(f), 10), true
	}
	return "", false
}

// describe shows a value of the wrong type.
func (p *fileParser) describe(o Option, n *yaml.Node) string {
	if o.Secret {
		return "the value (not shown)"
	}
	return nodeName(n)
}

func nodeName(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return strconv.Quote(n.Value)
	}
	return kindName(n)
}

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	}
	return strconv.Quote(n.Value)
}

// quoteHint tells about quotes where they are what is missing, or too much.
func quoteHint(o Option, n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode:
		return ""
	case (o.Type == Text || o.Type == List || o.Type == Duration) && n.Tag != "!!str" && o.check(n.Value) == nil:
		return `; YAML reads it as something else, so write "` + n.Value + `" with the quotes`
	case (o.Type == Number || o.Type == Switch) && n.Tag == "!!str" && o.check(n.Value) == nil:
		return "; remove the quotes"
	}
	return ""
}
