package mysql

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

var quotedName = lazy.Compile(`'([^']*)'`)

// wayOut is what to do about an error of the server, where that can be said.
func (r *restore) wayOut(err error) string {
	var my *mysql.MySQLError
	if !errors.As(err, &my) {
		return ""
	}
	other := "MariaDB"
	if r.s.maria {
		other = "MySQL"
	}
	server := r.words()
	switch my.Number {
	case 1273, 1115: // unknown collation, unknown character set
		name := ""
		if m := quotedName.FindStringSubmatch(my.Message); m != nil {
			name = " " + m[1]
		}
		return fmt.Sprintf("%s does not know%s; the dump is of %s or of a newer server: restore it into the one it was taken from (--engine, --server-version), or convert the table there first", server, name, other)
	case 1286: // unknown storage engine
		return "the storage engine is not in this server; dump without the table (mysqldump --ignore-table), or convert it to InnoDB first"
	case 1305:
		return server + " has no such function; MD5() and its like need component_classic_hashing, which this server cannot load"
	case 3763: // a function not allowed in a generated column
		if goneFunction.MatchString(my.Message) {
			return "MD5() and SHA1() went from the server to a component in MySQL 9, and a component's functions are not allowed there; restore into an older series (--server-version 8.4)"
		}
	case 1153: // packet too large
		return "dump again with a smaller --max-allowed-packet"
	case 1071:
		return "restore into the series that the dump was taken from (--server-version)"
	case 3780, 1005, 1825:
		return "the server is stricter about foreign keys than the one it was taken from; restore into that series (--server-version)"
	case 1366, 1300:
		return "the bytes are not of the character set that the dump says; dump again with --default-character-set of the table, or with --hex-blob"
	case 1062:
		return "the dump was not taken in one transaction (mysqldump --single-transaction), or it was edited"
	case 1418, 1419:
		return "the server writes a binary log and wants SUPER of who makes triggers and functions: start it with --log-bin-trust-function-creators=1 or --skip-log-bin"
	case 1114, 1030:
		return "the disk where the target keeps its data is full"
	}
	return ""
}

func (r *restore) words() string {
	if r.s.maria {
		return "MariaDB " + r.s.version
	}
	return "MySQL " + r.s.version
}

var goneFunction = lazy.Compile(`(?i)\b(md5|sha1?)\b`)

var hashing = lazy.Compile(`(?i)FUNCTION (?:\S+\.)?(MD5|SHA1?) does not exist`)

// classicHashing loads the component that MD5() and SHA1() went to in MySQL 9
// (gone from 9.7.4), where a view of the dump needs one of them. It stays, also
// in copies of the data.
func (l *loader) classicHashing(ctx context.Context, message string) (bool, error) {
	if l.r.s.maria || l.r.s.guest.is() || !hashing.MatchString(message) {
		return false, nil
	}
	if _, err := l.lead.ExecContext(ctx, "INSTALL COMPONENT 'file://component_classic_hashing'"); err != nil {
		return false, err
	}
	l.r.skip("MD5() and SHA1() are not in the server any more: component_classic_hashing was installed for them")
	return true, nil
}
