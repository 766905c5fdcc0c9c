package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/migration-gate/migration-gate/snapshot"
)

// Seal brings the statistics up to date, makes the redo log small and stops
// the server. From then on the baseline's files do not change: clones are
// copies of them, and who reads them does so without writing.
//
// The redo log decides what a copy costs: 1 GB of data took 0.3-0.6 s with a
// small one, 18 s with one of 4 GB.
func (b *Baseline) Seal(ctx context.Context) error {
	s := b.s
	if s.isSealed() {
		return nil
	}
	if err := s.seal(ctx); err != nil {
		return fmt.Errorf("seal baseline: %w", err)
	}
	s.mu.Lock()
	s.sealed = true
	s.mu.Unlock()
	return nil
}

func (s *Server) seal(ctx context.Context) error {
	small := false
	if s.guest.is() {
		if err := s.rest(ctx); err != nil {
			return fmt.Errorf("lay events to rest: %w", err)
		}
	}
	err := s.on(ctx, snapshot.FirstInstance, "", func(c *sql.Conn) (err error) {
		if err := s.analyze(ctx, c); err != nil {
			return fmt.Errorf("analyze tables: %w", err)
		}
		if _, err := c.ExecContext(ctx, "UPDATE "+ident(s.markSchema(), "baseline")+" SET sealed = 1"); err != nil {
			return err
		}
		if s.guest.is() {
			return s.lock(ctx, c, s.guest.schema(snapshot.FirstInstance))
		}
		small, err = s.shrinkRedo(ctx, c)
		return err
	})
	if err != nil || s.guest.is() {
		return err
	}
	if err := s.stop(ctx, snapshot.FirstInstance); err != nil {
		return err
	}
	if small {
		return nil
	}
	// These versions make their log anew when they start with another size.
	size := map[string]string{fileSizeKey: strconv.Itoa(sealedFileSize)}
	if _, _, err := s.target.Instances.Start(ctx, snapshot.FirstInstance, size); err != nil {
		return fmt.Errorf("start with a small redo log: %w", err)
	}
	return s.stop(ctx, snapshot.FirstInstance)
}

// shrinkRedo makes the redo log small while the server runs, where it can, and
// reports whether it is.
func (s *Server) shrinkRedo(ctx context.Context, c *sql.Conn) (bool, error) {
	if s.maria {
		if s.num < 100900 {
			return false, nil
		}
		_, err := c.ExecContext(ctx, "SET GLOBAL innodb_log_file_size = "+strconv.Itoa(sealedFileSize))
		if err != nil {
			return false, nil
		}
		var now int64
		err = c.QueryRowContext(ctx, "SELECT @@GLOBAL.innodb_log_file_size").Scan(&now)
		return now == sealedFileSize, err
	}
	if s.num < 80030 {
		return false, nil
	}
	if _, err := c.ExecContext(ctx, "SET GLOBAL innodb_redo_log_capacity = "+strconv.Itoa(sealedRedo)); err != nil {
		return false, err
	}
	// The server resizes when its pages allow it. A log that stays large makes
	// copies slow, and nothing worse.
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		var name string
		var size int64
		if err := c.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_redo_log_capacity_resized'").Scan(&name, &size); err != nil {
			return false, err
		}
		if size <= sealedRedo {
			break
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true, nil
}

// analyze gives the optimizer figures of what the restore filled, as production
// has them.
func (s *Server) analyze(ctx context.Context, c *sql.Conn) error {
	tables, err := s.Database(snapshot.FirstInstance).baseTables(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range tables {
		rows, err := c.QueryContext(ctx, "ANALYZE NO_WRITE_TO_BINLOG TABLE "+ident(t.schema, t.name))
		if err != nil {
			return err
		}
		if err := errors.Join(rows.Close(), rows.Err()); err != nil {
			return err
		}
	}
	return nil
}

// Clone copies the sealed baseline under an instance's name, with a server of
// its own on the copy. An instance that is there already is an error.
func (b *Baseline) Clone(ctx context.Context, instance string) error {
	if err := b.clone(ctx, instance, nil); err != nil {
		return fmt.Errorf("clone the baseline as %s: %w", instance, err)
	}
	return nil
}

// CloneEmpty makes a clone whose tables have no rows, and all else: foreign
// keys, triggers, routines. On it the server answers at once which algorithms
// it takes for a statement. One answer is not the baseline's: versions of rows
// that earlier INSTANT changes have used up are gone with the rows.
func (b *Baseline) CloneEmpty(ctx context.Context, instance string) error {
	clone, empty := b.clone, b.s.truncate
	if b.s.guest.is() {
		clone, empty = b.copyEmpty, func(context.Context, *sql.Conn) error { return nil }
	}
	err := clone(ctx, instance, map[string]string{"innodb_buffer_pool_size": "64M"})
	if err == nil {
		err = b.s.on(ctx, instance, "", func(c *sql.Conn) error { return empty(ctx, c) })
	}
	if err != nil {
		return fmt.Errorf("make an empty clone of the baseline as %s: %w", instance, err)
	}
	return nil
}

func (b *Baseline) clone(ctx context.Context, instance string, settings map[string]string) error {
	s := b.s
	if !s.isSealed() {
		return errors.New("it is not sealed")
	}
	if s.guest.is() {
		return b.copy(ctx, instance, true)
	}
	if err := s.copyBase(ctx, instance); err != nil {
		return err
	}
	if _, err := s.addrWith(ctx, instance, settings); err != nil {
		return errors.Join(err, s.Drop(context.WithoutCancel(ctx), instance))
	}
	return nil
}

// copyBase waits for those who read the baseline, and keeps others from
// starting it meanwhile.
func (s *Server) copyBase(ctx context.Context, to string) error {
	s.base.Lock()
	defer s.base.Unlock()
	if err := s.stop(ctx, snapshot.FirstInstance); err != nil {
		return err
	}
	return s.target.Instances.Copy(ctx, snapshot.FirstInstance, to)
}

// truncate empties every table of the migrating account.
func (s *Server) truncate(ctx context.Context, c *sql.Conn) error {
	if _, err := c.ExecContext(ctx, "SET foreign_key_checks = 0"); err != nil {
		return err
	}
	tables, err := s.Database(snapshot.FirstInstance).baseTables(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range tables {
		name := ident(t.schema, t.name)
		some, err := column(ctx, c, "SELECT 1 FROM "+name+" LIMIT 1")
		if err != nil {
			return err
		}
		if len(some) == 0 {
			continue
		}
		_, err = c.ExecContext(ctx, "TRUNCATE TABLE "+name)
		if isNumber(err, 4137) { // MariaDB, of a table with system versioning
			_, err = c.ExecContext(ctx, "DELETE FROM "+name)
		}
		if err != nil {
			return fmt.Errorf("empty table %s.%s: %w", t.schema, t.name, err)
		}
	}
	return nil
}

type tableName struct{ schema, name string }

// baseTables lists the tables of the migrating account, views and sequences
// left out.
func (d *Database) baseTables(ctx context.Context, c *sql.Conn) ([]tableName, error) {
	schemas, err := d.schemas(ctx, c)
	if err != nil || len(schemas) == 0 {
		return nil, err
	}
	rows, err := c.QueryContext(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES
		WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA IN (`+literals(schemas)+`) ORDER BY 1, 2`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []tableName
	for rows.Next() {
		var t tableName
		if err := rows.Scan(&t.schema, &t.name); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, rows.Err()
}
