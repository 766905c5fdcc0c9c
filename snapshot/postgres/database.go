package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Database is one database of a Server: a baseline to read, or a clone.
type Database struct {
	s        *Server
	name     string // on the server, with the prefix
	readOnly bool
	// wrote is told that somebody may write: the baseline, before it is sealed.
	wrote func()
}

// Name of the database on the server.
func (d *Database) Name() string { return d.name }

// OwnerDSN connects as the migrating role. It holds a password: never print it.
func (d *Database) OwnerDSN() string {
	d.written()
	return d.s.ownerDSN(d.name)
}

// AdminDSN connects as the server's administrator. It holds a password: never
// print it.
func (d *Database) AdminDSN() string {
	d.written()
	dsn := d.s.dsn(d.name, d.s.target.User, d.s.target.Password)
	if d.readOnly {
		dsn += "&default_transaction_read_only=on"
	}
	return dsn
}

func (d *Database) written() {
	if d.wrote != nil {
		d.wrote()
	}
}

// Database gives a database of the server by its name, to read and to connect
// to. It does not look whether there is one.
func (s *Server) Database(name string) *Database {
	return &Database{s: s, name: s.target.Prefix + name}
}

// Home is the database for sessions that work on no other: those on a clone or
// a baseline keep it from being copied and dropped.
func (s *Server) Home() *Database { return &Database{s: s, name: s.home} }

// read runs f in a read-only session whose output of values depends on no
// setting of the database or the role.
func (d *Database) read(ctx context.Context, f func(*pgx.Conn) error) error {
	return d.s.onWith(ctx, d.name, map[string]string{
		"default_transaction_read_only": "on",
		"datestyle":                     "ISO, YMD",
		"intervalstyle":                 "postgres",
		"timezone":                      "UTC",
		"bytea_output":                  "hex",
		"extra_float_digits":            "1",
		"xmloption":                     "content",
		"quote_all_identifiers":         "off",
		"row_security":                  "off",
		"lc_monetary":                   "C",
	}, f)
}
