package main

import (
	"context"
	"database/sql"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib" // as goose's program
	"github.com/pressly/goose/v3"
)

func gooseRun(url, dir, command string) error {
	if err := goose.SetDialect("postgres"); err != nil {
		return err
	}
	return open("pgx", url, func(db *sql.DB) error {
		return goose.RunContext(context.Background(), command, db, dir)
	})
}

func gooseUp(url, dir string) error   { return gooseRun(url, dir, "up") }
func gooseDown(url, dir string) error { return gooseRun(url, dir, "down") }

func goosePending(url, dir string) (files []string, err error) {
	err = open("pgx", url, func(db *sql.DB) error {
		p, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS(dir))
		if err != nil {
			return err
		}
		all, err := p.Status(context.Background())
		for _, s := range all {
			if s.State == goose.StatePending {
				files = append(files, s.Source.Path)
			}
		}
		return err
	})
	return files, err
}
