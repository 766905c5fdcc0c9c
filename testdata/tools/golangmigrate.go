package main

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/postgres"
	_ "github.com/golang-migrate/migrate/v4/source/file"
)

func golangMigrate(url, dir string, do func(*migrate.Migrate) error) error {
	m, err := migrate.New("file://"+dir, url)
	if err != nil {
		return err
	}
	err = do(m)
	if errors.Is(err, migrate.ErrNoChange) {
		err = nil
	}
	source, database := m.Close()
	return errors.Join(err, source, database)
}

func golangMigrateUp(url, dir string) error {
	return golangMigrate(url, dir, (*migrate.Migrate).Up)
}

func golangMigrateDown(url, dir string) error {
	return golangMigrate(url, dir, func(m *migrate.Migrate) error { return m.Steps(-1) })
}

// golangMigratePending lists the files after the version that the tool says the
// database is at. The tool has no command for it.
func golangMigratePending(url, dir string) (files []string, err error) {
	err = golangMigrate(url, dir, func(m *migrate.Migrate) error {
		at, dirty, err := m.Version()
		fresh := errors.Is(err, migrate.ErrNilVersion)
		switch {
		case err != nil && !fresh:
			return err
		case dirty:
			return migrate.ErrDirty{Version: int(at)}
		}
		ups, err := sqlFiles(dir, ".up.sql")
		for _, f := range ups {
			digits, _, _ := strings.Cut(f, "_")
			n, err := strconv.ParseUint(digits, 10, 64)
			if err != nil {
				return &fs.PathError{Op: "parse", Path: f, Err: err}
			}
			if fresh || n > uint64(at) {
				files = append(files, f)
			}
		}
		return err
	})
	return files, err
}
