package observe

import (
	"testing"
	"time"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
	"github.com/migration-gate/migration-gate/lockbudget"
	"github.com/migration-gate/migration-gate/snapshot"
)

// TestDeadIndex: the ACCESS EXCLUSIVE that REINDEX CONCURRENTLY takes on the
// old index comes when nobody plans with it any more, and blocks nobody. It
// lasts too short for a real server to show it every time.
func TestDeadIndex(t *testing.T) {
	for sql, blocks := range map[string]int{
		"REINDEX INDEX CONCURRENTLY i": 0, "DROP INDEX CONCURRENTLY i": 0, "REINDEX INDEX i": 1, "DROP INDEX i": 1,
	} {
		statements, err := migration.ParseScript("1_m.up.sql", []byte(sql))
		if err != nil {
			t.Fatal(err)
		}
		o := &gate.Observation{Migrations: []gate.Migration{{
			Migration: migration.Migration{Up: migration.Script{Statements: statements}}, Apply: &gate.Run{Statements: make([]gate.StatementRun, 1)},
		}}}
		j := joiner{
			before: map[string]snapshot.Relation{"7": {Object: "7", Schema: "public", Name: "i", Kind: "index", Table: "6"}, "6": {Object: "6", Schema: "public", Name: "t", Kind: "table", Table: "6"}},
			impact: func(_, _ string, existed bool) lockbudget.Impact {
				if existed {
					return lockbudget.BlocksReads
				}
				return 0
			},
			ids: []statementID{{}},
		}
		at := lockbudget.Interval{Sent: time.Millisecond, Received: 2 * time.Millisecond}
		j.windows(o, lockbudget.Recording{
			Session: 1,
			Stamps:  []lockbudget.Stamp{{Event: lockbudget.Statement, At: lockbudget.Interval{Received: time.Second}, Released: true}},
			Samples: []lockbudget.Sample{{At: at, Last: at, Count: 1, Locks: []lockbudget.Lock{{Session: 1, Object: "7", Mode: "ACCESS EXCLUSIVE", Granted: true}}}},
		})
		if len(o.Locks) != 1 || o.Locks[0].Table != "public.t" || len(o.Locks[0].Blocks) != blocks {
			t.Errorf("%s: %+v", sql, o.Locks)
		}
	}
}
