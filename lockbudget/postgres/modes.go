package postgres

import "github.com/migration-gate/migration-gate/lockbudget"

const (
	reads  = lockbudget.BlocksReads
	writes = lockbudget.BlocksWrites
	ddl    = lockbudget.BlocksDDL
)

// mode is a table-level lock mode: the server's word for it, and what it keeps
// ordinary sessions from doing on a table.
type mode struct {
	name   string
	impact lockbudget.Impact
}

// modeOf maps what pg_locks says. The impacts are those of the conflict table
// (PostgreSQL manual, 13.3.1), tried out with every mode against readers,
// writers and DDL on PostgreSQL 15 and 18. Readers here are plain SELECTs:
// SELECT … FOR UPDATE is stopped by EXCLUSIVE too, as a write.
func modeOf(word string) (mode, bool) {
	switch word {
	case "AccessShareLock":
		return mode{"ACCESS SHARE", 0}, true
	case "RowShareLock":
		return mode{"ROW SHARE", 0}, true
	case "RowExclusiveLock":
		return mode{"ROW EXCLUSIVE", 0}, true
	case "ShareUpdateExclusiveLock":
		return mode{"SHARE UPDATE EXCLUSIVE", ddl}, true
	case "ShareLock":
		return mode{"SHARE", writes | ddl}, true
	case "ShareRowExclusiveLock":
		return mode{"SHARE ROW EXCLUSIVE", writes | ddl}, true
	case "ExclusiveLock":
		return mode{"EXCLUSIVE", writes | ddl}, true
	case "AccessExclusiveLock":
		return mode{"ACCESS EXCLUSIVE", reads | writes | ddl}, true
	}
	return mode{}, false
}

// Impact is what a lock blocks, once it is known what kind of relation was
// locked ("table", "partitioned table", "index", "toast", "toast index",
// "sequence", "view", "materialized view", "foreign table", "composite") and
// whether it was there before the migration: nobody waits for what the
// migration itself made.
//
//   - An index's lock counts for its table: planning opens every index, so
//     ACCESS EXCLUSIVE on one stops every SELECT on the table (REINDEX INDEX).
//   - A sequence: nextval and setval take ROW EXCLUSIVE on it, as a writer
//     does on a table.
//   - A materialized view has no writers: what conflicts with EXCLUSIVE is
//     other refreshes.
//   - A composite type's relation is locked by DDL only.
func Impact(modeName, kind string, existedBefore bool) lockbudget.Impact {
	if !existedBefore {
		return 0
	}
	var impact lockbudget.Impact
	switch modeName {
	case "SHARE UPDATE EXCLUSIVE":
		impact = ddl
	case "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE":
		impact = writes | ddl
	case "ACCESS EXCLUSIVE":
		impact = reads | writes | ddl
	}
	switch kind {
	case "materialized view":
		impact &^= writes
	case "composite":
		impact &= ddl
	}
	return impact
}
