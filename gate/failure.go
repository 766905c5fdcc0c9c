package gate

// CodeText names the error as its engine's users know it: "SQLSTATE 42P07" on
// PostgreSQL, "error 1060 (42S21)" on MySQL.
func (f Failure) CodeText() string {
	if f.SQLState != "" {
		return "error " + f.Code + " (" + f.SQLState + ")"
	}
	return "SQLSTATE " + f.Code
}

// Converges reports whether the second run of a failed up script got as far as
// the first, so that mending the statement that failed is all there is to do.
func (m *Migration) Converges() bool {
	if m.Rerun == nil || m.Rerun.Failure == nil || m.Apply == nil || m.Apply.Failure == nil {
		return true
	}
	r, f := m.Rerun.Failure, m.Apply.Failure
	return r.Statement == f.Statement && r.Code == f.Code
}
