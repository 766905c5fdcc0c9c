package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// locale is what a dump says of its database's text. The zero value means
// UTF8 in the server's own locale.
type locale struct {
	encoding string
	// provider is "libc", "icu", "builtin", or "" where the dump is of a time that
	// had but the first; the others are locales by its own names.
	provider, all, collate, ctype, icu, rules, builtin string
}

var localeOption = lazy.Compile(`\b(ENCODING|LOCALE_PROVIDER|LOCALE|LC_COLLATE|LC_CTYPE|ICU_LOCALE|ICU_RULES|BUILTIN_LOCALE) = (?:'((?:[^']|'')*)'|(\w+))`)

// localeOf reads the CREATE DATABASE that a dump carries.
func localeOf(createDatabase string) (l locale) {
	for _, m := range localeOption.FindAllStringSubmatch(createDatabase, -1) {
		value := strings.ReplaceAll(m[2], "''", "'") + m[3]
		*map[string]*string{"ENCODING": &l.encoding, "LOCALE_PROVIDER": &l.provider, "LOCALE": &l.all, "LC_COLLATE": &l.collate, "LC_CTYPE": &l.ctype,
			"ICU_LOCALE": &l.icu, "ICU_RULES": &l.rules, "BUILTIN_LOCALE": &l.builtin}[m[1]] = value
	}
	return l
}

// wanted is the locale's name for people; "" where the dump says none.
func (l locale) wanted() string { return cmp.Or(l.icu, l.builtin, l.collate, l.all) }

// options are those of CREATE DATABASE that give the locale on a major, or ""
// where it has none for it.
func (l locale) options(m major) string {
	var b strings.Builder
	add := func(option, value string) {
		if value != "" {
			b.WriteString(" " + option + " " + Literal(value))
		}
	}
	if l.provider != "" && l.provider != "libc" {
		if !slices.Contains(m.providers, l.provider) {
			return ""
		}
		b.WriteString(" LOCALE_PROVIDER " + l.provider)
		add("ICU_LOCALE", l.icu)
		add("ICU_RULES", l.rules)
		add("BUILTIN_LOCALE", l.builtin)
	} else if len(m.providers) > 0 && l.provider != "" {
		b.WriteString(" LOCALE_PROVIDER libc") // the template may have another
	}
	// Each by its own: LOCALE is not known to 12, and means the provider's in 17.
	add("LC_COLLATE", cmp.Or(l.collate, l.all))
	add("LC_CTYPE", cmp.Or(l.ctype, l.all))
	return b.String()
}

// like lists what comes next to a locale that the server does not have: the
// provider's without libc's part, then order by bytes with the letters of UTF-8,
// then nothing but bytes, which goes with every encoding.
func (l locale) like(m major) []string {
	var list []string
	if l.provider == "icu" || l.provider == "builtin" {
		next := l
		next.all, next.collate, next.ctype = "C", "", ""
		if o := next.options(m); o != "" {
			list = append(list, o)
		}
	}
	libc := ""
	if len(m.providers) > 0 {
		libc = " LOCALE_PROVIDER libc"
	}
	if l.encoding == "" || l.encoding == "UTF8" {
		list = append(list, libc+" LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'")
	}
	return append(list, libc+" LC_COLLATE 'C' LC_CTYPE 'C'")
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
		var refused error
		try := func(options string) bool {
			if refused = ctx.Err(); refused == nil {
				_, refused = c.Exec(ctx, sql+options)
			}
			return refused == nil
		}
		switch options := l.options(s.has()); {
		case l.wanted() == "":
			if l.encoding == "" && try("") { // another encoding may not go with the server's locale
				return s.shut(ctx, c, name)
			}
		case options == "":
			refused = fmt.Errorf("PostgreSQL %s has no locales of %s", s.version, l.provider)
		case try(options):
			return s.shut(ctx, c, name)
		}
		why := refused
		for i, options := range l.like(s.has()) {
			if !try(options) {
				continue
			}
			if skipped != nil && why != nil {
				how := "text sorts by bytes instead"
				if i == 0 && strings.Contains(options, l.provider) && l.provider != "" && l.provider != "libc" {
					how = "its provider's is used, and C beside it"
				}
				*skipped = append(*skipped, fmt.Sprintf("locale %s is not on the target: %s (%s)", l.wanted(), how, why))
			}
			return s.shut(ctx, c, name)
		}
		return refused
	})
}
