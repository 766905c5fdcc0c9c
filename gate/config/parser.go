package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/migration-gate/migration-gate/gate"
)

// An Error is a mistake in what the user gave: flags, environment, file.
type Error struct {
	// Where: "--layout", "MIGRATION_GATE_LAYOUT", ".migration-gate.yml:3:9",
	// or "" for the command line as a whole.
	Where   string
	Message string
}

func (e *Error) Error() string {
	if e.Where == "" {
		return e.Message
	}
	return e.Where + ": " + e.Message
}

// ErrHelp says that help was asked for; Parser.Help prints it.
var ErrHelp = errors.New("help is wanted")

// Parser reads command lines for one grammar: a pointer to a struct of kong
// commands that embed this package's groups.
type Parser struct {
	// FileSource decides which content of the configuration file counts; nil
	// reads what is on the disk.
	FileSource FileSource
	// Writes lists variables of the tool's prefix that it writes for later steps
	// of a pipeline, and that are none of its options.
	Writes []string

	kong  *kong.Kong
	opts  []Option
	rules []string
}

// Parsed is a command line together with all that it was completed from.
type Parsed struct {
	// Command is a pointer to the selected command's struct, and Name its
	// path ("migrate up").
	Command any
	Name    string
	// Dir is the directory that the run is in, absolute.
	Dir string
	// File is the configuration file read, relative to the working directory
	// where it lies beneath it; "" for none. Tables and Rules are its own.
	File   string
	Tables []gate.TablePolicy
	Rules  map[string]gate.Severity
	// Changes are what the change does to the file, where its source compares.
	Changes []gate.ConfigChange
	// Given lists the command's options that are not left at their default.
	Given []Setting
	// Warnings are not worth failing for: variables that nothing reads.
	Warnings []string

	origins map[string]string
}

// Origin tells where an option's value comes from: "--dir",
// "MIGRATION_GATE_DIR", ".migration-gate.yml:3:6", or "default".
func (p *Parsed) Origin(option string) string {
	if o := p.origins[option]; o != "" {
		return o
	}
	return "default"
}

// Setting is one option that was given, for the log; secrets are masked.
type Setting struct{ Name, Value, Origin string }

// New builds a parser. grammar is filled by Parse; rules are the ids that the
// file's rules: may name. An error is a fault in the grammar.
func New(grammar any, description string, rules []string) (*Parser, error) {
	p := &Parser{rules: rules}
	k, err := kong.New(grammar,
		kong.Name("migration-gate"), kong.Description(description), kong.NoDefaultHelp(),
		kong.FlagNamer(dashed), kong.AutoGroup(autoGroup),
		kong.KindMapper(reflect.Int, kong.MapperFunc(p.decode)),
		kong.KindMapper(reflect.Int64, kong.MapperFunc(p.decode)),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(p.decode)),
	)
	if err != nil {
		return nil, fmt.Errorf("build command line: %w", err)
	}
	p.kong, p.opts = k, options(k.Model)
	return p, nil
}

// Options lists the table, in its order.
func (p *Parser) Options() []Option { return p.opts }

func (p *Parser) option(name string) Option {
	if i := slices.IndexFunc(p.opts, func(o Option) bool { return o.Name == name }); i >= 0 {
		return p.opts[i]
	}
	return Option{Name: name, Type: Text}
}

// decode reads numbers and durations with the table's own checks, so that the
// message is the same wherever the value came from.
func (p *Parser) decode(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto(strings.TrimPrefix(ctx.Value.Flag.FormatPlaceHolder(), "="), &text); err != nil {
		return err
	}
	o := newOption(ctx.Value.Flag)
	if o.Type == Duration {
		d, err := o.duration(text)
		target.SetInt(int64(d))
		return err
	}
	n, err := o.number(text)
	target.SetInt(n)
	return err
}

// Parse reads the arguments (without the program's name), completed from the
// environment and the file, as seen from the directory cwd. Mistakes of the
// user's are an *Error; ErrHelp says that help was asked for.
func (p *Parser) Parse(args []string, env Env, cwd string) (*Parsed, error) {
	ctx, err := kong.Trace(p.kong, args)
	if err != nil {
		return nil, &Error{Message: err.Error()}
	}
	if helpWanted(args) {
		return nil, ErrHelp
	}
	if ctx.Error != nil {
		return nil, p.usageError(ctx, args)
	}
	out := &Parsed{origins: map[string]string{}, Warnings: env.unknown(p.opts, p.Writes)}
	if cwd, err = p.workingDirectory(ctx, env, cwd); err != nil {
		return nil, err
	}
	out.Dir = cwd
	f, err := p.file(ctx, env, cwd, out)
	if err != nil {
		return nil, err
	}
	if err := p.apply(ctx, env, f, out); err != nil {
		return nil, err
	}
	node := ctx.Selected()
	out.Command, out.Name = node.Target.Addr().Interface(), p.commandName(node)
	for _, flag := range ctx.Flags() {
		if origin := out.origins[flag.Name]; origin != "" {
			value := fmt.Sprint(flag.Target.Interface())
			if p.option(flag.Name).Secret {
				value = "***"
			}
			out.Given = append(out.Given, Setting{flag.Name, value, origin})
		}
	}
	return out, nil
}

func (p *Parser) commandName(n *kong.Node) string {
	return strings.TrimPrefix(n.Path(), p.kong.Model.Name+" ")
}

// apply fills the grammar: defaults, then file, environment and flags.
func (p *Parser) apply(ctx *kong.Context, env Env, f *file, out *Parsed) error {
	if err := ctx.Reset(); err != nil {
		return fmt.Errorf("build command line: %w", err)
	}
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		o := p.option(flag.Name)
		texts, where := env.texts(o)
		if where == "" {
			s, ok := f.settings[o.Name]
			if !ok {
				return nil, nil
			}
			texts, where = s.texts, s.where
		}
		out.origins[o.Name] = where
		for _, t := range texts {
			if err := o.check(t); err != nil {
				return nil, &Error{Where: where, Message: err.Error()}
			}
		}
		return o.native(texts), nil
	}))
	for _, path := range ctx.Path {
		if path.Flag == nil {
			continue
		}
		o := p.option(path.Flag.Name)
		if o.Once != "" && out.origins[o.Name] != "" {
			return &Error{Where: "--" + o.Name, Message: "it is given twice, and only one would count; " + o.Once}
		}
		out.origins[o.Name] = "--" + o.Name
		if err := p.checkFlag(ctx, path.Flag); err != nil {
			return err
		}
	}
	var mistake *Error
	if err := ctx.Resolve(); errors.As(err, &mistake) {
		return mistake
	} else if err != nil {
		return &Error{Message: err.Error()}
	}
	if _, err := ctx.Apply(); err != nil {
		return &Error{Message: err.Error()}
	}
	if err := ctx.Validate(); err != nil {
		return &Error{Message: err.Error() + p.seeHelp(ctx)}
	}
	return nil
}

// checkFlag checks what was given for one flag on the command line.
func (p *Parser) checkFlag(ctx *kong.Context, flag *kong.Flag) error {
	o := p.option(flag.Name)
	var texts []string
	switch v := ctx.FlagValue(flag).(type) {
	case string:
		texts = []string{v}
		if v == "" && o.Values != nil {
			return &Error{Where: "--" + o.Name, Message: "an empty value is not allowed; it must be " + o.Wants()}
		}
	case []string:
		texts = v
	}
	for _, t := range texts {
		if err := o.check(t); err != nil {
			return &Error{Where: "--" + o.Name, Message: err.Error()}
		}
		if o.EnvOnly {
			return &Error{Where: "--" + o.Name, Message: "every process on this machine could read it there; give it as " + o.Env[0] + " instead"}
		}
		if o.Secret && hasPassword(t) {
			return &Error{Where: "--" + o.Name, Message: "it holds a password, which every process on this machine can read there; give it as " + o.Env[0] + " instead"}
		}
	}
	return nil
}

// file finds and reads the configuration file.
func (p *Parser) file(ctx *kong.Context, env Env, cwd string, out *Parsed) (*file, error) {
	name, where := p.early(ctx, env, "config")
	if name == "" {
		found, err := findFile(cwd)
		if err != nil {
			return &file{}, err
		}
		name = found
	} else if !filepath.IsAbs(name) {
		name = filepath.Join(cwd, name)
	}
	read := p.FileSource
	if read == nil {
		read = func(q FileQuery) (FileAnswer, error) { return FileAnswer{}, ErrNotAsked }
	}
	q := FileQuery{Path: cmp.Or(name, filepath.Join(Top(cwd), FileName))}
	q.Command, q.Dir = p.selected(ctx), cwd
	q.From, _ = p.early(ctx, env, "config-from")
	q.Base, _ = p.early(ctx, env, "base")
	q.Head, _ = p.early(ctx, env, "head")
	answer, err := read(q)
	shown, data := shorten(cwd, q.Path), answer.Data
	switch {
	case errors.Is(err, ErrNotAsked):
		if name == "" {
			return &file{}, nil
		}
		data, err = os.ReadFile(name)
	case err == nil && data == nil && where != "" && answer.After == nil:
		err = os.ErrNotExist
	case err == nil && data == nil:
		out.Changes = p.changes(answer)
		return &file{}, nil
	case err == nil && !answer.HeadCounts:
		shown += " (of the base)"
	}
	switch {
	case errors.Is(err, os.ErrNotExist) && where != "":
		return nil, &Error{Where: where, Message: shorten(cwd, name) + " does not exist"}
	case err != nil:
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	fp := fileParser{shown: shown, dir: filepath.Dir(q.Path), cwd: cwd, opts: p.opts, rules: p.rules}
	f, err := fp.parse(data)
	if err != nil {
		var mistake *Error
		if errors.As(err, &mistake) && answer.Compared && !answer.HeadCounts {
			mistake.Message += "; a change that mends it is judged with --config-from head"
		}
		return nil, err
	}
	out.Changes = p.changes(answer)
	out.File, out.Tables, out.Rules = fp.shown, f.tables, f.rules
	return f, nil
}

// workingDirectory is where the run takes place: every path is relative to it.
func (p *Parser) workingDirectory(ctx *kong.Context, env Env, cwd string) (string, error) {
	name, where := p.early(ctx, env, "working-directory")
	if name == "" {
		return cwd, nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(cwd, name)
	}
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return "", &Error{Where: where, Message: shorten(cwd, name) + " is not a directory"}
	}
	return name, nil
}

// ErrNotAsked is a FileSource's answer where the file on the disk counts, and
// there is nothing to compare it with.
var ErrNotAsked = errors.New("the file on the disk counts")

// early reads an option that decides on the file before the file is read: from
// the flag, where the command has it, or from the environment.
func (p *Parser) early(ctx *kong.Context, env Env, name string) (value, where string) {
	for _, path := range ctx.Path {
		if path.Flag != nil && path.Flag.Name == name {
			if value, _ = ctx.FlagValue(path.Flag).(string); value != "" {
				return value, "--" + name
			}
		}
	}
	return env.lookup(p.option(name))
}

// texts is the option's value in the environment, a list taken apart, and the
// variable's name.
func (e Env) texts(o Option) ([]string, string) {
	v, name := e.lookup(o)
	if name == "" {
		return nil, ""
	}
	if o.Type == List {
		return splitList(v), name
	}
	return []string{v}, name
}

// native turns checked texts into what kong's decoders take.
func (o Option) native(texts []string) any {
	switch o.Type {
	case List:
		list := make([]any, len(texts))
		for i, t := range texts {
			list[i] = t
		}
		return list
	case Switch:
		b, _ := o.boolean(texts[0]) // was checked
		return b
	}
	return texts[0]
}
