package mysql

import (
	"fmt"
	"strings"

	"github.com/migration-gate/migration-gate/lockbudget"
)

const (
	reads  = lockbudget.BlocksReads
	writes = lockbudget.BlocksWrites
	ddl    = lockbudget.BlocksDDL
)

// Server is the Object of locks on the whole server: FLUSH TABLES WITH READ
// LOCK, LOCK INSTANCE FOR BACKUP. Their modes name what is locked:
// "GLOBAL SHARED", "COMMIT SHARED", "BACKUP LOCK SHARED".
const Server = "*"

// tableModes are the metadata locks of tables and views, as LOCK_TYPE spells
// them. Each was held against readers, writers and DDL on MySQL 9.7 and MariaDB
// 10.11 (TestImpact). Readers here are plain SELECTs.
var tableModes = map[string]lockbudget.Impact{
	"INTENTION_EXCLUSIVE":   0,
	"SHARED":                0,
	"SHARED_HIGH_PRIO":      0,
	"SHARED_READ":           0,
	"SHARED_WRITE":          0,
	"SHARED_WRITE_LOW_PRIO": 0,
	"SHARED_UPGRADABLE":     ddl,
	"SHARED_READ_ONLY":      writes | ddl,
	"SHARED_NO_WRITE":       writes | ddl,
	"SHARED_NO_READ_WRITE":  reads | writes | ddl,
	"EXCLUSIVE":             reads | writes | ddl,
}

// scopedModes are the locks that are wider than a table, and what they keep
// others from. Intention locks, which every statement takes, keep nobody.
// "BACKUP LOCK" is the name of a lock (LOCK INSTANCE FOR BACKUP).
//
// A SCHEMA's exclusive lock (DROP DATABASE, ALTER DATABASE) stops whoever opens
// one of its tables: a SELECT takes an intention lock on the schema (seen on
// MySQL 9.7).
var scopedModes = map[string]lockbudget.Impact{
	"SCHEMA EXCLUSIVE":   reads | writes | ddl,
	"SCHEMA SHARED":      ddl,
	"GLOBAL SHARED":      writes | ddl,
	"GLOBAL EXCLUSIVE":   writes | ddl,
	"COMMIT SHARED":      writes | ddl,
	"COMMIT EXCLUSIVE":   writes | ddl,
	"BACKUP LOCK SHARED": ddl,
	// MariaDB: BACKUP STAGE, and FLUSH TABLES WITH READ LOCK as its two steps.
	"BACKUP LOCK START": ddl, "BACKUP LOCK FLUSH": ddl,
	"BACKUP LOCK WAIT_FLUSH": writes | ddl, "BACKUP LOCK WAIT_DDL": writes | ddl, "BACKUP LOCK WAIT_COMMIT": writes | ddl,
	"BACKUP LOCK FTWRL1": writes | ddl, "BACKUP LOCK FTWRL2": writes | ddl,
	"BACKUP LOCK BLOCK_DDL": ddl,
	"BACKUP LOCK DML":       0, "BACKUP LOCK TRANS_DML": 0, "BACKUP LOCK SYS_DML": 0,
	"BACKUP LOCK DDL": 0, "BACKUP LOCK ALTER_COPY": 0, "BACKUP LOCK COMMIT": 0,
}

// Impact is what a lock blocks, once it is known what was locked ("table",
// "view", "schema", or "server" for Server) and whether it was there before the
// migration: nobody waits for what the migration itself made. A mode that this
// version does not know blocks everything.
//
// A lock that is awaited blocks as if it were held: a pending EXCLUSIVE stops
// newcomers, readers included.
func Impact(mode, kind string, existed bool) lockbudget.Impact {
	if !existed {
		return 0
	}
	modes := tableModes
	switch kind {
	case "schema":
		modes, mode = scopedModes, "SCHEMA "+mode
	case "server":
		modes = scopedModes
	}
	impact, known := modes[mode]
	if !known {
		return reads | writes | ddl
	}
	return impact
}

// row is a row of the lock table.
type row struct {
	kind         string // OBJECT_TYPE: "TABLE", "SCHEMA", "GLOBAL", …
	schema, name string
	mode         string // LOCK_TYPE
	granted      bool
}

// system schemas hold no table of an application.
var system = map[string]bool{
	"mysql": true, "performance_schema": true, "information_schema": true, "sys": true,
	"dummy_sdi_db": true, // where InnoDB locks a tablespace's description (SDI_69)
}

// lockOf turns a row into a lock, without its session. Left out are the
// server's own schemas, the temporary tables of a running DDL, what is no
// relation (routines, tablespaces, user locks: GET_LOCK is nobody's business),
// and the intention locks that every statement takes on what is wider than a
// table.
func lockOf(r row) (lockbudget.Lock, bool, error) {
	l := lockbudget.Lock{Mode: r.mode, Granted: r.granted}
	switch r.kind {
	case "TABLE":
		if system[r.schema] || strings.HasPrefix(r.name, "#sql") {
			return l, false, nil
		}
		impact, known := tableModes[r.mode]
		if !known {
			return l, false, fmt.Errorf("the server shows a lock mode this version does not know: %q on %s.%s", r.mode, r.schema, r.name)
		}
		l.Object, l.Impact = r.schema+"."+r.name, impact
		return l, true, nil
	case "SCHEMA", "GLOBAL", "COMMIT", "BACKUP LOCK":
		full := r.kind + " " + r.mode
		impact, known := scopedModes[full]
		if strings.HasPrefix(r.mode, "INTENTION") || system[r.schema] || known && impact == 0 {
			return l, false, nil
		}
		if !known {
			return l, false, fmt.Errorf("the server shows a lock mode this version does not know: %q", full)
		}
		l.Object, l.Impact = r.schema, impact
		if r.kind != "SCHEMA" {
			l.Object, l.Mode = Server, full
		}
		return l, true, nil
	}
	return l, false, nil
}
