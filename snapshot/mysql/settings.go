package mysql

import (
	"fmt"
	"maps"

	"github.com/migration-gate/migration-gate/snapshot"
	"github.com/migration-gate/migration-gate/snapshot/internal/machine"
)

// redoKeys are the options that hold the size of the redo log: which of them
// counts depends on the version, and those that a version does not know are
// passed over ("loose_").
const (
	capacityKey     = "loose_innodb_redo_log_capacity" // MySQL 8.0.30 and later
	fileSizeKey     = "loose_innodb_log_file_size"     // older, and MariaDB
	runningRedo     = "1G"
	runningFileSize = "512M"   // MySQL before 8.0.30 has two files of this size
	sealedRedo      = 8 << 20  // the least that innodb_redo_log_capacity takes
	sealedFileSize  = 16 << 20 // MariaDB wants no less than innodb_log_buffer_size
)

// Settings are for the configuration of a throw-away server: fast, and without
// changing what locks measure. Keys are options of mysqld with underscores.
//
// What is deliberately left alone, because it is production's: sql_mode,
// character sets, every timeout, innodb_stats_*, innodb_sort_buffer_size and
// the number of threads that DDL uses.
func Settings(engine string) map[string]string {
	settings := map[string]string{
		// The files are thrown away: nothing needs to survive a power cut.
		"innodb_flush_log_at_trx_commit": "0",
		"sync_binlog":                    "0",
		"skip_log_bin":                   "1",
		"innodb_doublewrite":             "OFF",
		"innodb_flush_method":            "nosync",
		// Several servers run on one machine, and requests for asynchronous
		// input and output are counted by the kernel. Buffered as they are
		// here they gain nothing.
		"innodb_use_native_aio": "OFF",
		// A part of what production would have: up to four servers run at
		// once, and the page cache serves all of them.
		"innodb_buffer_pool_size":             fmt.Sprintf("%dM", machine.Share(8, 128, 2048)),
		"innodb_buffer_pool_dump_at_shutdown": "OFF",
		"innodb_buffer_pool_load_at_startup":  "OFF",
		// No checkpoint in the middle of a measured statement.
		capacityKey: runningRedo,
		fileSizeKey: runningFileSize,
		// Dumps and backfills have statements of any size.
		"max_allowed_packet": "1G",
		"table_open_cache":   "4000",
		// Nothing runs that the migration does not run.
		"event_scheduler": "OFF",
		// What timestamps become as datetime depends on it.
		"default_time_zone": "+00:00",
		// Nobody reads or writes the server's files.
		"local_infile": "0",
		// The phases of DDL are read from the server's own clock. A history
		// that overflows in the middle of a statement voids the run.
		"performance_schema":                                         "ON",
		"performance_schema_instrument":                              "stage/%=ON",
		"performance_schema_consumer_events_stages_current":          "ON",
		"performance_schema_consumer_events_stages_history_long":     "ON",
		"performance_schema_consumer_events_statements_current":      "ON",
		"performance_schema_consumer_events_statements_history_long": "ON",
		// The table of a long ALTER is told from its digest.
		"max_digest_length":                                      "4096",
		"performance_schema_max_digest_length":                   "4096",
		"performance_schema_digests_size":                        "200", // each as long
		"performance_schema_events_stages_history_long_size":     "100000",
		"performance_schema_events_statements_history_long_size": "20000", // 2.7 KB each
	}
	if engine == snapshot.MariaDB {
		settings[fileSizeKey] = runningRedo
		// MariaDB has no word for nowhere.
		settings["secure_file_priv"] = "/dev/null"
		return settings
	}
	maps.Copy(settings, map[string]string{
		"secure_file_priv": "NULL",
		// Without a binary log there are none; with them on some statements
		// would be refused that production may run.
		"gtid_mode":                "OFF",
		"enforce_gtid_consistency": "OFF",
		"loose_mysqlx":             "OFF",
	})
	return settings
}

// readOnly are the settings of an instance that is only read. InnoDB then
// writes to no file at all (measured on 9.7.4 and 10.11.18). Each row is read
// once, from start to end, which a larger pool does not help: what memory there
// is goes to the instance that migrates.
func readOnly() map[string]string {
	return map[string]string{"innodb_read_only": "ON", "innodb_buffer_pool_size": "128M"}
}
