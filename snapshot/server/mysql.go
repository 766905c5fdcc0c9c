package server

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	driver "github.com/go-sql-driver/mysql"

	"github.com/migration-gate/migration-gate/snapshot"
	my "github.com/migration-gate/migration-gate/snapshot/mysql"
)

// mysql is MySQL and MariaDB.
type mysql struct{}

// myAccount is a session without a database.
type myAccount struct {
	db    *sql.DB
	conn  *sql.Conn
	at    address
	maria bool
	peer  string
}

func (mysql) open(ctx context.Context, at address) (account, error) {
	cfg, err := my.Config(at.host, at.port, at.params)
	if err != nil {
		return nil, err
	}
	cfg.User, cfg.Passwd, cfg.Timeout, cfg.InterpolateParams, cfg.Logger = at.user, at.password, connectTime, true, &driver.NopLogger{}
	cfg.Params = map[string]string{"sql_mode": "''", "lock_wait_timeout": "20", "autocommit": "1"}
	a := &myAccount{at: at}
	dialer := &net.Dialer{}
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if err == nil && network == "tcp" {
			a.peer = c.RemoteAddr().String()
		}
		return c, err
	}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		return nil, errors.New("--database-url has a parameter that cannot be read")
	}
	a.db = sql.OpenDB(connector)
	a.db.SetMaxOpenConns(1)
	if a.conn, err = a.db.Conn(ctx); err != nil {
		_ = a.db.Close()
		return nil, connectErrorMySQL(err)
	}
	return a, nil
}

// connectErrorMySQL tells an address without a server from one that says no.
func connectErrorMySQL(err error) error {
	var said *driver.MySQLError
	if errors.As(err, &said) {
		return fmt.Errorf("%s (error %d)", said.Message, said.Number)
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrInvalidConn) || errors.Is(err, io.EOF) {
		return &unreachable{reason(err)} // one that is starting up hangs up, too
	}
	return err
}

func (a *myAccount) close() { _ = errors.Join(a.conn.Close(), a.db.Close()) }

func (a *myAccount) remote() string { return a.peer }

// rows gives a query's rows as text.
func (a *myAccount) rows(ctx context.Context, query string) ([][]string, error) {
	return my.TextRows(ctx, a.conn, query)
}

// pairs of a query with two columns, by the first in lower case.
func (a *myAccount) pairs(ctx context.Context, query string) (map[string]string, error) {
	rows, err := a.rows(ctx, query)
	out := map[string]string{}
	for _, r := range rows {
		out[strings.ToLower(r[0])] = r[1]
	}
	return out, err
}

// visible gives the first column of each row, and none where the account may
// not ask.
func (a *myAccount) visible(ctx context.Context, query string) ([]string, error) {
	rows, err := a.rows(ctx, query)
	if refused(err) {
		return nil, nil
	}
	var out []string
	for _, r := range rows {
		out = append(out, r[0])
	}
	return out, err
}

// refused: the account may not, or the server has no such thing.
func refused(err error) bool {
	var said *driver.MySQLError
	return errors.As(err, &said) && slices.Contains([]uint16{
		1044, 1045, 1142, 1143, 1227, 1370, 1698, // access denied, in its kinds
		1064, 1109, 1146, 1193, 1289, 1295, 1235, // this version does not know it
		1381, // the binary log is off
	}, said.Number)
}

// mark writes under a lock of the server's, by which a database that is not
// marked yet is told from one that was left so.
func (a *myAccount) mark(ctx context.Context, m mark) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	home := m.Prefix + snapshot.Home
	ctx = context.WithoutCancel(ctx)
	if _, err := a.rows(ctx, "SELECT GET_LOCK("+markName+", 10)"); err != nil {
		return err
	}
	for _, q := range []string{
		"CREATE DATABASE " + quoteName(home),
		"CREATE TABLE " + quoteName(home) + "." + markTable + " (mark longtext CHARACTER SET utf8mb4 NOT NULL, id int NOT NULL PRIMARY KEY)",
		"INSERT INTO " + quoteName(home) + "." + markTable + " VALUES (" + quoteText(string(data)) + ", 1)",
		"DO RELEASE_LOCK(" + markName + ")",
	} {
		if _, err := a.conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("make the database %s: %w", home, err)
		}
	}
	return nil
}

// markTable holds a mark, in the run's home.
const markTable = "mark"

// markName is the lock under which marks are written.
const markName = "'migration_gate_mark'"

func (a *myAccount) marks(ctx context.Context) (marks []mark, err error) {
	read := func() (unmarked []mark, err error) {
		names, err := a.rows(ctx, `SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'mg\\_%\\_`+snapshot.Home+`'`)
		marks = nil
		for _, n := range names {
			prefix := strings.TrimSuffix(n[0], snapshot.Home)
			if !ourPrefix.MatchString(prefix) {
				continue
			}
			rows, err := a.rows(ctx, "SELECT mark FROM "+quoteName(n[0])+"."+markTable)
			var said *driver.MySQLError
			switch missing := errors.As(err, &said) && said.Number == 1146; {
			case missing, err == nil && len(rows) == 0:
				unmarked = append(unmarked, mark{Prefix: prefix})
			case refused(err):
			case err != nil:
				return nil, err
			default:
				var m mark
				if json.Unmarshal([]byte(rows[0][0]), &m) == nil && m.Prefix == prefix {
					marks = append(marks, m)
				}
			}
		}
		return unmarked, err
	}
	unmarked, err := read()
	if err != nil || len(unmarked) == 0 {
		return marks, err
	}
	got, err := a.rows(ctx, "SELECT GET_LOCK("+markName+", 0)")
	if err != nil || got[0][0] != "1" {
		return marks, err
	}
	defer a.rows(context.WithoutCancel(ctx), "SELECT RELEASE_LOCK("+markName+")")
	unmarked, err = read()
	return append(marks, unmarked...), err
}

// remove ends sessions that are in one of the databases first: DROP would wait
// for what they hold.
func (a *myAccount) remove(ctx context.Context, prefix string) error {
	if !ourPrefix.MatchString(prefix) {
		return fmt.Errorf("%q is no prefix of this tool's", prefix)
	}
	like := "LIKE " + quoteText(strings.ReplaceAll(prefix, "_", `\_`)+"%")
	sessions, err := a.visible(ctx, "SELECT ID FROM information_schema.PROCESSLIST WHERE (DB "+like+" OR USER "+like+") AND ID <> CONNECTION_ID()")
	if err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	for _, id := range sessions {
		_, _ = a.conn.ExecContext(ctx, "KILL "+id) // gone meanwhile, or not ours to end: then DROP tells
	}
	names, err := a.rows(ctx, "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME "+like)
	if err != nil {
		return err
	}
	drop := func(name string) error {
		if _, err := a.conn.ExecContext(ctx, "DROP DATABASE IF EXISTS "+quoteName(name)); err != nil {
			return fmt.Errorf("drop database %s: %w", name, err)
		}
		return nil
	}
	var errs []error
	for _, n := range names {
		if n[0] != prefix+snapshot.Home {
			errs = append(errs, drop(n[0]))
		}
	}
	if errs = append(errs, a.removeAccounts(ctx, prefix, like)); errors.Join(errs...) != nil {
		return errors.Join(errs...) // the mark stays, so that a later start tries again
	}
	return drop(prefix + snapshot.Home)
}

// removeAccounts drops the run's accounts. Who may not read which there are
// knows the one name that they have.
func (a *myAccount) removeAccounts(ctx context.Context, prefix, like string) error {
	accounts, err := a.rows(ctx, "SELECT User, Host FROM mysql.user WHERE User "+like)
	blind := refused(err)
	switch {
	case blind:
		accounts = [][]string{{prefix + my.Owner, "%"}}
		me, err := a.rows(ctx, "SELECT USER()")
		if err != nil {
			return err
		}
		if i := strings.LastIndexByte(me[0][0], '@'); i >= 0 {
			accounts = append(accounts, []string{prefix + my.Owner, me[0][0][i+1:]})
		}
	case err != nil:
		return err
	}
	for _, acc := range accounts {
		_, err := a.conn.ExecContext(ctx, "DROP USER IF EXISTS "+quoteText(acc[0])+"@"+quoteText(acc[1]))
		if err != nil && !(blind && refused(err)) { // who may not drop any has made none
			return fmt.Errorf("drop account %s: %w", acc[0], err)
		}
	}
	return nil
}

func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func quoteText(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}

// client: the programs of the products' own take the password from their
// environment and the rest from arguments, which may be repeated.
func (mysql) client(t *snapshot.Target, program string, args []string) (names, all, env []string) {
	env = []string{"MYSQL_HOST=" + t.Host, "MYSQL_TCP_PORT=" + strconv.Itoa(t.Port), "MYSQL_PWD=" + t.Password}
	names = []string{program}
	maria := map[string]string{"mysql": "mariadb", "mysqldump": "mariadb-dump", "mysqladmin": "mariadb-admin"}
	if other := maria[program]; other != "" && t.Handle.Engine == snapshot.MariaDB {
		names = []string{other, program}
	}
	own := []string{"--no-defaults", "--user=" + t.User}
	if isSocket(t.Host) {
		own = append(own, "--socket="+t.Host)
	} else {
		own = append(own, "--protocol=tcp", "--host="+t.Host, "--port="+strconv.Itoa(t.Port))
	}
	return names, append(own, args...), env
}
