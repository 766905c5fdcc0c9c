package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// markSchema holds what a later process must know of a baseline: a table
// "baseline" of one row. The migrating account cannot see it.
const markSchema = "migration_gate"

// create makes the baseline's database, with options as CREATE DATABASE has
// them ("CHARACTER SET latin1"), and the migrating account that owns it.
func (s *Server) create(ctx context.Context, c *sql.Conn, schema, options string) error {
	if isSystem(schema) {
		return fmt.Errorf("database %s: the name belongs to the server", schema)
	}
	home := s.markSchema()
	statements := []string{
		"DROP DATABASE IF EXISTS " + ident(home),
		"CREATE DATABASE " + ident(home),
		"CREATE TABLE " + ident(home, "baseline") + " (name varchar(64) CHARACTER SET utf8mb4 NOT NULL, sealed int NOT NULL) ENGINE=InnoDB",
		"INSERT INTO " + ident(home, "baseline") + " VALUES (" + literal(schema) + ", 0)",
		"CREATE DATABASE IF NOT EXISTS " + ident(schema) + " " + options,
	}
	if s.guest.is() { // which has its home, and has made the schema
		statements[0], statements[1] = "DROP TABLE IF EXISTS "+ident(home, "baseline"), "DROP TABLE IF EXISTS "+ident(home, "origins")
		statements[4] = "CREATE TABLE " + ident(home, "origins") + " (instance varchar(64) NOT NULL, kind varchar(10) NOT NULL, id bigint unsigned NOT NULL, base bigint unsigned NOT NULL) ENGINE=InnoDB"
	}
	for _, q := range statements {
		if _, err := c.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	if err := s.setOwner(ctx, c, schema); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schema, s.sealed = schema, false
	return nil
}

// setOwner makes the migrating account, gives it each of the schemas, and takes
// away what the server gives to everybody.
func (s *Server) setOwner(ctx context.Context, c *sql.Conn, schemas ...string) error {
	if s.guest.is() { // where schemas are given as they are made
		return nil
	}
	if err := s.forgetAnybody(ctx, c); err != nil {
		return fmt.Errorf("remove accounts without a name: %w", err)
	}
	account := literal(Owner) + "@'%'"
	statements := []string{
		"CREATE USER IF NOT EXISTS " + account + " IDENTIFIED BY '" + s.ownerPassword() + "'",
		"ALTER USER " + account + " IDENTIFIED BY '" + s.ownerPassword() + "'",
	}
	for _, schema := range schemas {
		statements = append(statements, "GRANT ALL PRIVILEGES ON "+ident(pattern(schema))+".* TO "+account)
	}
	for _, q := range statements {
		if _, err := c.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("make the migrating account: %w", err) // the server's errors do not quote passwords
		}
	}
	return nil
}

// forgetAnybody removes what MariaDB's and old MySQL's installation leaves for
// everybody: accounts without a name, which would win over the migrating
// account on localhost, and rights on databases called test.
func (s *Server) forgetAnybody(ctx context.Context, c *sql.Conn) error {
	hosts, err := column(ctx, c, "SELECT Host FROM mysql.user WHERE User = ''")
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if _, err := c.ExecContext(ctx, "DROP USER ''@"+literal(h)); err != nil {
			return err
		}
	}
	if _, err := c.ExecContext(ctx, "DELETE FROM mysql.db WHERE User IN ('', 'PUBLIC')"); err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, "FLUSH PRIVILEGES")
	return err
}

// owned lists the schemas that the migrating account owns.
func owned(ctx context.Context, c *sql.Conn) ([]string, error) {
	list, err := column(ctx, c, "SELECT Db FROM mysql.db WHERE User = "+literal(Owner)+" ORDER BY Db")
	for i := range list {
		list[i] = strings.NewReplacer(`\_`, `_`, `\%`, `%`, `\\`, `\`).Replace(list[i])
	}
	return list, err
}

// pattern spells a schema's name for GRANT, where _ and % match anything.
func pattern(schema string) string {
	return strings.NewReplacer(`\`, `\\`, `_`, `\_`, `%`, `\%`).Replace(schema)
}

func isSystem(schema string) bool {
	return slices.Contains([]string{"mysql", "sys", "information_schema", "performance_schema", markSchema}, strings.ToLower(schema))
}

// column collects the one column of a query.
func column(ctx context.Context, c *sql.Conn, query string) ([]string, error) {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// isNumber reports whether the server refused with one of these errors.
func isNumber(err error, numbers ...uint16) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && slices.Contains(numbers, my.Number)
}
