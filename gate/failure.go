package gate

// CodeText names the error as its engine's users know it: "SQLSTATE 42P07" on
// PostgreSQL, "error 1060 (42S21)" on MySQL.
func (f Failure) CodeText() string {
	if f.SQLState != "" {
		return "error " + f.Code + " (" + f.SQLState + ")"
	}
	return "SQLSTATE " + f.Code
}
