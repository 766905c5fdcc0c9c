package mysql

import (
	"bytes"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// effective is the beginning of a statement as the server reads it, at most n
// bytes of it: comments of a version opened, other comments gone. mask is the
// same with what stands in quotes blanked, so that words can be sought in it.
func effective(text []byte, n int) (sql, mask string) {
	var s, m strings.Builder
	add := func(b []byte, hide bool) {
		s.Write(b)
		if hide && len(b) > 1 {
			m.WriteByte(b[0])
			m.WriteString(strings.Repeat(" ", len(b)-2))
			m.WriteByte(b[len(b)-1])
			return
		}
		m.Write(b)
	}
	for i := 0; i < len(text) && s.Len() < n; {
		end, kind := lexeme(text, i)
		switch kind {
		case 'q':
			add(text[i:end], true)
		case 'c', 'v':
			add([]byte{' '}, false)
		default:
			add(text[i:end], false)
		}
		i = end
	}
	return strings.TrimSpace(s.String()), strings.TrimSpace(m.String())
}

// masked is the statement with quoted text and comments blanked, byte by byte:
// what is found in it stands at the same place in the statement.
func masked(text []byte) []byte {
	m := bytes.Clone(text)
	for i := 0; i < len(text); {
		end, kind := lexeme(text, i)
		if kind == 'q' || kind == 'c' {
			for j := i + 1; j < end-1; j++ {
				m[j] = ' '
			}
		}
		i = end
	}
	return m
}

// lexeme gives the end of what begins at i and its kind: 'q' quoted, 'c' a
// comment, 'v' the opening or closing of a comment of a version, 0 other.
func lexeme(text []byte, i int) (end int, kind byte) {
	rest := text[i:]
	switch c := text[i]; {
	case c == '\'' || c == '"' || c == '`':
		for j := i + 1; j < len(text); j++ {
			if text[j] == '\\' && c != '`' {
				j++
			} else if text[j] == c {
				return j + 1, 'q'
			}
		}
		return len(text), 'q'
	case bytes.HasPrefix(rest, []byte("/*!")), bytes.HasPrefix(rest, []byte("/*M!")):
		j := i + bytes.IndexByte(rest, '!') + 1
		for j < len(text) && text[j] >= '0' && text[j] <= '9' {
			j++
		}
		return j, 'v'
	case bytes.HasPrefix(rest, []byte("/*")):
		if n := bytes.Index(rest, []byte("*/")); n >= 0 {
			return i + n + 2, 'c'
		}
		return len(text), 'c'
	case bytes.HasPrefix(rest, []byte("*/")):
		return i + 2, 'v'
	case c == '#', c == '-' && len(rest) > 2 && rest[1] == '-' && rest[2] <= ' ':
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			return i + n, 'c'
		}
		return len(text), 'c'
	}
	return i + 1, 0
}

// A name as a dump spells it, and an account.
const (
	nameRE    = "(?:`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"|[\\w$\\x{80}-\\x{10ffff}]+)"
	accountRE = "(?:`(?:[^`]|``)*`|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[\\w$]+)(?:\\s*@\\s*(?:`(?:[^`]|``)*`|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[\\w.%$-]+))?(?:\\s*\\(\\s*\\))?"
)

var (
	lockTables   = lazy.Compile(`(?is)^(UN)?LOCK\s+(TABLES?|INSTANCE)\b`)
	switchKeys   = lazy.Compile(`(?is)^ALTER\s+TABLE\s+` + nameRE + `(\s*\.\s*` + nameRE + `)?\s+(DIS|EN)ABLE\s+KEYS\s*$`)
	transaction  = lazy.Compile(`(?is)^(COMMIT|ROLLBACK|BEGIN|START\s+TRANSACTION)\b[\w\s,]*$|^SET\s+(@\w+\s*=\s*@@(SESSION\s*\.\s*)?AUTOCOMMIT\s*,\s*)?(SESSION\s+|@@SESSION\s*\.\s*|@@)?AUTOCOMMIT\s*:?=`)
	setStatement = lazy.Compile(`(?is)^SET\b`)
	setLog       = lazy.Compile(`(?is)^SET\s.*\b(SQL_LOG_BIN|MYSQLDUMP_TEMP_LOG_BIN)\b`)
	setGlobal    = lazy.Compile(`(?is)^SET\s+(?:GLOBAL|PERSIST|PERSIST_ONLY)\s+(\w+)|^SET\s+@@(?:GLOBAL|PERSIST|PERSIST_ONLY)\s*\.\s*(\w+)`)
	setMode      = lazy.Compile(`(?is)\bSQL_MODE\s*:?=`)
	setAny       = lazy.Compile(`(?is)^SET\s+(?:SESSION\s+|LOCAL\s+|@@SESSION\s*\.\s*|@@)?([\w.]+)`)
	setBroken    = lazy.Compile(`(?is)^SET\s+(character_set_client|character_set_results|collation_connection)\s*=\s*[\w;]*$`)
	use          = lazy.Compile(`(?is)^USE\s+(` + nameRE + `)\s*$`)
	database     = lazy.Compile(`(?is)^(CREATE|ALTER|DROP)\s+(?:DATABASE|SCHEMA)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(` + nameRE + `)`)
	createOf     = lazy.Compile(`(?is)^CREATE\b.*?\b(TABLE|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|SEQUENCE|PACKAGE|USER|ROLE|SERVER|TABLESPACE|LOGFILE|INDEX|RESOURCE|SPATIAL\s+REFERENCE)\b`)
	engineOf     = lazy.Compile(`(?is)\bENGINE\s*=\s*(\w+)`)
	soname       = lazy.Compile(`(?is)\bSONAME\b`)
	dropOf       = lazy.Compile(`(?is)^DROP\s+(TEMPORARY\s+)?(TABLE|VIEW|PROCEDURE|FUNCTION|EVENT|TRIGGER|SEQUENCE|PACKAGE)\b`)
	elsewhere    = lazy.Compile(`(?is)^((CREATE|ALTER|DROP|RENAME)\s+(OR\s+REPLACE\s+)?(USER|ROLE|SERVER|(UNDO\s+)?TABLESPACE|LOGFILE|RESOURCE|SPATIAL\s+REFERENCE|INSTANCE|AUDIT)\b|GRANT\b|REVOKE\b|SET\s+(PASSWORD|ROLE|DEFAULT\s+ROLE|RESOURCE)\b|CHANGE\s+(MASTER|REPLICATION)\b|(START|STOP|RESET)\s+(ALL\s+)?(SLAVES?|REPLICAS?|MASTER|BINARY|GROUP_REPLICATION|PERSIST)\b|PURGE\b|(UN)?INSTALL\s+(PLUGIN|SONAME|COMPONENT)\b|FLUSH\b|BINLOG\b|KILL\b|SHUTDOWN\b)`)
	clientWord   = lazy.Compile(`(?is)^(SOURCE|SYSTEM|TEE|PAGER|EDIT|NOTEE|NOPAGER|CONNECT|CHARSET|STATUS|WARNINGS|NOWARNING|PROMPT|REHASH|RESETCONNECTION)\b[^(=]*$|^\\`)
	definer      = lazy.Compile(`(?i)\bDEFINER\s*=\s*`)
	account      = lazy.Compile(`(?i)^` + accountRE)
	afterCreate  = lazy.Compile(`(?is)\bCREATE\b(\s+OR\s+REPLACE\b)?(\s+ALGORITHM\s*=\s*\w+)?`)
	directory    = lazy.Compile(`(?is)\b(DATA|INDEX)\s+DIRECTORY\s*=?\s*'[^']*'`)
	tablespace   = lazy.Compile(`(?is)\bTABLESPACE\s*=?\s*(` + nameRE + `)`)
	encryption   = lazy.Compile(`(?is)\bENCRYPTION\s*=?\s*'[^']*'`)
	modeLiteral  = lazy.Compile(`(?is)(SQL_MODE\s*:?=\s*)'([^']*)'`)
	insertInto   = lazy.Compile(`(?is)^(?:INSERT|REPLACE)\s+(?:(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY)\s+)?(?:IGNORE\s+)?INTO\s+(` + nameRE + `)(?:\s*\.\s*(` + nameRE + `))?\s*(?:\((?:[^()` + "`" + `"]|` + "`(?:[^`]|``)*`" + `|"(?:[^"]|"")*")*\)\s*)?VALUES\s*`)
)

// goneModes are modes of SQL that old servers had and write in their dumps.
var goneModes = []string{"NO_AUTO_CREATE_USER", "NO_FIELD_OPTIONS", "NO_KEY_OPTIONS", "NO_TABLE_OPTIONS", "MYSQL323", "MYSQL40", "POSTGRESQL", "ORACLE", "MSSQL", "DB2", "MAXDB"}

// withoutGoneModes leaves them out of SET SQL_MODE='…'.
func withoutGoneModes(text string) (string, []string) {
	var gone []string
	text = modeLiteral.ReplaceAllStringFunc(text, func(set string) string {
		m := modeLiteral.FindStringSubmatch(set)
		var kept []string
		for _, mode := range strings.Split(m[2], ",") {
			if containsFold(goneModes, strings.TrimSpace(mode)) {
				gone = append(gone, strings.TrimSpace(mode))
			} else {
				kept = append(kept, mode)
			}
		}
		return m[1] + "'" + strings.Join(kept, ",") + "'"
	})
	return text, gone
}

func containsFold(list []string, s string) bool {
	for _, have := range list {
		if strings.EqualFold(have, s) {
			return true
		}
	}
	return false
}

// withOwner hands what a statement creates to another account, and tells who
// had it. It makes a definer of those that name none: that would be the
// administrator. With "" the clause goes, and it belongs to who makes it.
func withOwner(text []byte, mine string) (out []byte, was string) {
	mask := masked(text[:min(len(text), 8<<10)])
	create := afterCreate.FindIndex(mask)
	if create == nil {
		return text, ""
	}
	from, to, with := create[1], create[1], " DEFINER="+mine
	if at := definer.FindIndex(mask); at != nil {
		if n := account.FindIndex(text[at[1]:]); n != nil {
			was = strings.NewReplacer("`", "", "'", "", `"`, "").Replace(string(text[at[1] : at[1]+n[1]]))
			from, to, with = at[1], at[1]+n[1], mine
			if mine == "" {
				from = at[0]
			}
		}
	}
	if mine == "" && was == "" {
		return text, ""
	}
	out = append(out, text[:from]...)
	out = append(out, with...)
	return append(out, text[to:]...), was
}

// unquoted is a name without its quotes.
func unquoted(name string) string {
	if len(name) >= 2 && (name[0] == '`' || name[0] == '"') {
		q := name[:1]
		return strings.ReplaceAll(name[1:len(name)-1], q+q, q)
	}
	return name
}

// brief is the beginning of a statement, on one line.
func brief(sql string) string { return oneLine(sql, 90) }

func oneLine(s string, most int) string {
	if len(s) > 16*most {
		s = s[:16*most]
	}
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "\ufffd")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}
