package snapshot

import (
	"bytes"
	"os"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// Engines a Source can be of.
const (
	Postgres = "postgres"
	MySQL    = "mysql"
	MariaDB  = "mariadb"
)

// EngineOf tells, by a look at the beginning of a snapshot, which engine it was
// taken from; "" where that does not show: SQL without the comments of a dump
// tool, or a directory of mydumper in whose tables nothing is of MySQL or of
// MariaDB alone. It is quick also for a large file: what Open verifies, it does
// not.
func EngineOf(spec string) (string, error) {
	path, _, _ := strings.Cut(spec, "#sha256=")
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		s := Source{Path: path}
		_ = s.recognise() // Open says what is wrong with it
		return s.Engine, nil
	}
	if !info.Mode().IsRegular() {
		return "", nil
	}
	head, err := headOf(path)
	if err != nil {
		return "", nil // Open says what is wrong with it
	}
	if bytes.HasPrefix(head, []byte(archive.Magic)) {
		return Postgres, nil
	}
	return originOf(head).engine, nil
}
