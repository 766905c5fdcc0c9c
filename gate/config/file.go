package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"go.yaml.in/yaml/v3"
)

// FileName is the configuration file's name at the repository's top.
const FileName = ".migration-gate.yml"

// Keys of the file that are no option.
const (
	TablesKey = "tables" // pattern → limits
	RulesKey  = "rules"  // rule id → severity
)

// Severities that rules may be given in the file, silent to loudest.
var Severities = []string{string(gate.Off), string(gate.Notice), string(gate.Warning), string(gate.SeverityError)}

// file is a configuration file, read and found right.
type file struct {
	settings map[string]setting // by option name
	tables   []gate.TablePolicy
	rules    map[string]gate.Severity
}

type setting struct {
	texts []string // one, except for a list
	where string   // file:line:col
}

// Top is the repository's top: the nearest directory upwards that holds a
// .git; without one, dir itself.
func Top(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			return d
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}

// findFile looks for the configuration file at the repository's top. One
// under the longer ending is refused rather than silently passed over.
func findFile(dir string) (string, error) {
	p := filepath.Join(Top(dir), FileName)
	if _, err := os.Stat(p); err == nil {
		return p, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read configuration: %w", err)
	}
	long := strings.TrimSuffix(p, ".yml") + ".yaml"
	if _, err := os.Stat(long); err == nil {
		return "", &Error{Where: shorten(dir, long), Message: "this name is not read; rename the file to " + FileName + ", or name it with --config"}
	}
	return "", nil
}

// parser of one file: where it is, and what may stand in it.
type fileParser struct {
	shown string // path for messages
	dir   string // what paths in the file are relative to
	cwd   string // what they become relative to
	opts  []Option
	rules []string
}

func (p *fileParser) errorf(n *yaml.Node, format string, args ...any) error {
	return &Error{Where: p.where(n), Message: fmt.Sprintf(format, args...)}
}

func (p *fileParser) where(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d:%d", p.shown, n.Line, n.Column)
}

var syntaxLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(.*)$`)

func (p *fileParser) syntaxError(err error) error {
	m := syntaxLine.FindStringSubmatch(strings.SplitN(err.Error(), "\n", 2)[0])
	line := "1"
	if m[1] != "" {
		line = m[1]
	}
	return &Error{Where: p.shown + ":" + line + ":1", Message: "not valid YAML: " + m[2]}
}

// maxFile is beyond any real configuration.
const maxFile = 1 << 20

func (p *fileParser) parse(data []byte) (*file, error) {
	if len(data) > maxFile {
		return nil, &Error{Where: p.shown, Message: fmt.Sprintf("%d bytes are too many for a configuration", len(data))}
	}
	f := &file{settings: map[string]setting{}, rules: map[string]gate.Severity{}}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return f, nil
	} else if err != nil {
		return nil, p.syntaxError(err)
	}
	if err := dec.Decode(&second); err == nil {
		return nil, p.errorf(&second, "a second document; the file holds one, so remove the line ---")
	} else if !errors.Is(err, io.EOF) {
		return nil, p.syntaxError(err)
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return f, nil
	}
	keys := append(optionKeys(p.opts), TablesKey, RulesKey)
	err := p.mapping(root, "the file", "key", keys, func(key, value *yaml.Node) error {
		switch key.Value {
		case TablesKey:
			return p.tables(value, f)
		case RulesKey:
			return p.severities(value, f)
		}
		o := p.opts[slices.IndexFunc(p.opts, func(o Option) bool { return o.Key == key.Value })]
		texts, err := p.value(o, key.Value, value)
		f.settings[o.Name] = setting{texts, p.where(value)}
		return err
	})
	return f, err
}

// mapping walks a mapping, refusing duplicates, keys that are not text and,
// unless known is nil, unknown ones; what names a key in messages ("rule").
func (p *fileParser) mapping(n *yaml.Node, name, what string, known []string, each func(key, value *yaml.Node) error) error {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		return p.errorf(n, "%s must be a mapping (key: value) and is %s", name, kindName(n))
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!null" {
			return p.errorf(key, "a %s must be text and is %s", what, kindName(key))
		}
		if line, dup := seen[key.Value]; dup {
			return p.errorf(key, "%s %q is here twice, first in line %d; keep one", what, key.Value, line)
		}
		seen[key.Value] = key.Line
		if key.Tag == "!!merge" {
			return p.errorf(key, "merge keys are not supported; write the settings out")
		}
		if known != nil && !slices.Contains(known, key.Value) {
			return p.errorf(key, "unknown %s %q%s", what, key.Value, wayOut(key.Value, what, known))
		}
		if err := each(key, value); err != nil {
			return err
		}
	}
	return nil
}

// wayOut names the nearest key, or where to find the right one.
func wayOut(word, what string, known []string) string {
	if h := hint(strings.ReplaceAll(word, "_", "-"), known); h != "" {
		return h
	}
	switch {
	case what == "rule":
		return "; `migration-gate explain` lists the rules"
	case len(known) > 5:
		return "; the keys are the flags of `migration-gate check --help`, without dashes in front"
	}
	return "; known: " + strings.Join(known, ", ")
}

func (p *fileParser) tables(n *yaml.Node, f *file) error {
	var limits []Option
	for _, o := range p.opts {
		if slices.Contains(TableLimits, o.Key) {
			limits = append(limits, o)
		}
	}
	return p.mapping(n, TablesKey, "pattern", nil, func(key, value *yaml.Node) error {
		if _, err := path.Match(key.Value, ""); err != nil || key.Value == "" {
			return p.errorf(key, "%q is not a pattern of table names; write one such as orders, public.orders or audit.*", key.Value)
		}
		t := gate.TablePolicy{Pattern: key.Value}
		err := p.mapping(value, key.Value, "limit", TableLimits, func(key, value *yaml.Node) error {
			o := limits[slices.IndexFunc(limits, func(o Option) bool { return o.Key == key.Value })]
			texts, err := p.value(o, o.Key, value)
			if err != nil {
				return err
			}
			ms, err := strconv.ParseInt(texts[0], 10, 64)
			d := time.Duration(ms) * time.Millisecond
			if o.Key == TableLimits[0] {
				t.MaxExclusive = &d
			} else {
				t.MaxWriteBlock = &d
			}
			return err
		})
		f.tables = append(f.tables, t)
		return err
	})
}

// TableLimits are the options that the file may set per table.
var TableLimits = []string{"max-exclusive-ms", "max-write-block-ms"}

func (p *fileParser) severities(n *yaml.Node, f *file) error {
	return p.mapping(n, RulesKey, "rule", p.rules, func(key, value *yaml.Node) error {
		value = resolve(value)
		if value.Kind != yaml.ScalarNode || !slices.Contains(Severities, value.Value) {
			h := "; known: " + strings.Join(Severities, ", ")
			if near := hint(value.Value, Severities); near != "" && value.Kind == yaml.ScalarNode {
				h = near
			}
			return p.errorf(value, "%s: %s is not a severity%s", key.Value, nodeName(value), h)
		}
		f.rules[key.Value] = gate.Severity(value.Value)
		return nil
	})
}

func optionKeys(opts []Option) []string {
	var keys []string
	for _, o := range opts {
		if o.Key != "" {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// shorten makes a path relative to dir where that is shorter.
func shorten(dir, p string) string {
	if rel, err := filepath.Rel(dir, p); err == nil && len(rel) < len(p) {
		return filepath.ToSlash(rel)
	}
	return p
}
