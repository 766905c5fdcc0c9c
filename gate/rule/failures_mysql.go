package rule

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// remedy explains the errors that MySQL's migrations run into, by number, and
// the way out. What the server itself says stays in the evidence.
func (f mysqlFixes) remedy(failure *gate.Failure) string {
	switch failure.Code {
	case "1064":
		if strings.Contains(strings.ToUpper(failure.Message), "DELIMITER") || f.saysDelimiter(failure) {
			return f.noDelimiter()
		}
	case "1044", "1142", "1143", "1227", "1370":
		return "the migrating account has every right on its own schema and nothing beyond, as it should in production: " +
			"let an administrator do this by hand once (and name no DEFINER), or take it out of the migration"
	case "1045", "1290":
		return "the server reads and writes no files for a migration (no FILE, secure_file_priv to nowhere): bring the rows as INSERT statements"
	case "3948", "1148":
		return "LOAD DATA LOCAL is off: bring the rows as INSERT statements"
	case "1419":
		return "with binary logging on, triggers and functions need SUPER, or log_bin_trust_function_creators=1 on the server: " +
			"let the administrator set that in production, or create the routine by hand"
	case "1674":
		return "a default that differs from call to call (UUID(), RAND()) cannot be added in one statement: add the column without it " +
			"(ALGORITHM=INSTANT), then ALTER COLUMN … SET DEFAULT (…), and fill the old rows in batches"
	case "1826":
		return "names of foreign keys are unique in a schema, not in a table: give this one another name"
	case "3822":
		return "names of CHECK constraints are unique in a schema, not in a table: give this one another name"
	case "3780":
		return "both columns of a foreign key must have the same type, UNSIGNED, character set and collation included: " +
			"give the child's column the parent's very type first"
	case "1215", "1822", "6125":
		return "the column referred to needs a unique index (first in it, in that order), and both columns the same type, character set and collation"
	case "3819", "4025":
		return "rows in the snapshot violate the CHECK, so rows in production do: clean them up in a migration before this one"
	case "1451", "1452":
		return "rows in the snapshot violate the foreign key, so rows in production do: clean them up in a migration before this one"
	case "1062", "1586":
		return "rows in the snapshot are not unique, so rows in production are not: clean them up in a migration before this one"
	case "1048", "1138", "1265", "1292", "1364", "1366", "1406", "1411", "1264":
		return "under the strict sql_mode a value that does not fit is refused, not bent: " + strictWay(failure.Code)
	case "1845", "1846":
		return f.refusedAlgorithm(failure)
	case "4092":
		return "the table's instant row versions are used up: rebuild it once in a quiet hour (ALTER TABLE … FORCE, ALGORITHM=INPLACE, LOCK=NONE, " +
			"or a tool), then INSTANT is accepted again"
	case "1118":
		return "a row may be 65,535 bytes at most, all columns together (TEXT and BLOB count 9 to 12): make VARCHARs shorter, or TEXT"
	case "1071":
		return "a key may be 3,072 bytes at most, and utf8mb4 takes 4 for each character: index a prefix, column(191), or a shorter column"
	case "1205":
		return "a lock was waited for in vain; nothing else was running here, so look for a second connection, or a lock this very migration holds elsewhere"
	case "1213":
		return "a deadlock with a second connection of this very migration: let one connection do it all"
	case "1050":
		return "it is there already: if an earlier run left it, drop it by hand; else give this one another name"
	case "1060", "1061":
		return f.alreadyThere()
	case "1091":
		return "it is gone already: if an earlier run dropped it, take the statement out; else look up its name with SHOW CREATE TABLE"
	case "1553", "1828", "1829":
		return "a foreign key needs it: drop the foreign key in this migration, before the statement"
	case "1832", "1833", "1834":
		return "a foreign key uses the column: drop the key, change both columns, and add it again (foreign_key_checks=0 keeps that from copying)"
	case "1305":
		if strings.Contains(failure.Message, "MD5") || strings.Contains(failure.Message, "SHA") {
			return "the digest functions left the server's core in 9.x (component_classic_hashing): compute the value in the application"
		}
	}
	return failure.Hint
}

// strictWay is the next step for a value that does not fit.
func strictWay(code string) string {
	switch code {
	case "1048", "1138", "1364":
		return "fill the rows that are NULL in a migration before this one, in batches, and give the column a default"
	case "1292", "1411":
		return "zero dates and other impossible values have to be mended in a migration before this one (or become NULL)"
	default:
		return "mend the rows in a migration before this one, or give the column a type that holds them (--sql-mode, where production runs another)"
	}
}

func (f mysqlFixes) alreadyThere() string {
	if f.dialect() == migration.MariaDB {
		return "it is there already: if an earlier run left it, drop it by hand, or say IF NOT EXISTS, which MariaDB takes here"
	}
	return "it is there already: if an earlier run left it, drop it by hand; MySQL has no IF NOT EXISTS for columns and indexes"
}

// saysDelimiter: the statement that failed begins with the client's command.
func (f mysqlFixes) saysDelimiter(failure *gate.Failure) bool {
	for _, m := range f.Migrations {
		for _, st := range statementsOf(m) {
			if st.File == failure.File && failure.Line >= st.Line && failure.Line <= st.EndLine && delimiterCommand.MatchString(st.SQL) {
				return true
			}
		}
	}
	return false
}

var delimiterCommand = regexp.MustCompile(`(?im)^\s*DELIMITER\b`)

// noDelimiter says what the layout's tool knows in the place of DELIMITER.
func (f mysqlFixes) noDelimiter() string {
	const why = "DELIMITER is a command of the mysql client, which no server and no driver knows: "
	return why + "leave it out, and " + f.tool().delimiter
}

// refusedAlgorithm: the clause did its work. The server's words say what it
// would take instead.
func (mysqlFixes) refusedAlgorithm(failure *gate.Failure) string {
	instead := ""
	if m := tryInstead.FindStringSubmatch(failure.Message); m != nil {
		instead = fmt.Sprintf(" (it would take %s)", strings.ReplaceAll(m[1], " ", ""))
	}
	return "the server cannot do this the gentle way that the clause demands, and said so instead of blocking everybody" + instead +
		": look for another way to the same end, or let gh-ost or pt-online-schema-change copy the table beside its traffic"
}

var tryInstead = regexp.MustCompile(`Try (ALGORITHM\s*=\s*\w+(?:\s*,\s*LOCK\s*=\s*\w+)?|LOCK\s*=\s*\w+)`)
