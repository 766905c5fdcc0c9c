package snapshot

// Relation is what a catalogue says of one relation: enough to name a lock,
// to tell whose file was written, and how much of it there is.
type Relation struct {
	// Object is the key by which locks and files are booked (PostgreSQL: the OID
	// in decimal; MySQL: "schema.name"), which a clone shares with its baseline.
	Object string
	Schema string
	Name   string
	// Kind: "table", "partitioned table", "index", "toast", "toast index",
	// "sequence", "view", "materialized view", "foreign table", "composite".
	Kind string
	// Table is the key of the table that an index or toast belongs to, else
	// the relation's own; Root that of the partitioned table on top, or "".
	Table string
	Root  string
	// File identifies the relation's storage; a new one means it was written anew.
	File string
	// Rows is the estimate after ANALYZE, Bytes the size on disk with
	// indexes and toast (for tables) or of its own file.
	Rows, Bytes int64
	Columns     []string
	// References lists the keys of the tables that its foreign keys refer to,
	// where the engine's locks follow them (MySQL).
	References []string
	// TableLocks: the storage engine locks the whole table for a statement, and
	// shows that nowhere (MySQL: MyISAM, Aria, MEMORY).
	TableLocks bool
	// Extension: it came with an extension and not with a migration, and so did
	// rows in it, or they are its settings (PostgreSQL).
	Extension bool
}

// QualifiedName is "schema.name".
func (r Relation) QualifiedName() string { return r.Schema + "." + r.Name }

// DataDiff tells how one table's rows differ from the baseline's, read in the
// baseline's columns.
type DataDiff struct {
	Table string // "schema.name" in the baseline
	Now   string // the table's name afterwards, "" if it is gone
	// RowsBefore, Missing and Added count rows; Missing are rows of before
	// that are not there any more.
	RowsBefore, Missing, Added int64
	GoneColumns                []string
	Examples                   []string // of missing rows, by their key
}
