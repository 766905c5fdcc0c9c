package postgres_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot/postgres"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// asLoader cuts a text as a plain dump is cut.
func asLoader(text string, buffer int) snapshottest.Splitter {
	return func(yield func(snapshottest.Piece) bool) error {
		return postgres.SplitDump(text, buffer, func(sql string, data []byte) bool { return yield(snapshottest.Piece{SQL: sql, Data: data}) })
	}
}

// A plain dump cut and run piece by piece does what psql does with the file:
// real dumps of this package's, and generated texts that no dump holds.
func TestDumpPiecesDoWhatPsqlDoes(t *testing.T) {
	p := snapshottest.NewPsql(t)
	statements := 0
	for _, name := range []string{"testdata/rich.sql", "testdata/everything.sql"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		p.Fresh()
		n, _ := p.Same(name, globalFree(string(text)), asLoader(globalFree(string(text)), 4096))
		statements += n
	}
	more, _ := strconv.ParseUint(os.Getenv("MG_FUZZ_FILES"), 10, 32)
	for seed := range 25 + more {
		if seed%50 == 0 {
			p.Fresh()
		}
		seed += 1 << 20 // others than gate/migration tries
		text := snapshottest.RandomSQL(seed)
		n, _ := p.Same(fmt.Sprintf("RandomSQL(%d)", seed), text, asLoader(text, 16))
		statements += n
		if t.Failed() {
			break
		}
	}
	t.Logf("%d statements", statements)
	if statements < 300 {
		t.Errorf("only %d statements were run", statements)
	}
}

// globalFree takes out what is not the database's own: the second of the two
// would meet the first one's roles.
func globalFree(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		for _, global := range []string{"CREATE ROLE", "CREATE USER ", "CREATE TABLESPACE", "CREATE DATABASE", "CREATE SUBSCRIPTION"} {
			if strings.HasPrefix(line, global) {
				lines[i] = ""
			}
		}
	}
	return strings.Join(lines, "\n")
}
