// Command tools runs migration tools as their own command lines do, for tests
// that hold this program's reading of files and ledgers against them:
//
//	tools TOOL up URL DIR        apply what is new
//	tools TOOL down URL DIR      take the last one back
//	tools TOOL pending URL DIR   list what up would apply, a file a line
//	tools TOOL parse             read texts from standard input, as parse says
//
// It is a module of its own, so that the tools and their drivers stay out of
// the main one. dbmate is not among them: it comes as a program from npm; nor
// is Flyway, which comes from Maven (flyway/).
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// tool is one migration tool.
type tool struct {
	up, down func(url, dir string) error
	pending  func(url, dir string) ([]string, error)
}

var tools = map[string]tool{
	"golang-migrate": {golangMigrateUp, golangMigrateDown, golangMigratePending},
	"goose":          {gooseUp, gooseDown, goosePending},
	"sql-migrate":    {sqlMigrateUp, sqlMigrateDown, sqlMigratePending},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[1] == "parse" {
		return parse(args[0], os.Stdin, os.Stdout)
	}
	if len(args) != 4 {
		return errors.New("usage: tools TOOL up|down|pending URL DIR")
	}
	t, ok := tools[args[0]]
	if !ok {
		return fmt.Errorf("no tool %q", args[0])
	}
	dir, err := filepath.Abs(args[3])
	if err != nil {
		return err
	}
	switch args[1] {
	case "up":
		return t.up(args[2], dir)
	case "down":
		return t.down(args[2], dir)
	case "pending":
		files, err := t.pending(args[2], dir)
		for _, f := range files {
			fmt.Println(f)
		}
		return err
	}
	return fmt.Errorf("no command %q", args[1])
}

// open connects with the driver that the tool's own program has.
func open(driver, url string, do func(*sql.DB) error) error {
	db, err := sql.Open(driver, url)
	if err != nil {
		return err
	}
	defer db.Close()
	return do(db)
}

// sqlFiles lists a directory's files that end in a suffix, by name.
func sqlFiles(dir, suffix string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	slices.Sort(files)
	return files, err
}
