package main

import (
	"database/sql"

	_ "github.com/lib/pq" // as sql-migrate's program
	migrate "github.com/rubenv/sql-migrate"
)

func sqlMigrateRun(url, dir string, direction migrate.MigrationDirection, most int) error {
	return open("postgres", url, func(db *sql.DB) error {
		_, err := migrate.ExecMax(db, "postgres", migrate.FileMigrationSource{Dir: dir}, direction, most)
		return err
	})
}

func sqlMigrateUp(url, dir string) error   { return sqlMigrateRun(url, dir, migrate.Up, 0) }
func sqlMigrateDown(url, dir string) error { return sqlMigrateRun(url, dir, migrate.Down, 1) }

func sqlMigratePending(url, dir string) (files []string, err error) {
	err = open("postgres", url, func(db *sql.DB) error {
		plan, _, err := migrate.PlanMigration(db, "postgres", migrate.FileMigrationSource{Dir: dir}, migrate.Up, 0)
		for _, m := range plan {
			files = append(files, m.Id)
		}
		return err
	})
	return files, err
}
