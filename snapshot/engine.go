package snapshot

import (
	"bytes"
	"os"
	"path/filepath"

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
	s, _ := parseSpec(spec) // what is wrong with it, Open says
	path := s.Path
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		_ = s.recognise() // Open says what is wrong with it
		if s.Engine == "" && s.Format == "" {
			return engineIn(path), nil
		}
		return s.Engine, nil
	}
	if !info.Mode().IsRegular() {
		return "", nil
	}
	return engineOfFile(path), nil
}

func engineOfFile(path string) string {
	head, err := headOf(path)
	if err != nil {
		return "" // Open says what is wrong with it
	}
	if bytes.HasPrefix(head, []byte(archive.Magic)) {
		return Postgres
	}
	return originOf(head).engine
}

// engineIn looks at the files of a directory until one tells.
func engineIn(dir string) string {
	names, _ := filesIn(dir)
	for _, name := range names {
		base := filepath.Base(name)
		if known, ok := archive.FileName(base); ok && known != archive.Contents {
			continue // the rows of a dump by pg_dump
		}
		if is, _ := noDump(base); is {
			continue
		}
		if engine := engineOfFile(filepath.Join(dir, name)); engine != "" {
			return engine
		}
	}
	return ""
}
