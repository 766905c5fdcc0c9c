package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/migration-gate/migration-gate/snapshot"
)

// defaultSchema is the name of a database that no dump names.
const defaultSchema = "app"

// Baseline is a restored snapshot: the first instance of the target. Once
// sealed it is never written to.
type Baseline struct{ s *Server }

// Empty makes a baseline without a snapshot: an empty database.
func (s *Server) Empty(ctx context.Context) (*Baseline, error) {
	err := error(nil)
	if s.guest.is() {
		err = s.found(ctx, s.guest.schema(snapshot.FirstInstance), "")
	}
	if err == nil {
		err = s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) error {
			return s.create(ctx, c, defaultSchema, "")
		})
	}
	if err != nil {
		return nil, fmt.Errorf("make an empty database: %w", err)
	}
	return &Baseline{s: s}, nil
}

// Open attaches to the baseline that an earlier process made, sealed or not,
// and to what runs beside it.
func (s *Server) Open(ctx context.Context) (*Baseline, error) {
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("attach to the baseline: %w", err)
	}
	return &Baseline{s: s}, nil
}

func (s *Server) open(ctx context.Context) error {
	var schema string
	var sealed, readOnly bool
	err := s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) error {
		err := c.QueryRowContext(ctx, "SELECT name, sealed, @@innodb_read_only FROM "+ident(s.markSchema(), "baseline")).Scan(&schema, &sealed, &readOnly)
		if errors.Is(err, sql.ErrNoRows) || isNumber(err, 1146, 1049) {
			return errors.New("there is none; restore the snapshot again")
		}
		return err
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.schema, s.sealed = schema, sealed
	s.mu.Unlock()
	if sealed && !readOnly && !s.guest.is() { // whoever started it did not know
		return s.stop(ctx, snapshot.FirstInstance)
	}
	return nil
}

// Unsealed is the baseline to write to, for catching up with what is merged.
// It is nil once the baseline is sealed.
func (b *Baseline) Unsealed() *Database {
	if b.s.isSealed() {
		return nil
	}
	return &Database{s: b.s, instance: snapshot.FirstInstance}
}

// Database is the baseline to read. Its server runs only while nobody makes a
// clone: what was read is not kept in a connection.
func (b *Baseline) Database() *Database { return b.s.Database(snapshot.FirstInstance) }

// Name of the baseline's database.
func (b *Baseline) Name() string { return b.Database().Name() }

func (s *Server) isSealed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealed
}
