package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// explain names what the server lacks beside an error that may be due to it.
func (r *restore) explain(err error) error {
	if err == nil {
		return nil
	}
	if len(r.missing) > 0 {
		err = fmt.Errorf("%w; the target lacks %s", err, r.s.remedy(r.missing))
	}
	if len(r.locales) > 0 {
		err = fmt.Errorf("%w; the target lacks the locale %s, and compares its text by bytes; if that is why, install the locale where the server is, or use an image that has it (--target container)",
			err, strings.Join(r.locales, ", "))
	}
	if noTablespace.MatchString(err.Error()) {
		err = fmt.Errorf("%w; dump with pg_dump --no-tablespaces", err)
	}
	return err
}

// statementError names the object by the statement's beginning.
func statementError(sql string, err *pgconn.PgError) error {
	more := ""
	for _, s := range []string{err.Detail, err.Hint, err.Where} {
		if s != "" {
			more += "; " + oneLine(s, 300)
		}
	}
	return fmt.Errorf("%s: %w%s", brief(sql), err, more)
}

// brief is the beginning of a statement, on one line, without what may be secret.
func brief(sql string) string {
	if at := secretive.FindStringIndex(sql); at != nil {
		sql = sql[:at[0]] + "…"
	}
	return oneLine(sql, 90)
}

// secretive is where passwords begin: of foreign servers, subscriptions, roles.
var secretive = lazy.Compile(`(?is)\bOPTIONS\s*\(|\bCONNECTION\s+'|\bPASSWORD\s+'`)

func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}

func unquote(name string) string {
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(strings.Trim(name, `"`), `""`, `"`)
	}
	return strings.ToLower(name)
}
