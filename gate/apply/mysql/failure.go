package mysql

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/gate/observe"
)

// Numbers of errors that this package speaks of.
const (
	diskFull            = 1021
	engineError         = 1030
	syntaxError         = 1064
	lockTableFull       = 1206
	lockTimeout         = 1205
	deadlock            = 1213
	unknownDatabase     = 1049
	unknownEngine       = 1286
	pluginNotLoaded     = 1524
	algorithmRefused    = 1845
	algorithmReason     = 1846
	logsFunctions       = 1418
	logsTriggers        = 1419
	lostConnection      = 2013
	versionsUsedUp      = 4092 // of MySQL; MariaDB has another error of this number
	localFilesForbidden = 3948
)

// noLocalFiles is what the server says of LOAD DATA LOCAL where local_infile
// is off (9.7).
var noLocalFiles error = &mysql.MySQLError{
	Number: localFilesForbidden, SQLState: [5]byte([]byte("42000")),
	Message: "Loading local data is disabled; this must be enabled on both the client and server sides",
}

// What a script may leave open at its end, so that the tool fails to write its
// ledger.
var (
	// database/sql's BeginTx with an isolation level, as golang-migrate asks for.
	transactionOpen = gate.Failure{
		Code: "1568", SQLState: "25001",
		Message: "the script ends in an open transaction: the tool's next statement is refused with " +
			"\"Transaction characteristics can't be changed while a transaction is in progress\", and nothing of the transaction is kept",
		Hint: "end the script with COMMIT",
	}
	tablesLocked = gate.Failure{
		Code: "1100", SQLState: "HY000",
		Message: "the script ends with tables locked: the tool's own table was not locked with LOCK TABLES, so it cannot note the version",
		Hint:    "end the script with UNLOCK TABLES",
	}
	xaLeft = gate.Failure{
		Code: "1399", SQLState: "XAE07",
		Message: "the script leaves an XA transaction: begun, it refuses the tool's next statement; prepared, it keeps its locks, " +
			"also when the connection has ended, until somebody sends XA COMMIT or XA ROLLBACK",
		Hint: "use START TRANSACTION and COMMIT",
	}
	// The connection has no default database then, also where the script makes
	// one of the same name.
	databaseDropped = gate.Failure{
		Code: "1046", SQLState: "3D000",
		Message: "the script drops the database that the tool is connected to, and its own table with it, so it cannot note the version",
		Hint:    "drop the tables one by one, and leave the database to an administrator",
	}
)

// refusalOf tells a statement that the server refused, which is data, from a
// connection that was lost, which may not be.
func refusalOf(err error) (*mysql.MySQLError, bool) {
	var refusal *mysql.MySQLError
	ok := errors.As(err, &refusal)
	return refusal, ok
}

var atLine = regexp.MustCompile(`at line (\d+)$`)

// failure puts a refusal at its place in the file. Of a syntax error the
// server says in which line of the statement it is; the column it never says.
func failure(n int, st *migration.Statement, e *mysql.MySQLError) *gate.Failure {
	f := &gate.Failure{
		Statement: n, File: st.File, Line: st.Line, Code: strconv.Itoa(int(e.Number)),
		SQLState: strings.Trim(string(e.SQLState[:]), "\x00"), Message: strings.ToValidUTF8(e.Message, "\uFFFD"),
	}
	if m := atLine.FindStringSubmatch(e.Message); m != nil && e.Number == syntaxError && n >= 0 {
		if line, err := strconv.Atoi(m[1]); err == nil && line > 0 {
			f.Line = min(st.Line+line-1, max(st.EndLine, st.Line))
		}
	}
	return f
}

// connecting puts a refusal to connect at the beginning of the script: the
// database is not there, since an earlier run of the script has dropped it.
func connecting(e *mysql.MySQLError) error {
	if e.Number != unknownDatabase {
		return e
	}
	return &observe.NoDatabaseError{Failure: *failure(0, &migration.Statement{}, e)}
}

// lacking tells refusals that say something of the gate's server and nothing of
// the migration: a healthier one would have run it.
func lacking(e *mysql.MySQLError) error {
	switch {
	case e.Number == unknownEngine, e.Number == pluginNotLoaded:
		return fmt.Errorf("%w: the gate's own server lacks it: where production has it, name an image or a server that has it", e)
	case e.Number == diskFull, e.Number == engineError && strings.Contains(e.Message, "error 28 "):
		return fmt.Errorf("the gate's own server gave up: %w", e)
	}
	return nil
}
