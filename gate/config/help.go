package config

import (
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// helpWanted reports whether --help stands on the command line before any --,
// even where the rest does not parse.
func helpWanted(args []string) bool {
	for _, a := range args {
		switch a {
		case "--":
			return false
		case "--help", "-h":
			return true
		}
	}
	return false
}

// Help prints the help of the command that the arguments name, or the
// overview where they name none.
func (p *Parser) Help(w io.Writer, args []string) error {
	ctx, err := kong.Trace(p.kong, args)
	if err != nil {
		return err
	}
	p.kong.Stdout = w
	return kong.DefaultHelpPrinter(kong.HelpOptions{Compact: true, WrapUpperBound: 100, ValueFormatter: helpText}, ctx)
}

// helpText adds the values and the default to an option's help.
func helpText(v *kong.Value) string {
	if v.Flag == nil {
		return v.Help
	}
	o := newOption(v.Flag)
	text := v.Help
	if len(o.Values) > 1 {
		text += " One of: " + strings.Join(o.Values, ", ") + "."
	}
	if o.Default != "" && o.Placeholder != "" { // else kong shows the default as the value
		text += " Default: " + o.Default + "."
	}
	return text
}

// autoGroup puts a flag under its heading.
func autoGroup(_ kong.Visitable, flag *kong.Flag) *kong.Group {
	title := groupOf(flag.Name)
	if title == "" {
		return nil
	}
	return &kong.Group{Key: title, Title: title + ":"}
}
