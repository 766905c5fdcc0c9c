package mysql

import (
	"testing"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// BenchmarkStatement is what the gate adds to a statement of next to no work:
// the server's own time is in it.
func BenchmarkStatement(b *testing.B) {
	l := newLab(b, snapshottest.MySQL(b, ""), Options{}, seed)
	s := l.open()
	for _, sql := range []string{"UPDATE a SET n = n + 1 WHERE id = 1", "ALTER TABLE a COMMENT 'x'"} {
		b.Run(sql, func(b *testing.B) {
			for b.Loop() {
				walk(b, s, script(sql))
			}
		})
	}
}
