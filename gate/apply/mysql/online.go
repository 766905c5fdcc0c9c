package mysql

import (
	"context"
	"slices"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/observe"
)

// Stages of a statement that alters a table; MariaDB has the same.
const (
	copyStage = "copy to tmp table"
	readStage = "alter table (read PK and internal sort)"
)

// online adds how the server went about an online DDL statement, and the table
// it read whole for that.
func (f *facts) online(ctx context.Context, c changes, files map[string][]file, out *observe.Facts) error {
	ddl, within, err := f.ddl(ctx, c)
	if ddl == nil || err != nil {
		return err
	}
	now, err := f.look(ctx)
	if err != nil {
		return err
	}
	d := &gate.OnlineDDL{Table: ddl.table, Existing: f.existing[ddl.table] && !f.temporary[ddl.table]}
	copied := grew(f.before.stages, now.stages, copyStage) > 0
	read := grew(f.before.stages, now.stages, readStage) > 0
	rebuilt := slices.Contains(c.rewritten, ddl.table)
	versions := versionsOf(files[ddl.table]) > versionsOf(f.files[ddl.table])
	switch {
	case copied:
		d.Algorithm, d.Rebuild, d.Evidence = "COPY", true, "stage "+copyStage
	case f.thread == 0 && f.affected > 0 && !within:
		d.Algorithm, d.Rebuild, d.Evidence = "COPY", true, "the reply counts rows copied"
	case f.admin.blind && read:
		d.Algorithm, d.Evidence = "INPLACE", "stage "+readStage+"; whether the TABLE_ID changed may not be read"
	case f.admin.blind && f.thread == 0:
		d.Evidence = "neither the server's stages nor its TABLE_IDs may be read"
	case f.admin.blind && ddl.algorithm == "":
		d.Evidence = "no stage of a copy or of reading rows; whether the TABLE_ID changed may not be read"
	case read && rebuilt:
		d.Algorithm, d.Rebuild, d.Evidence = "INPLACE", true, "stage "+readStage+", new TABLE_ID"
	case read:
		d.Algorithm, d.Evidence = "INPLACE", "stage "+readStage+", TABLE_ID kept"
	case rebuilt && f.thread == 0 && !within && f.hadRows(ctx, ddl.table):
		d.Algorithm, d.Rebuild, d.Evidence = "INPLACE", true, "new TABLE_ID, and the reply counts no rows copied"
	case f.thread == 0 && !rebuilt && c.touched[ddl.table]:
		metadataOnly(d, ddl, f.admin.opt.MariaDB, versions, false, true)
	case rebuilt && f.thread == 0:
		d.Rebuild, d.Evidence = true, "new TABLE_ID; "+f.admin.off()+", so nothing more can be told"
	case rebuilt:
		d.Algorithm, d.Rebuild, d.Evidence = "INPLACE", true, "new TABLE_ID, and no stage of a copy"
	case f.thread == 0 && !versions && now.instant == f.before.instant:
		d.Evidence = f.admin.off() + ": TABLE_ID kept, so no rebuild"
	default:
		metadataOnly(d, ddl, f.admin.opt.MariaDB, versions, now.instant > f.before.instant, c.touched[ddl.table])
	}
	if f.admin.versioned {
		for _, was := range f.files[ddl.table] {
			d.RowVersions = max(d.RowVersions, was.versions)
		}
	}
	if within {
		d.Evidence += "; run within " + f.words[0].word
	}
	out.DDL = d
	if (copied || read) && !f.temporary[ddl.table] {
		rows, err := f.admin.rows(ctx, ddl.table)
		if err != nil {
			return err
		}
		if copied {
			rows = max(rows, f.affected)
		}
		out.Scans = append(out.Scans, observe.ScanFact{Object: ddl.table, Rows: rows})
	}
	return nil
}

// hadRows reports whether a copy of the table would have counted some.
func (f *facts) hadRows(ctx context.Context, table string) bool {
	n, err := f.admin.rows(ctx, table)
	return err == nil && n > 0
}

// metadataOnly tells INSTANT from an INPLACE that reads nothing, where the
// server leaves a trace of the difference: it takes the same short lock.
func metadataOnly(d *gate.OnlineDDL, ddl *onlineDDL, mariadb, versions, instant, partitions bool) {
	switch {
	case versions:
		d.Algorithm, d.Evidence = "INSTANT", "one more in TOTAL_ROW_VERSIONS"
	case instant:
		d.Algorithm, d.Evidence = "INSTANT", "one more in Innodb_instant_alter_column"
	case partitions:
		d.Algorithm, d.Evidence = "INPLACE", "partitions came or went, and the others kept their TABLE_ID"
	case ddl.algorithm == "INSTANT":
		d.Algorithm, d.Evidence = "INSTANT", "ALGORITHM=INSTANT was accepted"
	case ddl.algorithm == "INPLACE" && !mariadb: // there it may be INSTANT too
		d.Algorithm, d.Evidence = "INPLACE", "ALGORITHM=INPLACE was accepted; only metadata was touched"
	default:
		d.Evidence = MetadataOnly
	}
}

// MetadataOnly is the evidence of a statement that was INSTANT, or INPLACE
// without reading the table: both look the same to everybody, and which it was
// shows only when the server is asked for one of them (Probe).
const MetadataOnly = "only metadata was touched: no stage of a copy or a read, TABLE_ID kept"

// ddl is the online DDL statement that was just run, or the heaviest of those
// within CALL or EXECUTE; nil for none.
func (f *facts) ddl(ctx context.Context, c changes) (_ *onlineDDL, within bool, err error) {
	if d := onlineOf(f.words, f.schema); d != nil {
		return d, false, nil
	}
	if f.thread == 0 || len(f.words) == 0 || (f.words[0].word != "CALL" && f.words[0].word != "EXECUTE") {
		return nil, false, nil
	}
	texts, err := f.admin.nested(ctx, f.thread, f.before.event)
	if err != nil {
		return nil, false, err
	}
	var found *onlineDDL
	for _, text := range texts {
		d := onlineOf(scan(text), f.schema)
		if d != nil && (found == nil || slices.Contains(c.rewritten, d.table) && !slices.Contains(c.rewritten, found.table)) {
			found = d
		}
	}
	return found, true, nil
}
