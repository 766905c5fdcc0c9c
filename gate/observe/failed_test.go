package observe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/observe"
	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// failing is a script that fails, and what is true then.
type failing struct {
	name, up string
	at       int // the statement that failed
	// undone tells of each statement that ran whether it was rolled back.
	undone []bool
	// again is where a second run fails: -1 for nowhere, none for no second run
	// because nothing was left.
	again int
}

const none = -2

func (c failing) check(t *testing.T, o *gate.Observation) {
	t.Helper()
	m := o.Migrations[0]
	if m.Apply.Failure == nil || m.Apply.Failure.Statement != c.at {
		t.Fatalf("failure %+v, want one of statement %d", m.Apply.Failure, c.at)
	}
	var undone []bool
	for _, st := range m.Apply.Statements {
		undone = append(undone, st.RolledBack)
	}
	if diff := cmp.Diff(c.undone, undone); diff != "" {
		t.Error("rolled back", diff)
	}
	again := none
	if m.Rerun != nil {
		again = -1
		if f := m.Rerun.Failure; f != nil {
			again = f.Statement
		}
	}
	if again != c.again {
		t.Errorf("run again, it fails at %d, want %d", again, c.again)
	}
}

// TestFailed: what a failure leaves is told statement by statement, and only
// where it left something the script is run once more, as it stands.
func TestFailed(t *testing.T) {
	lab := newLab(t, snapshottest.Majors(t)[0], "CREATE TABLE t (id int PRIMARY KEY)")
	for _, c := range []failing{
		{"all of it undone", "CREATE TABLE a (); CREATE TABLE t ()", 1, []bool{true, false}, none},
		{"what was committed stays", "BEGIN; CREATE TABLE a (); COMMIT; CREATE TABLE b (); CREATE TABLE t ()", 4, []bool{false, false, false, true, false}, 1},
		{"and is no hindrance", "BEGIN; CREATE TABLE IF NOT EXISTS a (); COMMIT; CREATE TABLE t ()", 3, []bool{false, false, false, false}, 3},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, applied(t, lab.clone(t), change(t, 1, c.up, ""))) })
	}
}

// TestFailedOnMySQL: DDL stays, and commits what was open before it even where
// it fails.
func TestFailedOnMySQL(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			l := newMySQLLab(t, flavour)
			for _, c := range []failing{
				{"DDL stays", "CREATE TABLE a (id INT PRIMARY KEY); ALTER TABLE orders ADD COLUMN total INT", 1, []bool{false, false}, 0},
				{"and is no hindrance", "CREATE TABLE IF NOT EXISTS a (id INT PRIMARY KEY); ALTER TABLE orders ADD COLUMN total INT", 1, []bool{false, false}, 1},
				{"the first statement leaves nothing", "ALTER TABLE orders ADD COLUMN total INT", 0, []bool{false}, none},
				{"rows of a transaction are undone", "START TRANSACTION; INSERT INTO users (id, email) VALUES (9000001, 'a'); INSERT INTO users (id, email) VALUES (9000001, 'b')",
					2, []bool{true, true, false}, none},
				{"but those that DDL committed, which failed itself", "START TRANSACTION; INSERT INTO users (id, email) VALUES (9000001, 'a'); ALTER TABLE orders ADD COLUMN total INT",
					2, []bool{false, false, false}, 1},
			} {
				t.Run(c.name, func(t *testing.T) {
					l.reset(t, true)
					o := &gate.Observation{Migrations: []gate.Migration{mysqlChange(t, flavour, c.up)}}
					if err := observe.Apply(t.Context(), l.lab(), o, observe.Options{Every: 2 * time.Millisecond, MaxGap: 5 * time.Second}); err != nil {
						t.Fatal(err)
					}
					c.check(t, o)
				})
			}
		})
	}
}

// TestVoidedOnMySQL: where the server had no room for a lock or for a
// statement's stages, the run is an error, whatever else was seen.
func TestVoidedOnMySQL(t *testing.T) {
	many := ""
	var locked []string
	for i := range 40 {
		many += fmt.Sprintf("CREATE TABLE t%d (id INT PRIMARY KEY); ", i)
		locked = append(locked, fmt.Sprintf("t%d READ", i))
	}
	for _, c := range []struct{ setting, value, up, at, want string }{
		{"performance_schema_max_metadata_locks", "20", many + "LOCK TABLES " + strings.Join(locked, ", ") + "; UNLOCK TABLES", "line 1: ", "Performance_schema_metadata_lock_lost"},
		{"performance_schema_events_stages_history_long_size", "10", "ALTER TABLE orders ADD INDEX i (total)", "line 1: ", "performance_schema_events_stages_history_long_size"},
	} {
		t.Run(c.setting, func(t *testing.T) {
			l := newMySQLLabWith(t, snapshot.MySQL, map[string]string{c.setting: c.value})
			l.reset(t, true)
			o := &gate.Observation{Migrations: []gate.Migration{mysqlChange(t, snapshot.MySQL, c.up)}}
			err := observe.Apply(t.Context(), l.lab(), o, observe.Options{Every: 2 * time.Millisecond, MaxGap: 5 * time.Second})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "migrations/2_m.up.sql: "+c.at) {
				t.Errorf("%v", err)
			}
		})
	}
}
