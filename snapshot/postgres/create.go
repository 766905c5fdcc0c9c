package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// locale is what a dump says of its database's text. The zero value means
// UTF8 in the server's own locale.
type locale struct {
	encoding string
	// options of CREATE DATABASE besides the encoding, as the dump spells them.
	options string
	wanted  string // for people
}

var localeOption = regexp.MustCompile(`\b(LOCALE_PROVIDER|LOCALE|LC_COLLATE|LC_CTYPE|ICU_LOCALE|ICU_RULES|BUILTIN_LOCALE) = ('(?:[^']|'')*'|\w+)`)

var encodingOption = regexp.MustCompile(`\bENCODING = '([^']*)'`)

// localeOf reads the CREATE DATABASE that a dump carries.
func localeOf(createDatabase string) locale {
	var l locale
	if m := encodingOption.FindStringSubmatch(createDatabase); m != nil {
		l.encoding = m[1]
	}
	for _, m := range localeOption.FindAllStringSubmatch(createDatabase, -1) {
		l.options += " " + m[1] + " = " + m[2]
		if m[1] != "LOCALE_PROVIDER" {
			l.wanted = strings.Trim(m[2], "'")
		}
	}
	return l
}

// create makes a database owned by the migrating role, the way the dump had
// it where the server can. The name is the one on the server.
func (s *Server) create(ctx context.Context, name string, l locale, roles []string, skipped *[]string) error {
	return s.on(ctx, s.home, func(c *pgx.Conn) error {
		if err := s.setOwner(ctx, c); err != nil {
			return err
		}
		more, err := s.createRoles(ctx, c, roles)
		if err != nil {
			return err
		}
		if skipped != nil {
			*skipped = append(*skipped, more...)
		}
		encoding := l.encoding
		if encoding == "" {
			encoding = "UTF8"
		}
		sql := "CREATE DATABASE " + ident(name) + " OWNER " + ident(s.owner) + " TEMPLATE template0 ENCODING " + Literal(encoding)
		if l.options != "" {
			if _, err := c.Exec(ctx, sql+l.options); err == nil {
				return s.shut(ctx, c, name)
			} else if skipped != nil {
				*skipped = append(*skipped, fmt.Sprintf("locale %s is not on the target: text sorts by bytes instead (%s)", l.wanted, err))
			}
		} else if l.encoding == "" {
			if _, err := c.Exec(ctx, sql); err == nil {
				return s.shut(ctx, c, name)
			}
		}
		// C goes with every encoding.
		if _, err = c.Exec(ctx, sql+" LC_COLLATE 'C' LC_CTYPE 'C'"); err != nil {
			return err
		}
		return s.shut(ctx, c, name)
	})
}
