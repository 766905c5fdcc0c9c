package mysql

import (
	"context"
	"database/sql"
	"net"
	"strconv"
)

// Database is the restored database in one instance: the baseline to read, or
// a clone.
type Database struct {
	s        *Server
	instance string
}

// Name of the database as people know it: the schema, the same in every
// instance.
func (d *Database) Name() string {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return d.s.schema
}

// Names are what the server calls the schema and what people do.
func (d *Database) Names() Names {
	shown := d.Name()
	if !d.s.guest.is() {
		return Names{shown, shown}
	}
	return Names{d.s.guest.schema(d.instance), shown}
}

// Instance is the name of the server that holds it.
func (d *Database) Instance() string { return d.instance }

// Start makes the instance run, which is no error if it does. Reading starts it
// too; who connects by a DSN of an instance that this process neither made nor
// read calls it before.
func (d *Database) Start(ctx context.Context) error {
	_, err := d.s.addr(ctx, d.instance)
	return err
}

// Address is where the instance listens; it is started if it is not running.
func (d *Database) Address(ctx context.Context) (host string, port int, err error) {
	addr, err := d.s.addr(ctx, d.instance)
	if err != nil {
		return "", 0, err
	}
	if d.s.guest.is() {
		return d.s.target.Host, d.s.target.Port, nil
	}
	host, digits, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(digits)
	return host, port, err
}

// OwnerDSN connects as the migrating account, in the form of
// go-sql-driver/mysql. It holds a password: never print it.
func (d *Database) OwnerDSN() string {
	user, password := d.s.owner()
	return d.dsn(user, password)
}

// AdminDSN connects as the server's administrator, in the form of
// go-sql-driver/mysql. It holds a password: never print it.
func (d *Database) AdminDSN() string { return d.dsn(d.s.target.User, d.s.target.Password) }

func (d *Database) dsn(user, password string) string {
	d.s.mu.Lock()
	addr := d.s.addrs[d.instance]
	d.s.mu.Unlock()
	if addr == "" {
		addr = d.instance + ".is-not-started.invalid:3306" // as the connection's error will say
	}
	cfg, err := d.s.config(addr, d.Names().Physical, user, password)
	if err != nil {
		return "" // Connect has told
	}
	return cfg.FormatDSN()
}

// read runs f in a read-only session whose output of values depends on no
// setting of the server.
func (d *Database) read(ctx context.Context, f func(*sql.Conn) error) error {
	params := map[string]string{
		"time_zone":               "'+00:00'",
		"group_concat_max_len":    "1073741824",
		"div_precision_increment": "4",
		"sql_quote_show_create":   "1",
		"sql_select_limit":        "18446744073709551615",
		"lc_messages":             "'en_US'",
		"lc_time_names":           "'en_US'",
	}
	if d.s.maria {
		params["tx_isolation"], params["tx_read_only"] = "'REPEATABLE-READ'", "1"
		params["max_statement_time"] = "0"
	} else {
		params["transaction_isolation"], params["transaction_read_only"] = "'REPEATABLE-READ'", "1"
		params["max_execution_time"] = "0"
		// Figures of tables as they are, not as they were a day ago.
		params["information_schema_stats_expiry"] = "0"
	}
	user, password := d.s.target.User, d.s.target.Password
	if d.s.guest.is() { // who alone sees the bodies of what belongs to it
		user, password = d.s.owner()
	}
	return d.s.onAs(ctx, user, password, d.instance, "", params, f)
}

// schemas are those that hold what was restored, as the server calls them.
func (d *Database) schemas(ctx context.Context, c *sql.Conn) ([]string, error) {
	if d.s.guest.is() {
		return []string{d.Names().Physical}, nil
	}
	return owned(ctx, c)
}
