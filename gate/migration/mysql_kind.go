package migration

import "strings"

// myObjects are kinds of objects that take more than one word.
var myObjects = [][]string{
	{"LOGFILE", "GROUP"}, {"RESOURCE", "GROUP"}, {"SPATIAL", "REFERENCE", "SYSTEM"}, {"MATERIALIZED", "VIEW"},
	{"JSON", "RELATIONAL", "DUALITY", "VIEW"}, {"JSON", "DUALITY", "VIEW"}, {"PACKAGE", "BODY"},
}

// object returns the object's kind at token i, and the index behind it.
func (w myWords) object(i int) (string, int) {
	for _, o := range myObjects {
		if w.has(i, o...) {
			return strings.Join(o, " "), i + len(o)
		}
	}
	switch s := w.at(i); {
	case s == "SCHEMA":
		return "DATABASE", i + 1
	case s == "TABLES":
		return "TABLE", i + 1
	case i < len(w.toks):
		return s, i + 1
	}
	return "", i
}

// compound is the kind of MariaDB's blocks outside of routines.
const compound = "BEGIN NOT ATOMIC"

// kind names the statement as the manual's heading does.
func (w myWords) kind() string {
	first, second := w.at(0), w.at(1)
	switch first {
	case "CREATE", "ALTER", "DROP":
		if first == "DROP" && second == "PREPARE" {
			return "DEALLOCATE PREPARE"
		}
		i := skipCreate(w, 1)
		if w.has(1, "SPATIAL", "REFERENCE") {
			i = 1
		}
		if w.has(i, "OR", "REPLACE") {
			i += 2
		}
		o, _ := w.object(i)
		return strings.TrimSpace(first + " " + o)
	case "WITH":
		return w.mainVerb()
	case "(", "VALUES", "TABLE":
		return "SELECT"
	case "TRUNCATE":
		return "TRUNCATE TABLE"
	case "DESC", "DESCRIBE":
		return "EXPLAIN"
	case "LOCK", "UNLOCK":
		if second == "TABLE" {
			second = "TABLES"
		}
		return strings.TrimSpace(first + " " + second)
	case "RENAME":
		if second == "TABLES" {
			second = "TABLE"
		}
		return strings.TrimSpace(first + " " + second)
	case "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK":
		if i := w.skip(1, "NO_WRITE_TO_BINLOG", "LOCAL"); w.is(i, "TABLE", "TABLES") {
			return first + " TABLE"
		}
	case "BEGIN":
		if second == "NOT" {
			return compound
		}
	case "SET":
		switch {
		case second == "DEFAULT":
			return "SET DEFAULT ROLE"
		case w.is(1, "TRANSACTION", "PASSWORD", "ROLE", "NAMES", "RESOURCE") && w.at(2) != "=" && w.at(2) != ":=" || second == "PASSWORD":
			return "SET " + second
		case w.is(1, "GLOBAL", "SESSION") && w.at(2) == "TRANSACTION":
			return "SET TRANSACTION"
		}
	case "START", "STOP", "LOAD", "INSTALL", "UNINSTALL", "RELEASE", "IMPORT", "CHECKSUM", "CACHE", "CHANGE", "XA", "RESET", "PURGE", "DEALLOCATE":
		return strings.TrimSpace(first + " " + second)
	case "EXECUTE":
		if second == "IMMEDIATE" {
			return "EXECUTE IMMEDIATE"
		}
	case "GET":
		return "GET DIAGNOSTICS"
	}
	return first
}

// commits lists what ends the open transaction (manual, "Statements That Cause
// an Implicit Commit"), by kind. MariaDB 10.11 was seen to leave out what
// concerns MyISAM's key caches. SET autocommit=1 is seen where SET is.
func commits(kind string, temporary, mariadb bool) bool {
	verb, object, _ := strings.Cut(kind, " ")
	switch verb {
	case "CREATE", "DROP":
		switch object {
		case "TABLE", "TABLE AS", "SEQUENCE":
			return !temporary
		}
		return object != ""
	case "ALTER", "RENAME", "TRUNCATE", "GRANT", "REVOKE", "FLUSH", "LOCK", "BEGIN", "STOP", "CHANGE":
		return kind != compound && kind != "ALTER INSTANCE"
	case "ANALYZE", "OPTIMIZE", "REPAIR", "CHECK":
		return object == "TABLE"
	case "START", "INSTALL", "UNINSTALL":
		return true
	case "UNLOCK":
		return object == "TABLES"
	case "LOAD", "CACHE":
		return object == "INDEX" && !mariadb
	case "RESET":
		return object != "PERSIST"
	case "SET":
		return object == "PASSWORD" || object == "DEFAULT ROLE"
	}
	return false
}

// control sets what a transaction control statement does, by its words.
func (a *myAnalyser) control(w myWords) {
	f := a.facts
	switch f.Kind {
	case "BEGIN", "START TRANSACTION":
		f.Control = Begin
	case "COMMIT":
		f.Control = Commit
	case "ROLLBACK":
		f.Control = Rollback
		if w.at(w.skip(1, "WORK")) == "TO" {
			f.Control, f.NeedsBlock = RollbackTo, true
		}
	case "SAVEPOINT":
		f.Control, f.NeedsBlock = Savepoint, true
	case "RELEASE SAVEPOINT":
		f.Control, f.NeedsBlock = Release, true
	case "SET":
		for _, part := range w.list(1) {
			target, i := w.slice(0, part[1]).setTarget(part[0])
			if target != "autocommit" {
				continue
			}
			switch strings.ToUpper(w.ident(i)) {
			case "0", "OFF", "FALSE":
				f.Control, a.p.autocommitOff = AutocommitOff, true
			case "1", "ON", "TRUE", "DEFAULT":
				// Where it is on already, the open transaction stays.
				f.Control, f.ImplicitCommit, a.p.autocommitOff = AutocommitOn, a.p.autocommitOff, false
			}
		}
	}
}

// online reads the clauses ALGORITHM and LOCK of an online DDL statement.
func (a *myAnalyser) online(w myWords) {
	f := a.facts
	switch f.Kind {
	case "ALTER TABLE", "CREATE INDEX", "DROP INDEX":
	default:
		return
	}
	if w.at(1) == "ONLINE" {
		f.Lock = "NONE" // MariaDB's ALTER ONLINE TABLE
	}
	depth := 0
	for i := 2; i+1 < len(w.toks); i++ {
		switch w.at(i) {
		case "(":
			depth++
		case ")":
			depth--
		case "ALGORITHM", "LOCK":
			value := i + 1
			if w.at(value) == "=" {
				value++
			}
			if depth != 0 || w.at(i-1) == "." || !w.is(value, "DEFAULT", "INSTANT", "INPLACE", "COPY", "NOCOPY", "NONE", "SHARED", "EXCLUSIVE") {
				continue
			}
			if w.at(i) == "LOCK" {
				f.Lock = w.at(value)
			} else {
				f.Algorithm = w.at(value)
			}
		}
	}
}
