package mysql_test

import (
	"context"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/mysql"
	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// A server takes every setting: none is refused, and those that matter hold.
func TestSettingsHold(t *testing.T) {
	for _, flavour := range snapshottest.MySQLFlavours(t) {
		t.Run(flavour, func(t *testing.T) {
			engine := snapshottest.MySQLSpec(flavour).Engine
			target := snapshottest.MySQLAlone(t, flavour, mysql.Settings(engine))
			s, err := mysql.Connect(context.Background(), target)
			if err != nil {
				t.Fatal(err)
			}
			admin := s.Database(snapshot.FirstInstance).AdminDSN()
			want := map[string]string{
				"log_bin": "0", "innodb_flush_log_at_trx_commit": "0", "innodb_flush_method": "nosync", "innodb_doublewrite": "0",
				"local_infile": "0", "event_scheduler": "OFF", "max_allowed_packet": "1073741824",
				"performance_schema": "1", "performance_schema_events_stages_history_long_size": "100000", "time_zone": "+00:00",
			}
			if engine == snapshot.MariaDB {
				want["innodb_log_file_size"] = "1073741824"
			} else {
				want["innodb_redo_log_capacity"] = "1073741824"
				want["gtid_mode"], want["innodb_doublewrite"] = "OFF", "OFF"
			}
			for name, value := range want {
				if got := ask(t, admin, "SELECT @@GLOBAL."+name)[0]; got != value {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
			if got := ask(t, admin, "SELECT @@GLOBAL.secure_file_priv")[0]; got == "" {
				t.Error("the server reads and writes files anywhere")
			}
			off := ask(t, admin, `SELECT GROUP_CONCAT(NAME) FROM performance_schema.setup_consumers WHERE ENABLED = 'NO' AND NAME IN
				('events_stages_current', 'events_stages_history_long', 'events_statements_current', 'events_statements_history_long', 'global_instrumentation', 'thread_instrumentation')`)
			if off[0] != "" {
				t.Errorf("consumers that are off: %s", off[0])
			}
			if got := ask(t, admin, "SELECT COUNT(*) FROM performance_schema.setup_instruments WHERE NAME LIKE 'stage/%' AND (ENABLED = 'NO' OR TIMED = 'NO')"); got[0] != "0" {
				t.Errorf("%s stages are not timed", got[0])
			}
			for name := range mysql.Settings(engine) {
				if strings.Contains(name, "-") {
					t.Errorf("%s is not spelled with underscores", name)
				}
			}
		})
	}
}
