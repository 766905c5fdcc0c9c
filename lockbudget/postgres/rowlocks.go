package postgres

// RowLocks reports whether a statement that takes mode on a table also locks
// rows there, which the lock table does not list: UPDATE, DELETE and MERGE
// under ROW EXCLUSIVE, SELECT FOR UPDATE and its kin under ROW SHARE
// (PostgreSQL manual, 13.3 "Explicit Locking").
func RowLocks(mode, verb string) bool {
	switch mode {
	case "ROW EXCLUSIVE":
		return verb == "UPDATE" || verb == "DELETE" || verb == "MERGE"
	case "ROW SHARE":
		return verb == "SELECT"
	}
	return false
}
