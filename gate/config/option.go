package config

import (
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/alecthomas/kong"
)

// Type is the kind of value an option takes.
type Type string

// Types of options.
const (
	Text     Type = "text"
	Number   Type = "number"   // a whole number
	Switch   Type = "switch"   // true or false; a flag without a value is true
	Duration Type = "duration" // Go's spelling: 90s, 30m, 1h30m
	List     Type = "list"     // of text: a repeatable flag; lines or commas in the environment; a list, or a single text, in the file
)

// Option is a row of the table: one setting, wherever it may be given.
type Option struct {
	Name    string // of the flag, without dashes
	Short   string // one-letter flag, or ""
	Help    string
	Default string // as text; "" where the help says what the default is
	Type    Type
	// Placeholder stands for the value in help ("FILE").
	Placeholder string
	// Values are the only ones allowed; nil means any. With WithPath each may
	// be followed by "=PATH".
	Values   []string
	WithPath bool
	// Pattern that a value must match, or "".
	Pattern string
	Min     int64
	// BareNumber allows an unquoted number in the file, where the text is one.
	BareNumber bool
	// Path: relative to the working directory, or in the file to the file's.
	Path bool
	// Secret values may hold a password and are never shown.
	Secret bool
	// Once says what to do instead where it may not be given twice; "" lets the
	// last count.
	Once string
	// Group is the heading it stands under in help and documentation; "" for
	// what belongs to a single command.
	Group string
	// Commands that have it ("check", "migrate up"); nil means every command.
	Commands []string
	// Env lists the environment names, strongest first; nil means none.
	Env []string
	// Key in the configuration file, or "".
	Key string
	// EnvOnly: no flag, for what no process list may show.
	EnvOnly bool
	// Action is the default in action.yml where it is not the flag's; "-" where
	// the action has no such input.
	Action string
}

// MaxNumber is the greatest number any option takes: in milliseconds, eleven
// days.
const MaxNumber = 1_000_000_000

// EnvPrefix starts the tool's own environment names.
const EnvPrefix = "MIGRATION_GATE_"

// options reads the table off the command line's model, in its order, each
// name once.
func options(app *kong.Application) []Option {
	var out []Option
	index := map[string]int{}
	add := func(flags []*kong.Flag, command string) {
		for _, f := range flags {
			if f.Name == "help" {
				continue
			}
			i, ok := index[f.Name]
			if !ok {
				i = len(out)
				index[f.Name] = i
				out = append(out, newOption(f))
			}
			if command != "" {
				out[i].Commands = append(out[i].Commands, command)
			}
		}
	}
	add(app.Flags, "")
	for _, leaf := range app.Leaves(false) {
		for n := leaf; n != nil && n != app.Node; n = n.Parent {
			add(n.Flags, strings.TrimPrefix(leaf.Path(), app.Name+" "))
		}
	}
	return out
}

func newOption(f *kong.Flag) Option {
	tag := f.Tag
	o := Option{
		Name: f.Name, Help: f.Help, Default: f.Default, Type: typeOf(f.Target.Type()),
		Placeholder: f.PlaceHolder, Pattern: tag.Get("pattern"), BareNumber: tag.Has("number"),
		Group: groupOf(f.Name), Path: tag.Has("path"), Secret: tag.Has("secret"), WithPath: tag.Has("formats"),
		EnvOnly: tag.Get("source") == "env", Action: tag.Get("action"), Once: tag.Get("once"),
	}
	if f.Short != 0 {
		o.Short = string(f.Short)
	}
	if v := tag.Get("values") + tag.Get("formats"); v != "" {
		o.Values = strings.Split(v, ",")
	}
	if n, err := tag.GetInt("min"); err == nil {
		o.Min = n
	}
	if o.Type == Duration {
		o.Pattern = durationPattern
	}
	source := tag.Get("source")
	if source != "flag" {
		upper := strings.ToUpper(f.Name)
		o.Env = []string{EnvPrefix + underscored(upper), "INPUT_" + upper}
		if strings.Contains(upper, "-") {
			o.Env = append(o.Env, "INPUT_"+underscored(upper))
		}
	}
	if source == "" {
		o.Key = f.Name
		if k := tag.Get("key"); k != "" {
			o.Key = k
		}
	}
	return o
}

func underscored(s string) string { return strings.ReplaceAll(s, "-", "_") }

func typeOf(t reflect.Type) Type {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return Duration
	case t.Kind() == reflect.Slice:
		return List
	case t.Kind() == reflect.Bool:
		return Switch
	case t.Kind() == reflect.String:
		return Text
	default:
		return Number
	}
}

// On reports whether the command ("check", "migrate up") has the option.
func (o Option) On(command string) bool {
	return o.Commands == nil || slices.Contains(o.Commands, command)
}

// dashed spells a field's name as a flag: ServerVersion is server-version.
func dashed(field string) string {
	var b strings.Builder
	for i, r := range field {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func groupOf(flag string) string {
	for _, g := range groups() {
		if g.has(flag) {
			return g.title
		}
	}
	return ""
}
