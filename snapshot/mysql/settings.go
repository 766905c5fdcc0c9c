package mysql

// readOnly are the settings of an instance that is only read from then on.
func readOnly() map[string]string { return map[string]string{"innodb_read_only": "ON"} }

// Settings are for a throw-away server.
func Settings(engine string) map[string]string { return map[string]string{} }
