package migration

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// What cannot be read further is named where it begins.
func TestMySQLSplitErrors(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		line, col  int
		message    string
	}{
		{"string", "a;\n  b 'x", 2, 5, "quoted string"},
		{"string with a backslash", "a;\n ü \"x\\\"", 2, 4, "quoted string"},
		{"identifier", "a `x", 1, 3, "quoted identifier"},
		{"variable", "SET @`x", 1, 5, "quoted string"},
		{"comment", "a\r\n/* /* */ b */; /*", 2, 16, "comment"},
		{"versioned comment", "a;\n/*!50000 b", 2, 1, "versioned comment"},
		{"block", "CREATE PROCEDURE p()\nBEGIN a;", 2, 1, "BEGIN"},
		{"inner block is closed", "CREATE PROCEDURE p() BEGIN\n IF 1 THEN a; END IF;", 1, 22, "BEGIN"},
		{"trigger", "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW\nIF 1 THEN a;", 2, 1, "IF"},
		{"nul", "a;\nb\x00c", 2, 2, "NUL"},
		{"broken utf-8", "a '\xc3\x28'", 1, 4, "0xC3"},
		{"byte order mark", "\ufeffSELECT 1", 1, 1, "byte order mark"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseScriptWith("f.sql", []byte(tt.text), Options{Dialect: MySQL})
			var e *InputError
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an InputError", err)
			}
			if e.Line != tt.line || e.Col != tt.col || !strings.Contains(e.Message, tt.message) || e.Remedy == "" || e.File != "f.sql" {
				t.Errorf("got %v (remedy %q), want %d:%d: …%s…", e, e.Remedy, tt.line, tt.col, tt.message)
			}
		})
	}
}

// The session's mode is the mode the script begins in.
func TestSQLModeOption(t *testing.T) {
	for mode, want := range map[string]int{"": 1, "STRICT_TRANS_TABLES,no_backslash_escapes": 2, "ANSI_QUOTES": 1} {
		got, err := ParseScriptWith("f.sql", []byte(`SELECT 'a\'; SELECT 'b'`), Options{Dialect: MySQL, SQLMode: mode})
		if mode == "STRICT_TRANS_TABLES,no_backslash_escapes" {
			if err != nil || len(got) != want {
				t.Errorf("%s: %d statements, %v", mode, len(got), err)
			}
		} else if err == nil {
			t.Errorf("%s: the string is not closed, and nothing was said", mode)
		}
	}
	got, err := ParseScriptWith("f.sql", []byte(`ALTER TABLE "a;b" ADD "c" int DEFAULT 'x' COMMENT "y"`), Options{Dialect: MySQL, SQLMode: "ANSI"})
	if err != nil || len(got) != 1 || got[0].Facts.Actions[0].Name != "a;b" || got[0].Facts.Actions[0].Part != "c" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Types come as the catalogue spells them.
func TestMySQLTypes(t *testing.T) {
	for in, want := range map[string]string{
		"INTEGER": "int", "int(11) unsigned": "int unsigned", "INT (5) ZEROFILL": "int(5) unsigned zerofill", "tinyint(1)": "tinyint(1)", "tinyint(4)": "tinyint", "BOOL": "tinyint(1)",
		"bigint signed": "bigint", "DOUBLE PRECISION": "double", "real": "double", "DEC(8)": "decimal(8,0)", "numeric ( 8 , 2 ) unsigned": "decimal(8,2) unsigned", "decimal": "decimal(10,0)", "fixed unsigned": "decimal(10,0) unsigned",
		"character varying(20) CHARACTER SET latin1": "varchar(20)", "NATIONAL VARCHAR(5)": "varchar(5)", "char": "char(1)", "char(3) binary": "char(3)", "nchar(4)": "char(4)", "text CHARSET utf8mb4": "text", "long varchar": "mediumtext",
		"ENUM('a', 'B;', 'it''s')": "enum('a','B;','it''s')", "timestamp(6)": "timestamp(6)", "bit": "bit(1)", "varbinary(16)": "varbinary(16)", "json": "json", "serial": "bigint unsigned", "POINT": "point", "float(7,3)": "float(7,3)", "year(4)": "year(4)",
	} {
		got, err := ParseScriptWith("f.sql", []byte("ALTER TABLE t ADD c "+in+" COMMENT 'x'"), Options{Dialect: MySQL})
		if err != nil || got[0].Facts.Actions[0].Type != want || !got[0].Facts.Analysed {
			t.Errorf("%s: got %q (%s), want %q", in, got[0].Facts.Actions[0].Type, got[0].Facts.NotAnalysed, want)
		}
	}
}

// A statement that is mostly data, and a script of many.
func TestHugeMySQL(t *testing.T) {
	row := "(1, 'DELETE FROM t; BEGIN'),\n"
	text := "CREATE PROCEDURE p() BEGIN\n" + strings.Repeat("DELETE FROM t WHERE id = 1;\n", 20_000) + "END;\n" +
		"INSERT INTO shop.t VALUES\n" + strings.Repeat(row, (8<<20)/len(row)) + "(2, '') ON DUPLICATE KEY UPDATE b = 1, c = 2"
	got, err := ParseScriptWith("f.sql", []byte(text), Options{Dialect: MySQL})
	if err != nil || len(got) != 2 {
		t.Fatalf("%d statements, %v", len(got), err)
	}
	if n := len(got[0].Facts.Actions); n != 20_001 {
		t.Errorf("%d actions in the body", n)
	}
	if a := got[1].Facts.Actions; len(a) != 1 || a[0].Verb != Upsert || a[0].Schema != "shop" || strings.Join(a[0].Columns, " ") != "b c" {
		t.Errorf("got %+v", a)
	}
}

// Texts that grow with each statement, and deep ones, take no more than their
// share.
func TestHostileMySQL(t *testing.T) {
	deep := strings.Repeat("(", 50_000) + "'DROP TABLE t'" + strings.Repeat(")", 50_000)
	for name, text := range map[string]string{
		"doubled text":     "SET @a = 'DROP TABLE t; '" + strings.Repeat("; SET @a = CONCAT(@a, @a)", 100) + "; PREPARE s FROM @a; EXECUTE s",
		"doubled actions":  "PREPARE s FROM 'DROP TABLE t'" + strings.Repeat("; PREPARE s FROM 'EXECUTE s; EXECUTE s'", 100) + "; EXECUTE s",
		"choices":          "SET @a = " + strings.Repeat("CONCAT(IF(1, 'a', 'b'), ", 60) + "'x'" + strings.Repeat(")", 60) + "; PREPARE s FROM @a",
		"replaced":         "SET @a = 'aaaaaaaaaa'" + strings.Repeat("; SET @a = REPLACE(@a, 'a', @a)", 20) + "; PREPARE s FROM @a",
		"deep expression":  "SET @a = " + deep + ", sql_mode = " + deep,
		"deep default":     "ALTER TABLE t ADD a int DEFAULT " + deep,
		"deep query":       "DELETE FROM t WHERE a = " + deep,
		"many blocks":      "CREATE PROCEDURE p() " + strings.Repeat("BEGIN ", 50_000) + strings.Repeat("END; ", 50_000),
		"prepares itself":  "PREPARE s FROM 'PREPARE s FROM \"EXECUTE s\"'; EXECUTE s",
		"empty statements": strings.Repeat("; ", 50_000) + "SELECT 1",
		"quotes":           strings.Repeat("'' ", 50_000),
	} {
		start := time.Now()
		_, err := ParseScriptWith("f.sql", []byte(text), Options{Dialect: MySQL})
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: %v (%v)", name, took, err)
		} else {
			t.Logf("%s: %v %v", name, took, err)
		}
	}
}

// BenchmarkLoadMySQL reads a directory of a thousand merged migrations.
func BenchmarkLoadMySQL(b *testing.B) {
	fsys := fstest.MapFS{}
	size := 0
	for i := range 1000 {
		sql := fmt.Sprintf("ALTER TABLE t%d ADD COLUMN a int NOT NULL DEFAULT 0, ALGORITHM=INSTANT;\nCREATE INDEX i%d ON t%d (a);\n", i, i, i)
		sql += "CREATE TABLE x (id bigint PRIMARY KEY, user_id bigint, FOREIGN KEY (user_id) REFERENCES users (id), " + strings.Repeat("c text, ", 20) + "d int);\n"
		fsys[fmt.Sprintf("m/%06d_x.up.sql", i+1)] = &fstest.MapFile{Data: []byte(sql)}
		size += len(sql)
	}
	layout, _ := ByName("golang-migrate")
	b.SetBytes(int64(size))
	for b.Loop() {
		if set, err := Load(fsys, "m", layout, Options{Dialect: MySQL}); err != nil || len(set.Migrations) != 1000 {
			b.Fatal(err)
		}
	}
}
