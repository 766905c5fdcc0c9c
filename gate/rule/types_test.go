package rule

import "testing"

func TestFewerValues(t *testing.T) {
	for _, c := range []struct {
		from, to string
		fewer    bool
	}{
		{"bigint", "integer", true}, {"int8", "int4", true}, {"bigserial", "int", true}, {"integer", "smallint", true},
		{"integer", "bigint", false}, {"int", "integer", false}, {"pg_catalog.int4", "int", false},
		{"numeric(12,2)", "numeric(10,2)", true}, {"numeric(12,4)", "numeric(12,2)", true}, {"numeric(10,2)", "numeric(12,2)", false},
		{"numeric(10,2)", "numeric(12,4)", false}, {"numeric(10,2)", "numeric(11,4)", true}, {"numeric", "numeric(38,10)", true},
		{"numeric(10,2)", "numeric", false}, {"decimal(5)", "numeric(4)", true}, {"numeric(3,-2)", "numeric(5,0)", false},
		{"integer", "numeric(9,0)", true}, {"integer", "numeric(10,0)", false}, {"integer", "numeric", false},
		{"numeric(4,0)", "smallint", false}, {"numeric(5,0)", "smallint", true}, {"numeric(10,2)", "bigint", true}, {"numeric", "bigint", true},
		{"double precision", "real", true}, {"float8", "float(24)", true}, {"float", "float(53)", false}, {"real", "double precision", false},
		{"bigint", "double precision", true}, {"integer", "double precision", false}, {"integer", "real", true},
		{"double precision", "integer", true}, {"double precision", "numeric", false}, {"double precision", "numeric(10,2)", true},
		{"text", "varchar(40)", true}, {"varchar(60)", "varchar(40)", true}, {"character varying(40)", "varchar(60)", false},
		{"varchar(40)", "text", false}, {"varchar", "text", false}, {"text", "varchar", false}, {"text", "citext", false},
		{"varchar(2)", "char", true}, {"char(2)", "varchar(2)", false}, {"text", "char(10)", true}, {"text", "name", true},
		{"text", "integer", true}, {"text", "boolean", true}, {"varchar(36)", "uuid", true}, {"text", "jsonb", true}, {"text", "date", true},
		{"integer", "text", false}, {"integer", "varchar(11)", false}, {"integer", "varchar(5)", true}, {"boolean", "text", false},
		{"boolean", "varchar(3)", true}, {"integer", "boolean", true}, {"numeric(5,2)", "varchar(7)", false}, {"numeric(5,2)", "varchar(5)", true},
		{"timestamp with time zone", "date", true}, {"timestamptz", "timestamptz(3)", true}, {"timestamp (3) with time zone", "timestamptz", false},
		{"timestamptz", "timestamp", false}, {"timestamp", "timestamptz", false}, {"timestamp(3)", "timestamp(0)", true},
		{"timestamp", "time", true}, {"timetz", "time", true}, {"time", "timetz", false}, {"date", "timestamp", false}, {"interval", "time", true},
		{"date", "varchar(8)", true}, {"date", "text", false},
		{"json", "jsonb", false}, {"jsonb", "json", false}, {"jsonb", "text", false}, {"jsonb", "varchar(100)", true}, {"jsonb", "integer", true},
		{"uuid", "text", false}, {"uuid", "varchar(32)", true}, {"uuid", "bigint", true},
		{"inet", "cidr", true}, {"cidr", "inet", false}, {"macaddr8", "macaddr", true}, {"macaddr", "macaddr8", false},
		{"bit(8)", "bit(4)", true}, {"varbit", "bit varying(8)", true}, {"bit(4)", "varbit(8)", false},
		{"bigint[]", "integer[]", true}, {"integer[]", "bigint[]", false}, {"text[]", "varchar(10)[]", true}, {"integer[]", "integer", true},
		{"integer", "integer[]", false}, {"text[]", "text", false},
		{"int8range", "int4range", true}, {"tstzrange", "daterange", true}, {"tsmultirange", "tsrange", true}, {"int4range", "int8range", false},
		// What the names alone do not prove is left to the rows.
		{"status", "colour", false}, {"text", "status", false}, {"status", "text", false}, {"hstore", "jsonb", false}, {`"Odd Type"`, "text", false},
		{"money", "numeric", false}, {"bytea", "text", false},
	} {
		if _, got := fewerValues(c.from, c.to); got != c.fewer {
			t.Errorf("%s to %s: fewer = %t, want %t", c.from, c.to, got, c.fewer)
		}
	}
}

// A type always holds what it holds.
func TestFewerValuesReflexive(t *testing.T) {
	for name := range typeNames {
		for _, spelled := range []string{name, name + "[]", name + "(5)", name + "(5)[]"} {
			if lost, fewer := fewerValues(spelled, spelled); fewer {
				t.Errorf("%s to itself: %s", spelled, lost)
			}
		}
	}
}

func TestFewerValuesOnMySQL(t *testing.T) {
	for _, c := range []struct {
		from, to string
		fewer    bool
	}{
		{"bigint", "int", true}, {"int", "bigint", false}, {"int unsigned", "int", true}, {"int", "int unsigned", true}, {"int", "bigint unsigned", true},
		{"int unsigned", "bigint", false}, {"INT(11)", "integer", false}, {"tinyint(1)", "bool", false}, {"mediumint", "smallint", true}, {"int", "int zerofill", true},
		{"serial", "bigint unsigned", false}, {"serial", "bigint", true},
		{"decimal(12,2)", "decimal(10,2)", true}, {"decimal(10,2)", "decimal(12,2)", false}, {"decimal(12,4)", "decimal(12,2)", true}, {"decimal", "decimal(10,0)", false},
		{"decimal(10,2)", "decimal(10,2) unsigned", true}, {"decimal(10,2)", "int", true}, {"decimal(9,0)", "int", false}, {"decimal(10,0)", "int", true},
		{"int", "decimal(9,0)", true}, {"int", "decimal(10,0)", false}, {"bigint", "double", true}, {"int", "double", false}, {"double", "float", true}, {"double", "float(53)", false},
		{"float", "double precision", false}, {"double", "int", true},
		{"varchar(60)", "varchar(40)", true}, {"varchar(40)", "varchar(60)", false}, {"char(10)", "varchar(10)", false}, {"char", "varchar(1)", false}, {"varchar(2)", "char", true},
		{"text", "tinytext", true}, {"tinytext", "text", false}, {"longtext", "mediumtext", true}, {"text", "varchar(100)", true}, {"varchar(255)", "text", false},
		{"varchar(300)", "tinytext", true}, {"varchar(200)", "tinytext", false}, {"tinytext", "varchar(255)", false},
		{"varchar(10) character set utf8mb4", "varchar(10) character set latin1", true}, {"varchar(10) charset utf8mb3", "varchar(10) charset utf8mb4", false},
		{"varchar(10) character set latin1", "varchar(10)", false},
		{"varbinary(20)", "varbinary(10)", true}, {"blob", "longblob", false}, {"mediumblob", "blob", true}, {"binary(16)", "varbinary(16)", false},
		{"enum('a','b')", "enum('a')", true}, {"enum('a')", "enum('b','a')", false}, {"enum('it''s')", "ENUM('it''s', 'x')", false}, {"enum('a,b','c')", "enum('c','a,b')", false},
		{"set('a','b')", "set('b')", true}, {"set('a')", "set('a','b')", false}, {"varchar(10)", "enum('a')", true}, {"enum('a')", "varchar(10)", false},
		{"datetime(6)", "datetime", true}, {"datetime", "datetime(6)", false}, {"datetime", "timestamp", true}, {"timestamp", "datetime", false}, {"datetime", "date", true},
		{"date", "datetime", false}, {"datetime", "time", true}, {"time(3)", "time", true}, {"date", "year", true},
		{"json", "text", false}, {"text", "json", true}, {"text", "int", true}, {"int", "varchar(5)", true}, {"int", "varchar(11)", false}, {"bigint", "text", false},
		{"bit(8)", "bit(4)", true}, {"bit", "bit(1)", false}, {"point", "geometry", false}, {"geometry", "point", false}, {"uuid", "char(36)", false},
	} {
		lost, got := mysqlFixes{}.fewerValues(c.from, c.to)
		if got != c.fewer || got && lost == "" {
			t.Errorf("%s to %s: fewer = %t (%s), want %t", c.from, c.to, got, lost, c.fewer)
		}
	}
	for name := range myTypes {
		for _, spelled := range []string{name, name + "(5)", name + "(5) unsigned", name + " character set latin1"} {
			if lost, fewer := (mysqlFixes{}).fewerValues(spelled, spelled); fewer {
				t.Errorf("%s to itself: %s", spelled, lost)
			}
		}
	}
}
