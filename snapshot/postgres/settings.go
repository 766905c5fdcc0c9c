package postgres

import (
	"fmt"

	"github.com/migration-gate/migration-gate/snapshot/internal/machine"
)

// Settings are for the configuration of a throw-away server: fast, and without
// changing what locks measure. They are computed from this machine's memory.
//
// What is deliberately left alone: max_parallel_maintenance_workers and jit
// (they change how long CREATE INDEX, rewrites and backfills take, so they
// should be production's), every timeout, max_locks_per_transaction.
func Settings() map[string]string {
	return map[string]string{
		// The files are thrown away: nothing needs to survive a power cut.
		"fsync":              "off",
		"full_page_writes":   "off",
		"synchronous_commit": "off",
		// New segments of the log need not be filled beforehand, for the same
		// reason; with them a restore writes its log twice.
		"wal_init_zero": "off",
		// As in production: under "minimal" rewrites and index builds log
		// next to nothing, and WAL per statement would measure that.
		"wal_level": "replica",
		// Autovacuum takes locks of its own and runs when it pleases.
		"autovacuum": "off",
		// No checkpoint in the middle of a measured statement.
		"max_wal_size":       "8GB",
		"checkpoint_timeout": "1h",
		// A quarter of what production would have: several clones share the
		// page cache anyway.
		"shared_buffers":       fmt.Sprintf("%dMB", machine.Share(8, 128, 2048)),
		"maintenance_work_mem": fmt.Sprintf("%dMB", machine.Share(32, 64, 512)),
		// Scans and rows written are read from the counters.
		"track_counts": "on",
		// Temporary bytes per statement are read from it. A server that lacks
		// the library starts without it.
		"shared_preload_libraries": "pg_stat_statements",
		// Whether timestamp to timestamptz rewrites a table depends on it.
		"timezone": "UTC",
		// Messages are shown as they are, and in one language.
		"lc_messages": "C",
		// The only roles are the administrator and the migrating role, and
		// both have passwords.
		"password_encryption": "scram-sha-256",
	}
}
