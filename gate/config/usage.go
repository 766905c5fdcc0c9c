package config

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// usageError says what is wrong with the command line as a whole, with the
// nearest name or the command that knows the flag.
func (p *Parser) usageError(ctx *kong.Context, args []string) error {
	known := map[string]bool{}
	var names []string
	for _, f := range ctx.Flags() {
		known[f.Name] = true
		names = append(names, "--"+f.Name)
	}
	for _, a := range args {
		name, _, _ := strings.Cut(a, "=")
		if a == "--" {
			break
		}
		if !strings.HasPrefix(name, "--") || known[name[2:]] {
			continue
		}
		i := slices.IndexFunc(p.opts, func(o Option) bool { return o.Name == name[2:] })
		if i >= 0 && p.opts[i].Commands != nil {
			return &Error{Message: name + " is no flag of " + p.selected(ctx) + "; it belongs to " + strings.Join(p.opts[i].Commands, ", ")}
		}
		way := hint(name, names)
		if way == "" {
			way = p.seeHelp(ctx)
		}
		return &Error{Message: "unknown flag " + name + way}
	}
	if flag := valueless(ctx, args); flag != nil {
		return &Error{Where: "--" + flag.Name, Message: "no value; it must be " + p.option(flag.Name).Wants()}
	}
	m := ctx.Error.Error()
	if rest, ok := strings.CutPrefix(m, "unexpected argument "); ok && len(p.commands(ctx)) > 0 {
		word, _, _ := strings.Cut(rest, ",")
		way := hint(word, p.commands(ctx))
		if way == "" {
			way = p.seeHelp(ctx)
		}
		return &Error{Message: "unknown command " + word + way}
	}
	if !strings.HasSuffix(m, "?") {
		m += p.seeHelp(ctx)
	}
	return &Error{Message: m}
}

func (p *Parser) commands(ctx *kong.Context) []string {
	var names []string
	node := p.kong.Model.Node
	for _, path := range ctx.Path {
		if path.Command != nil {
			node = path.Command
		}
	}
	for _, c := range node.Children {
		names = append(names, c.Name)
	}
	return names
}

func (p *Parser) selected(ctx *kong.Context) string {
	if n := ctx.Selected(); n != nil {
		return p.commandName(n)
	}
	return p.kong.Model.Name
}

// seeHelp names the help that tells more.
func (p *Parser) seeHelp(ctx *kong.Context) string {
	name := p.kong.Model.Name
	for _, path := range ctx.Path {
		if path.Command != nil {
			name += " " + path.Command.Name
		}
	}
	return "; see " + name + " --help"
}

// valueless returns the flag that stands last and lacks its value.
func valueless(ctx *kong.Context, args []string) *kong.Flag {
	for _, f := range ctx.Flags() {
		if len(args) > 0 && args[len(args)-1] == "--"+f.Name && !f.IsBool() {
			return f
		}
	}
	return nil
}
