package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// What a restore leaves out, by name: each line of the manifest's list says what
// and why, so that a reader can tell whether the migration at hand needs it.

func leftSubscription(name string) string {
	return "subscription " + name + ": it would connect to the server it subscribes to"
}

func leftTablespace(name string) string {
	return "tablespace " + name + ": what was in it is in the default one"
}

func leftLabel(on, provider string) string {
	what := "security label on " + oneLine(on, 90)
	if provider != "" {
		what += " by " + provider
	}
	return what + ": no label provider is loaded here"
}

func leftExtension(name string) string {
	if f, why := flavourOf(name); f != "" {
		return fmt.Sprintf("extension %s (%s): only %s has it", name, why, f)
	}
	return "extension " + name + ": not on this server"
}

// nameLeftOut lists what of an archive no path restores, before any of it is.
func (r *restore) nameLeftOut(a *archive.Archive) {
	for _, e := range a.Entries {
		switch e.Desc {
		case "SUBSCRIPTION":
			r.skip(leftSubscription(e.Tag))
		case "SECURITY LABEL":
			for stmt := range strings.SplitSeq(e.Defn, ";\n") {
				if m := label.FindStringSubmatch(strings.TrimSpace(stmt)); m != nil {
					r.skip(leftLabel(m[2], unquote(m[1])))
				}
			}
		case "DATABASE":
			if m := inTablespace.FindStringSubmatch(e.Defn); m != nil {
				r.skip(leftTablespace(unquote(m[1])))
			}
		}
		if e.Tablespace != "" {
			r.skip(leftTablespace(e.Tablespace))
		}
	}
}

var inTablespace = lazy.Compile(`\bTABLESPACE = ` + identPattern)

var (
	drops        = lazy.Compile(`(?is)^(DROP\s|ALTER\s.*\s(DROP|DETACH\s+PARTITION)\s|SELECT\s+pg_catalog\.lo_unlink\()`)
	privileges   = lazy.Compile(`(?is)^(GRANT|REVOKE)\s.*?\sON\s+(.*?)\s+(TO|FROM)\s`)
	notThere     = lazy.Compile(`^(?:relation|table|view|sequence|function|procedure|routine|aggregate|schema|type|column|constraint|index|trigger|rule|policy|operator|cast|collation|server|language|text search \w+|extension|event trigger|publication|foreign-data wrapper|access method|domain|materialized view|foreign table|large object)\b.* does not exist$|^(?:function|type) .* does not exist$`)
	noRelation   = lazy.Compile(`^relation "(.+)" does not exist$`)
	noFunction   = lazy.Compile(`^function (.+) does not exist$`)
	noTablespace = lazy.Compile(`tablespace "(.+)" does not exist`)
	noWrapper    = lazy.Compile(`^foreign-data wrapper "(.+)" does not exist$`)
	noCollation  = lazy.Compile(`^collation "(.+)" for encoding "\w+" does not exist$`)
	noMethod     = lazy.Compile(`^compression method (\w+) not supported$`)
	emptyView    = lazy.Compile(`^materialized view "(.+)" has not been populated$`)
	setsOn       = lazy.Compile(`(?is)^ALTER\s+(?:DATABASE|ROLE)\s.*?\sSET\s+"?([\w.]+)`)
	badSetting   = lazy.Compile(`^(unrecognized configuration parameter|invalid value for parameter|invalid configuration parameter name|permission denied to set parameter|parameter) "`)
	eventTrigger = lazy.Compile(`(?is)^CREATE\s+EVENT\s+TRIGGER\s+` + identPattern)
	setval       = lazy.Compile(`(?is)^SELECT\s+pg_catalog\.setval\('(.*?)'`)
	copyTo       = lazy.Compile(`(?is)^COPY\s+((?:` + identPattern + `\.)?` + identPattern + `)`)
	needsPreload = lazy.Compile(`must be (pre)?loaded (via|using|with) |can only be loaded via shared_preload_libraries|shared_preload_libraries`)
	needsOther   = lazy.Compile(`^required extension "(.+)" is not installed$`)
)

func needsMissing(missing []string, message string) bool {
	m := needsOther.FindStringSubmatch(message)
	return m != nil && slices.Contains(missing, m[1])
}

// forgiven says of an error whether a restore goes on without what the
// statement would have made, and what to tell of it, "" for nothing. Everything
// that it lets pass changes neither tables nor data of the dump's own: a table
// that could not be made was an error of its own before.
func (r *restore) forgiven(message, sql string) (reason string, ok bool) {
	switch {
	case existingSchema.MatchString(message) && createSchema.MatchString(sql):
		return "", true // every database has it, or an extension needed it before its turn
	case message == `language "plpgsql" already exists`:
		return message, true
	case drops.MatchString(sql) && notThere.MatchString(message):
		return "", true // pg_dump --clean; the database was empty
	case storedStats.MatchString(sql):
		return "", true
	case createCollation.MatchString(sql) && strings.HasSuffix(message, " already exists"):
		return "", true // made beforehand
	}
	if m := noSuchExtension.FindStringSubmatch(message); m != nil && slices.Contains(r.missing, m[1]) && commentOn.MatchString(sql) {
		return "", true
	}
	if m := noSetting.FindStringSubmatch(message); m != nil && setting.MatchString(sql) {
		return fmt.Sprintf("setting %s: unknown to this server's version", m[1]), true
	}
	if m := setsOn.FindStringSubmatch(sql); m != nil && badSetting.MatchString(message) {
		return fmt.Sprintf("setting %s of the database: not for this server's version or build", m[1]), true
	}
	if m := privileges.FindStringSubmatch(sql); m != nil && notThere.MatchString(message) {
		return fmt.Sprintf("privileges on %s: it is an extension's that is missing here, or of another version", oneLine(m[2], 200)), true
	}
	if m := noMethod.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s: this server's build lacks %s, and compresses by pglz", brief(sql), m[1]), true
	}
	if m := emptyView.FindStringSubmatch(message); m != nil && refresh.MatchString(sql) {
		return fmt.Sprintf("rows of the materialized view %s: it reads %s, which could not be filled", refresh.FindStringSubmatch(sql)[1], m[1]), true
	}
	if len(r.missing) == 0 {
		return "", false
	}
	// What belongs to an extension that is missing.
	if m := eventTrigger.FindStringSubmatch(sql); m != nil && noFunction.MatchString(message) {
		return fmt.Sprintf("event trigger %s: its function belongs to an extension that is missing here", unquote(m[1])), true
	}
	if !noRelation.MatchString(message) {
		return "", false
	}
	if m := copyTo.FindStringSubmatch(sql); m != nil && copyIn.MatchString(sql) {
		return fmt.Sprintf("rows of %s: the table belongs to an extension that is missing here", m[1]), true
	}
	if m := setval.FindStringSubmatch(sql); m != nil {
		return fmt.Sprintf("value of the sequence %s: it belongs to an extension that is missing here", m[1]), true
	}
	return "", false
}

// opensServer is a grant on functions of the server that read and write its
// files: the migrating role is a member of every role, and must not get at them.
var opensServer = lazy.Compile(`(?is)^GRANT\s[^;]*?\sON\s+(?:FUNCTION|ROUTINE|PROCEDURE)\s+(?:pg_catalog\.)?(pg_read_\w*file|pg_ls_\w+|pg_stat_file|lo_import|lo_export|pg_file_\w+|pg_logdir_ls)\b`)

func leftGrant(function string) string {
	return "privileges on the function " + function + ": that leads out of the database"
}

// missing names what a stand-in can be made for, when a statement failed for
// want of it: "" where none can.
func (l *loader) missing(message, sql string) string {
	if m := noCollation.FindStringSubmatch(message); m != nil {
		return "collation " + strings.TrimPrefix(m[1], "pg_catalog.")
	}
	if m := noWrapper.FindStringSubmatch(message); m != nil && len(l.r.missing) > 0 && createServer.MatchString(sql) {
		return "wrapper " + m[1]
	}
	return ""
}

func (l *loader) standInFor(ctx context.Context, what string) error {
	kind, name, _ := strings.Cut(what, " ")
	if kind == "collation" {
		return l.systemCollation(ctx, name)
	}
	return l.wrapper(ctx, name)
}

var createServer = lazy.Compile(`(?is)^CREATE\s+SERVER\s.*?\sFOREIGN\s+DATA\s+WRAPPER\s+` + identPattern)

// wrapper makes a foreign-data wrapper that does nothing, so that servers and
// foreign tables of an extension that is missing can be there.
func (l *loader) wrapper(ctx context.Context, name string) error {
	err := l.asAdmin(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "CREATE FOREIGN DATA WRAPPER "+ident(name)+" NO HANDLER NO VALIDATOR")
		return err
	})
	if err == nil {
		l.skip(fmt.Sprintf("foreign-data wrapper %s: a stand-in without its library, so that its servers and foreign tables are there; they cannot be read", name))
	}
	return err
}

var userMapping = lazy.Compile(`(?is)^CREATE\s+USER\s+MAPPING\s+(?:IF\s+NOT\s+EXISTS\s+)?FOR\s+` + identPattern + `\s+SERVER\s+` + identPattern)

var secretOption = lazy.Compile(`(?is)("?\w*(?:pass|pwd|secret|token|key|cred)\w*"?\s+)'(?:[^']|'')*'`)

// withoutSecrets takes the passwords out of a user mapping: a migration that
// reads or writes a foreign table must not reach the server behind it.
func (r *restore) withoutSecrets(sql string) string {
	m := userMapping.FindStringSubmatch(sql)
	clean := secretOption.ReplaceAllStringFunc(sql, func(option string) string {
		if strings.Contains(option, "_required") { // of postgres_fdw: a Boolean
			return option
		}
		return secretOption.ReplaceAllString(option, "${1}'left out'")
	})
	if clean != sql {
		r.skip(fmt.Sprintf("password of the user mapping of %s for server %s: no run may reach that server", unquote(m[1]), unquote(m[2])))
	}
	return clean
}

var refresh = lazy.Compile(`(?is)^REFRESH\s+MATERIALIZED\s+VIEW\s+(?:CONCURRENTLY\s+)?((?:` + identPattern + `\.)?` + identPattern + `)$`)

// refresh fills a materialized view, unless that would read from another
// server.
func (l *loader) refresh(ctx context.Context, sql, name string) error {
	var foreign string
	err := l.c.QueryRow(ctx, `WITH RECURSIVE reads(oid) AS (
			SELECT pg_catalog.to_regclass($1)::oid
			UNION SELECT d.refobjid FROM reads JOIN pg_catalog.pg_rewrite w ON w.ev_class = reads.oid
			JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
				AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
		SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c JOIN reads USING (oid) WHERE c.relkind = 'f' ORDER BY 1 LIMIT 1`, name).Scan(&foreign)
	if errors.Is(err, pgx.ErrNoRows) {
		// A dump as SQL makes event triggers before this, and so does a schema alone.
		return l.unheard(ctx, func() error { return l.exec(ctx, sql) })
	}
	if err != nil {
		return err
	}
	l.skip(fmt.Sprintf("rows of the materialized view %s: it reads the foreign table %s, which is on another server", name, foreign))
	return nil
}
