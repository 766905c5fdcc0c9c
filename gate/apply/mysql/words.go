package mysql

import (
	"strconv"
	"strings"

	"github.com/migration-gate/migration-gate/gate/migration"
)

// token is a word, quoted name, string or sign of a statement.
type token struct {
	text     string
	pos, end int // in the statement
	// word is the token in capitals where it is an unquoted word.
	word string
}

// name is the token as the name of something.
func (t token) name() string {
	for _, q := range []string{"`", `"`} {
		if len(t.text) >= 2 && strings.HasPrefix(t.text, q) && strings.HasSuffix(t.text, q) {
			return strings.ReplaceAll(t.text[1:len(t.text)-1], q+q, q)
		}
	}
	return t.text
}

// scan splits a statement into tokens. Comments are left out, but for
// versioned ones (/*! … */), which the server runs: their content counts.
func scan(sql string) []token {
	var out []token
	for i := 0; i < len(sql); {
		start := i
		c := sql[i]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
			i++
			continue
		case c == '#', strings.HasPrefix(sql[i:], "--") && (i+2 == len(sql) || sql[i+2] <= ' '):
			if n := strings.IndexByte(sql[i:], '\n'); n >= 0 {
				i += n + 1
			} else {
				i = len(sql)
			}
			continue
		case strings.HasPrefix(sql[i:], "/*!"), strings.HasPrefix(sql[i:], "/*M!"):
			i += strings.IndexByte(sql[i:], '!') + 1
			for i < len(sql) && sql[i] >= '0' && sql[i] <= '9' {
				i++
			}
			continue
		case strings.HasPrefix(sql[i:], "/*"):
			if n := strings.Index(sql[i+2:], "*/"); n >= 0 {
				i += n + 4
			} else {
				i = len(sql)
			}
			continue
		case strings.HasPrefix(sql[i:], "*/"):
			i += 2
			continue
		case c == '`' || c == '"' || c == '\'':
			i = quoted(sql, i)
		case isWord(c):
			for i < len(sql) && isWord(sql[i]) {
				i++
			}
			out = append(out, token{text: sql[start:i], pos: start, end: i, word: strings.ToUpper(sql[start:i])})
			continue
		default:
			i++
		}
		out = append(out, token{text: sql[start:i], pos: start, end: i})
	}
	return out
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// quoted is the index after the quoted thing that starts at i.
func quoted(sql string, i int) int {
	q := sql[i]
	for i++; i < len(sql); i++ {
		switch {
		case sql[i] == '\\' && q != '`':
			i++
		case sql[i] == q && i+1 < len(sql) && sql[i+1] == q:
			i++
		case sql[i] == q:
			return i + 1
		}
	}
	return len(sql)
}

// starts reports whether a statement begins with these words.
func starts(tokens []token, words ...string) bool {
	if len(tokens) < len(words) {
		return false
	}
	for i, w := range words {
		if tokens[i].word != w {
			return false
		}
	}
	return true
}

// has reports whether one of the words stands anywhere in the statement.
func has(tokens []token, words ...string) bool {
	for _, t := range tokens {
		for _, w := range words {
			if t.word == w {
				return true
			}
		}
	}
	return false
}

// drops reports whether the statement drops a database.
func drops(tokens []token, database string) bool {
	if !starts(tokens, "DROP", "DATABASE") && !starts(tokens, "DROP", "SCHEMA") {
		return false
	}
	name := tokens[2:]
	if starts(name, "IF", "EXISTS") {
		name = name[2:]
	}
	return len(name) > 0 && strings.EqualFold(name[0].name(), database)
}

// asksRowCount: the statement may see that another one ran before it.
func asksRowCount(tokens []token) bool {
	return has(tokens, "ROW_COUNT", "CALL", "EXECUTE", "DIAGNOSTICS")
}

// opens: BEGIN or START TRANSACTION.
func opens(st *migration.Statement, tokens []token) bool {
	return st.Facts.Control == migration.Begin || starts(tokens, "START", "TRANSACTION") ||
		starts(tokens, "BEGIN") && (len(tokens) == 1 || tokens[1].word == "WORK")
}

// ends: COMMIT or ROLLBACK, not to a savepoint, or BEGIN, which ends what was
// open before.
func ends(st *migration.Statement, tokens []token) bool {
	switch st.Facts.Control {
	case migration.Begin, migration.Commit, migration.Rollback:
		return true
	case "":
		return opens(st, tokens) || starts(tokens, "COMMIT") || starts(tokens, "ROLLBACK") && !has(tokens, "TO")
	}
	return false
}

// commits reports whether the server commits before and after the statement
// (MySQL manual, "Statements That Cause an Implicit Commit").
func commits(st *migration.Statement, tokens []token) bool {
	switch {
	case starts(tokens, "UNLOCK"): // only what LOCK TABLES had locked, of which the session keeps account
		return false
	case st.Facts.ImplicitCommit:
		return true
	case len(tokens) == 0:
		return false
	}
	switch tokens[0].word {
	case "CREATE", "DROP":
		return !has(tokens[:min(len(tokens), 4)], "TEMPORARY")
	case "ALTER", "RENAME", "TRUNCATE", "OPTIMIZE", "ANALYZE", "CHECK", "REPAIR", "CACHE", "FLUSH", "GRANT", "REVOKE", "INSTALL", "UNINSTALL", "IMPORT":
		return true
	case "LOCK":
		return starts(tokens, "LOCK", "TABLE") || starts(tokens, "LOCK", "TABLES")
	case "LOAD":
		return starts(tokens, "LOAD", "INDEX")
	case "SET":
		return starts(tokens, "SET", "PASSWORD")
	}
	return opens(st, tokens)
}

// kind is the statement's name, also where nobody has parsed it.
func kind(st *migration.Statement, tokens []token) string {
	if st.Facts.Kind != "" {
		return st.Facts.Kind
	}
	if len(tokens) == 0 {
		return "statement"
	}
	switch first := tokens[0].word; first {
	case "ALTER", "CREATE", "DROP", "TRUNCATE", "RENAME", "OPTIMIZE", "ANALYZE", "LOCK", "UNLOCK", "START", "LOAD":
		for _, t := range tokens[1:] {
			switch t.word {
			case "OR", "REPLACE", "UNIQUE", "FULLTEXT", "SPATIAL", "ONLINE", "OFFLINE", "IGNORE", "TEMPORARY", "LOCAL", "NO_WRITE_TO_BINLOG":
				continue
			case "":
				return first
			}
			return first + " " + t.word
		}
		return first
	case "":
		return "statement"
	default:
		return first
	}
}

// tag is the statement's kind, and how many rows where it is one of rows, as
// PostgreSQL's command tags have them.
func tag(st *migration.Statement, tokens []token, rows int64) string {
	k := kind(st, tokens)
	verb, _, _ := strings.Cut(k, " ")
	switch verb {
	case "INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "LOAD", "WITH", "TABLE", "VALUES":
		return k + " " + strconv.FormatInt(rows, 10)
	}
	return k
}
