package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
)

// Guest is a session on a server that somebody else runs: the schema has
// another name there than in the scripts, and nothing of the server is changed
// so that it tells more.
type Guest struct {
	// Physical is what the server calls the schema, Shown what people do.
	Physical, Shown string
	// Borrowed: the session's account is not one that was made for it, and may
	// reach Others, the server's other schemas.
	Borrowed bool
	Others   []string
	// Definer is the session's account as DEFINER has it, where the account of
	// AdminDSN may make what belongs to others; "" where it may not. AdminDSN
	// holds a password.
	Definer, AdminDSN string
	// Follow is told of the session, and of each that stands in for it, before it
	// runs anything; may be nil.
	Follow func(session int64)
}

// shown gives "physical.table" the schema's name as people know it; false for
// tables of others. Without a guest every table is ours.
func (g *Guest) shown(table string) (string, bool) {
	if g == nil {
		return table, true
	}
	name, ours := strings.CutPrefix(table, g.Physical+".")
	return g.Shown + "." + name, ours
}

// physical is the reverse of shown.
func (g *Guest) physical(table string) string {
	if g == nil {
		return table
	}
	if name, ours := strings.CutPrefix(table, g.Shown+"."); ours {
		return g.Physical + "." + name
	}
	return table
}

// show makes what the server said speak of the schema as people know it.
func (g *Guest) show(r *observe.Result) {
	if g == nil {
		return
	}
	for i := range r.Messages {
		r.Messages[i].Text = g.text(r.Messages[i].Text)
	}
	if r.Failure != nil {
		r.Failure.Message = g.text(r.Failure.Message)
	}
}

// text is right whatever stands around the name, which is random.
func (g *Guest) text(s string) string {
	if g == nil {
		return s
	}
	return strings.ReplaceAll(s, g.Physical, g.Shown)
}

// An ElsewhereError is a statement that names a schema by its name, which on a
// server that somebody else runs would be another one.
type ElsewhereError struct {
	File, Schema string
	Line         int
}

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("%s:%d: the statement names the database %s, which on a server that somebody else runs is not the one that was restored: leave the name out (the tool connects to it), or use --target container or local", e.File, e.Line, e.Schema)
}

// check refuses a script that would reach for another schema, before any of it
// runs.
func (g *Guest) check(s *migration.Script) error {
	for i := range s.Statements {
		st := &s.Statements[i]
		if at, schema := g.elsewhere(st); schema != "" {
			return &ElsewhereError{File: st.File, Line: at, Schema: schema}
		}
		if g.Borrowed && len(g.Others) > 0 && unreadable(st) {
			return fmt.Errorf("%s:%d: what the statement runs cannot be read beforehand, and the account may change other databases of the server (%s): give an account that may create another (GRANT CREATE USER ON *.* … WITH GRANT OPTION), or use --target container or local",
				st.File, st.Line, strings.Join(g.Others[:min(3, len(g.Others))], ", "))
		}
	}
	return nil
}

// unreadable: the statement may run text that is only made as it runs, or a
// procedure of the snapshot's that does.
func unreadable(st *migration.Statement) bool {
	return len(st.Facts.Unread) > 0 || has(scan(st.SQL), "PREPARE", "EXECUTE", "CALL")
}

// elsewhere finds a schema that the statement names, and the line: by its
// facts, which tell a schema from a table, and by its words, which miss nothing.
func (g *Guest) elsewhere(st *migration.Statement) (line int, schema string) {
	words := scan(st.SQL)
	for _, a := range st.Facts.Actions {
		names := []string{a.Schema}
		if a.Verb == migration.SetSchema {
			names = append(names, a.NewName)
		}
		if s, _, qualified := strings.Cut(a.Refs, "."); qualified {
			names = append(names, s)
		}
		if a.Object == "database" || a.Object == "schema" {
			names = append(names, a.Name)
		}
		for _, s := range names {
			if s != "" && !strings.EqualFold(s, g.Physical) {
				return max(a.Line, st.Line), s
			}
		}
	}
	if starts(words, "USE") && len(words) > 1 {
		return st.Line, words[1].name()
	}
	for i, t := range words {
		if !g.names(t.name()) || i+2 >= len(words) || i > 0 && (words[i-1].text == "." || words[i-1].text == "@") {
			continue
		}
		if words[i+1].text == "." && !isAlias(words, i) {
			return st.Line + strings.Count(st.SQL[:t.pos], "\n"), t.name()
		}
		// '…' in WHERE table_schema = 'shop', which would find another or none.
	}
	if slices.ContainsFunc(words, func(t token) bool {
		return strings.EqualFold(t.name(), "information_schema")
	}) {
		for _, t := range words {
			if strings.Trim(t.text, `'"`) == g.Shown && len(t.text) == len(g.Shown)+2 {
				return st.Line + strings.Count(st.SQL[:t.pos], "\n"), g.Shown
			}
		}
	}
	return 0, ""
}

// names reports whether a word is the name of a schema that is not the
// session's own.
func (g *Guest) names(word string) bool {
	return strings.EqualFold(word, g.Shown) || slices.ContainsFunc(g.Others, func(o string) bool { return strings.EqualFold(o, word) })
}

// isAlias reports whether the name at i, with a dot after it, is a table's or
// an alias's: it then stands somewhere without a dot on either side.
func isAlias(words []token, i int) bool {
	if i+3 < len(words) && words[i+3].text == "." { // schema.table.column
		return false
	}
	for k, t := range words {
		if t.name() == words[i].name() && (k+1 >= len(words) || words[k+1].text != ".") && (k == 0 || words[k-1].text != ".") {
			return true
		}
	}
	return false
}

// standIn has the administrator make a trigger or function that belongs to the
// migration's account, which the server would let it make if it wrote no binary
// log or trusted it: how the server is set up is its owner's business, and how
// production is, is not known. sent is when that was tried. A refusal is in the
// error's chain; errNobody says that nobody can.
func (g *Guest) standIn(ctx context.Context, own *conn, sql string) (sent time.Time, err error) {
	words := scan(sql)
	at := skip(words, 1, "OR", "REPLACE")
	if g == nil || g.Definer == "" || !starts(words, "CREATE") || has(words[:min(len(words), 12)], "DEFINER") || at >= len(words) {
		return sent, errNobody
	}
	rows, err := own.ask(ctx, "SELECT @@sql_mode, @@character_set_client, @@collation_connection")
	if err != nil {
		return sent, err
	}
	cfg, err := mysql.ParseDSN(g.AdminDSN)
	if err != nil {
		return sent, errors.New("read the address of the server: it is no DSN")
	}
	cfg.DBName = g.Physical
	c, err := connect(ctx, cfg.FormatDSN(), "")
	if err != nil {
		return sent, err
	}
	defer c.close()
	if g.Follow != nil {
		g.Follow(c.id)
	}
	session := fmt.Sprintf("SET SESSION sql_mode = '%s', character_set_client = %s, collation_connection = %s", rows[0][0], rows[0][1], rows[0][2])
	if _, err := c.exchange(ctx, session); err != nil {
		return sent, err
	}
	sent = time.Now()
	_, err = c.exchange(ctx, sql[:words[at-1].end]+" DEFINER="+g.Definer+" "+sql[words[at-1].end:])
	return sent, err
}

var errNobody = errors.New("nobody can stand in")

// guestThread is the connection's thread where its statements and stages are
// recorded and may be read, else 0.
func (a *admin) guestThread(ctx context.Context, connection int64) (id int64, err error) {
	var ready bool
	err = a.conn.QueryRowContext(ctx, `SELECT t.THREAD_ID, t.INSTRUMENTED = 'YES'
 AND (SELECT COUNT(*) FROM performance_schema.setup_consumers WHERE NAME IN ('global_instrumentation', 'thread_instrumentation') AND ENABLED = 'YES') = 2
 AND (SELECT COUNT(*) FROM performance_schema.setup_instruments WHERE (NAME LIKE 'stage/%/`+copyStage+`' OR NAME LIKE 'stage/%/`+readStage+`') AND ENABLED = 'YES') = 2
 FROM performance_schema.threads t WHERE t.PROCESSLIST_ID = ?`, connection).Scan(&id, &ready)
	if err != nil && (isNumber(err, tableDenied, accessDenied) || errors.Is(err, sql.ErrNoRows)) || !ready && err == nil {
		return 0, nil
	}
	return id, err
}

// Errors of accounts that may not.
const (
	tableDenied  = 1142
	accessDenied = 1227
)

func isNumber(err error, numbers ...uint16) bool {
	var refusal *mysql.MySQLError
	return errors.As(err, &refusal) && slices.Contains(numbers, refusal.Number)
}
