package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
)

// use changes the database, making it where the dump has no CREATE DATABASE.
func (l *loader) use(ctx context.Context, name string, at where) error {
	if err := l.pool.end(ctx, &l.table); err != nil {
		return err
	}
	if l.system = isSystem(name); l.system {
		l.r.skip("database " + name + ": it belongs to the server")
		return nil
	}
	name, err := l.r.place(name)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if !slices.Contains(l.r.schemas, name) {
		if err := l.make(ctx, name, ""); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		l.r.assumed = append(l.r.assumed, name)
	}
	l.schema, l.state = name, nil
	return l.exec(ctx, "USE "+ident(name), at)
}

// database runs CREATE, ALTER and DROP DATABASE.
func (l *loader) database(ctx context.Context, text []byte, verb, name string, at where) error {
	switch {
	case isSystem(name):
		l.r.skip("database " + name + ": it belongs to the server")
		return nil
	case verb == "DROP":
		return nil // there is none
	case verb == "ALTER" && l.system:
		return nil
	}
	if l.r.s.guest.is() && (verb == "CREATE" || l.r.shown == name) {
		physical, err := l.r.place(name)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		text, name = renameDatabase(text, physical), physical
	}
	if verb == "ALTER" {
		if !slices.Contains(l.r.schemas, name) {
			// A dump that does not say which database it is of calls it
			// something else here.
			if err := l.inSchema(ctx); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			text = renameDatabase(text, l.schema)
			name = l.schema
		}
		l.r.assumed = slices.DeleteFunc(l.r.assumed, func(s string) bool { return s == name })
		if err := l.postpone(ctx, string(text), at); err != nil { // of the triggers that follow, perhaps
			return err
		}
		return l.exec(ctx, string(text), at)
	}
	if err := l.make(ctx, name, string(text)); err != nil {
		return fmt.Errorf("%s: %w", at, l.r.explain(string(text), err))
	}
	l.r.assumed = slices.DeleteFunc(l.r.assumed, func(s string) bool { return s == name })
	return nil
}

// make creates a database, by the dump's own statement where it has one.
func (l *loader) make(ctx context.Context, name, statement string) error {
	if slices.Contains(l.r.schemas, name) {
		return nil
	}
	var n int
	if err := l.lead.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+quoteFor(name)).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("database %s is in the target already; a snapshot is restored into an empty server", name)
	}
	if statement == "" {
		statement = "CREATE DATABASE " + ident(name)
	}
	statement = encryption.ReplaceAllString(statement, "ENCRYPTION='N'")
	if l.r.s.guest.is() {
		l.r.schemas = append(l.r.schemas, name)
		return l.r.s.found(ctx, name, optionsOf(statement))
	}
	if _, err := l.lead.ExecContext(ctx, statement); err != nil {
		return err
	}
	l.r.schemas = append(l.r.schemas, name)
	// Now, for a server may ask whether who defines a view may do what is in it.
	return l.r.s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) error { return l.r.s.setOwner(ctx, c, name) })
}

// quoteFor is a literal whatever the session's sql_mode and character set.
func quoteFor(s string) string { return fmt.Sprintf("_utf8mb4 0x%x", s) }

// inSchema makes sure that there is a current database.
func (l *loader) inSchema(ctx context.Context) error {
	if l.schema != "" || len(l.r.schemas) > 0 {
		return nil
	}
	name := l.r.named
	if name == "" || isSystem(name) {
		name = defaultSchema
	}
	name, err := l.r.place(name)
	if err != nil {
		return err
	}
	if err := l.make(ctx, name, ""); err != nil {
		return err
	}
	l.r.assumed = append(l.r.assumed, name)
	l.schema, l.state = name, nil
	_, err = l.lead.ExecContext(ctx, "USE "+ident(name))
	return err
}

// settle gives a database whose dump does not say what its default character
// set was (mysqldump without --databases) that of most of its tables, before
// anything is made that remembers it: routines, triggers and events do.
func (l *loader) settle(ctx context.Context) error {
	for len(l.r.assumed) > 0 {
		name := l.r.assumed[0]
		l.r.assumed = l.r.assumed[1:]
		var now string
		if err := l.lead.QueryRowContext(ctx, "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+quoteFor(name)).Scan(&now); err != nil {
			return err
		}
		used, err := column(ctx, l.lead, `SELECT TABLE_COLLATION FROM information_schema.TABLES WHERE TABLE_COLLATION IS NOT NULL AND TABLE_SCHEMA = `+quoteFor(name)+
			` GROUP BY TABLE_COLLATION ORDER BY COUNT(*) DESC, TABLE_COLLATION`)
		if err != nil {
			return err
		}
		if len(used) == 0 || used[0] == now {
			continue
		}
		if _, err := l.lead.ExecContext(ctx, "ALTER DATABASE "+ident(name)+" COLLATE "+used[0]); err != nil {
			return err
		}
		l.r.skip(fmt.Sprintf("the default character set of database %s is not in the dump (mysqldump --databases writes it); that of most of its tables was taken, %s", name, used[0]))
	}
	return nil
}

// create runs CREATE of something.
func (l *loader) create(ctx context.Context, text []byte, mask, what string, at where) error {
	run := string(text)
	switch what {
	case "TABLE":
		run = l.withoutPlaces(text)
		if m := engineOf.FindStringSubmatch(mask); m != nil && !strings.EqualFold(m[1], "InnoDB") {
			if err := l.exec(ctx, run, at); err != nil {
				return err
			}
			return l.substituted(ctx, m[1])
		}
	case "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE":
		if what == "FUNCTION" && soname.MatchString(mask) {
			l.r.skip("loadable function: " + brief(string(text)))
			return nil
		}
		definer := ident(Owner) + "@`%`"
		if l.r.s.guest.is() {
			definer = l.r.s.guest.definer
		}
		owned, was := withOwner(text, definer)
		if run = string(owned); was != "" {
			l.r.definers = append(l.r.definers, was)
		}
		if what == "EVENT" && l.r.s.guest.is() {
			run = string(disabled([]byte(run)))
			l.r.skip("events are restored so that the server does not run them (DISABLE ON SLAVE): its scheduler is not this run's to stop")
		}
		if what == "TRIGGER" {
			return l.postpone(ctx, run, at)
		}
		if what != "VIEW" {
			if err := l.settle(ctx); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
		}
	case "INDEX":
		if err := l.pool.barrier(ctx); err != nil {
			return err
		}
	}
	return l.exec(ctx, run, at)
}

// substituted notes where the server took another storage engine than the dump
// asks for, which it says in a warning alone.
func (l *loader) substituted(ctx context.Context, engine string) error {
	rows, err := l.lead.QueryContext(ctx, "SHOW WARNINGS")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var level, message string
		var number int
		if err := rows.Scan(&level, &number, &message); err != nil {
			return err
		}
		if number == 1266 { // Using storage engine InnoDB for table 't'
			l.r.skip("storage engine " + engine + " is not on this server: " + strings.ToLower(message[:1]) + message[1:])
		}
	}
	return rows.Err()
}

// withoutPlaces leaves out of CREATE TABLE where production keeps its files.
func (l *loader) withoutPlaces(text []byte) string {
	mask := masked(text)
	type span struct{ from, to int }
	var spans []span
	for _, m := range directory.FindAllIndex(mask, -1) {
		spans = append(spans, span{m[0], m[1]})
		l.r.skip("DATA DIRECTORY and INDEX DIRECTORY of tables: kept with the others here")
	}
	for _, m := range encryption.FindAllIndex(mask, -1) {
		if strings.Contains(strings.ToUpper(string(text[m[0]:m[1]])), "'Y'") {
			spans = append(spans, span{m[0], m[1]})
			l.r.skip("ENCRYPTION of tables: the throw-away server keeps no keys")
		}
	}
	for _, m := range tablespace.FindAllSubmatchIndex(mask, -1) {
		name := unquoted(string(text[m[2]:m[3]]))
		if !strings.HasPrefix(strings.ToLower(name), "innodb_") {
			spans = append(spans, span{m[0], m[1]})
			l.r.skip("tablespace " + name + ": its tables have files of their own here")
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return b.from - a.from })
	for _, s := range spans {
		text = slices.Concat(text[:s.from], text[s.to:])
	}
	return string(text)
}
