package mysql

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	long := strings.Repeat("x;\n''", 50_000)
	tests := []struct {
		name, sql string
		want      []string
	}{
		{"empty", " \n;; -- nothing\n/* at all */; # here\n", nil},
		{"two", "SELECT 1;\nSELECT 2", []string{"1 SELECT 1", "2 SELECT 2"}},
		{"comments before and inside", "-- a;b\n# c;'\nSELECT /* ; ' */ 1 -- c;\n;", []string{"3 SELECT /* ; ' */ 1 -- c;"}},
		{"dashes that are none", "SELECT 1--1;SELECT 2;", []string{"1 SELECT 1--1", "1 SELECT 2"}},
		{"dashes at the end of a line", "SELECT 1 --\n;SELECT 2", []string{"1 SELECT 1 --", "2 SELECT 2"}},
		{"quotes", "SELECT 'a;''b', \"c;\"\"d\", `e;``f`;SELECT 2;", []string{"1 SELECT 'a;''b', \"c;\"\"d\", `e;``f`", "1 SELECT 2"}},
		{"backslashes", `SELECT 'a\';', "b\";", 'c\\';SELECT '\'';`, []string{`1 SELECT 'a\';', "b\";", 'c\\'`, `1 SELECT '\''`}},
		{"no backslashes in names", "SELECT `a\\`;SELECT 2;", []string{"1 SELECT `a\\`", "1 SELECT 2"}},
		{"a comment of a version", "/*!40101 SET NAMES utf8 */;\n/*M!100616 SET x=';' */;", []string{"1 /*!40101 SET NAMES utf8 */", "2 /*M!100616 SET x=';' */"}},
		{"the sandbox's line", "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\nSELECT 1;", []string{"3 SELECT 1"}},
		{"a delimiter", "DELIMITER ;;\nCREATE TRIGGER t BEGIN a; b; END ;;\nDELIMITER ;\nSELECT 1;", []string{"2 CREATE TRIGGER t BEGIN a; b; END", "4 SELECT 1"}},
		{"a delimiter in small letters", "delimiter $$\nSELECT ';'$$delimiter ;\r\nSELECT 1;", []string{"2 SELECT ';'", "3 SELECT 1"}},
		{"a delimiter of slashes", "DELIMITER //\nSELECT 1/2; /* // */ SELECT 3//\nDELIMITER ;\nSELECT 4", []string{"2 SELECT 1/2; /* // */ SELECT 3", "4 SELECT 4"}},
		{"a column called delimiter", "SELECT 1,\ndelimiter FROM t;SELECT 2", []string{"1 SELECT 1,\ndelimiter FROM t", "2 SELECT 2"}},
		{"a long string", "INSERT INTO t VALUES ('" + long + "');SELECT 2;", []string{"1 INSERT INTO t VALUES ('" + long + "')", "50001 SELECT 2"}},
		{"carriage returns and a byte order mark", "\xef\xbb\xbfSELECT 1;\r\nSELECT 2;\r\n", []string{"1 SELECT 1", "2 SELECT 2"}},
		{"bytes of no character set", "INSERT INTO t VALUES (_binary '\xff\x00\\\\\x80\\'');SELECT 2;", []string{"1 INSERT INTO t VALUES (_binary '\xff\x00\\\\\x80\\'')", "1 SELECT 2"}},
		{"an open quote", "SELECT 1;\nSELECT 'a", []string{"1 SELECT 1", "error line 2: SELECT 'a: the file ends inside it"}},
		{"an open comment", "/* a\nb", []string{"error line 1: comment: the file ends inside it"}},
		{"no delimiter", "DELIMITER \nx", []string{"error line 1: DELIMITER without one"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if d := cmp.Diff(test.want, pieces(strings.NewReader(test.sql), nil)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			// Whatever the reads cut the input into.
			if d := cmp.Diff(test.want, pieces(&dripping{test.sql, 1}, nil)); d != "" {
				t.Errorf("in small pieces (-want +got):\n%s", d)
			}
		})
	}
}

// What the session's settings change of what ends a string.
func TestSplitFollowsTheSession(t *testing.T) {
	tests := []struct {
		name, mode, charset, sql string
		want                     []string
	}{
		{"no backslash escapes", "ANSI,NO_BACKSLASH_ESCAPES", "utf8mb4", `SELECT 'a\';SELECT 2`, []string{`1 SELECT 'a\'`, "1 SELECT 2"}},
		{"names in double quotes", "ANSI_QUOTES", "utf8mb4", `SELECT "a\";SELECT 'b\';'`, []string{`1 SELECT "a\"`, `1 SELECT 'b\';'`}},
		{"a second byte like a backslash", "", "gbk", "SELECT '\xd5\x5c';SELECT 2", []string{"1 SELECT '\xd5\x5c'", "1 SELECT 2"}},
		{"the same bytes in another set", "", "latin1", "SELECT '\xd5\x5c';';SELECT 2", []string{"1 SELECT '\xd5\x5c';'", "1 SELECT 2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := pieces(strings.NewReader(test.sql), func(s *splitter) { s.follow(test.mode, test.charset) })
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// mydumper knows no DELIMITER: a line that ends in a semicolon ends a
// statement, and nothing else does.
func TestSplitByLineEnds(t *testing.T) {
	const sql = "SET a=1;\nCREATE FUNCTION f() BEGIN SET b='\\'; \nRETURN 1; END;\r\nINSERT INTO t VALUES(\"x;\\n\")\n,(2);\n;\nSELECT 1"
	want := []string{"1 SET a=1", "2 CREATE FUNCTION f() BEGIN SET b='\\'; \nRETURN 1; END", "4 INSERT INTO t VALUES(\"x;\\n\")\n,(2)", "7 SELECT 1"}
	for _, r := range []io.Reader{strings.NewReader(sql), &dripping{sql, 1}} {
		if d := cmp.Diff(want, pieces(r, func(s *splitter) { s.lineEnds = true })); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestSplitRefusesWhatTheServerWould(t *testing.T) {
	s := newSplitter(strings.NewReader("SELECT 1;\nINSERT INTO t VALUES ('"+strings.Repeat("x", 5000)+"');"), 1000)
	if p, err := s.next(); err != nil || string(p.text) != "SELECT 1" {
		t.Fatalf("%q %v", p.text, err)
	}
	_, err := s.next()
	if err == nil || !strings.Contains(err.Error(), "line 2: INSERT INTO t VALUES") || !strings.Contains(err.Error(), "--max-allowed-packet") {
		t.Errorf("error %v does not tell what is too long", err)
	}
}

// A reader's own error is not taken for the end of the file.
func TestSplitPassesErrorsOn(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, sql := range []string{"SELECT 1", "SELECT 'a", "/* a", "-- a"} {
		s := newSplitter(io.MultiReader(strings.NewReader(sql), failing{broken}), 1<<20)
		if _, err := s.next(); !errors.Is(err, broken) {
			t.Errorf("%s: error %v", sql, err)
		}
	}
}

// dripping gives a few bytes at a time.
type dripping struct {
	s string
	n int
}

func (d *dripping) Read(p []byte) (int, error) {
	if d.s == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), d.n)], d.s)
	d.s = d.s[n:]
	return n, nil
}

func pieces(r io.Reader, set func(*splitter)) (list []string) {
	s := newSplitter(r, 1<<30)
	if set != nil {
		set(s)
	}
	for {
		p, err := s.next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			return append(list, "error "+err.Error())
		}
		list = append(list, strconv.Itoa(p.line)+" "+string(p.text))
	}
}

// Every byte of a dump is in a statement, or in what may stand between them:
// checked by putting together again what was cut apart.
func TestSplitLosesNothing(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		losesNothing(t, string(b))
	}
}

func losesNothing(t *testing.T, sql string) {
	t.Helper()
	rest := sql
	s := newSplitter(&dripping{sql, 7}, 1<<30)
	for {
		before := string(s.delimiter)
		p, err := s.next()
		if err == io.EOF {
			if left := between(rest, before); left != "" {
				t.Errorf("left over: %.100q", left)
			}
			return
		}
		if err != nil {
			return // nothing more is read
		}
		at := strings.Index(rest, string(p.text))
		if at < 0 {
			t.Fatalf("%.100q is not in what was not read yet", p.text)
		}
		if lost := between(rest[:at], before); lost != "" {
			t.Fatalf("before line %d is lost: %.100q", p.line, lost)
		}
		if want := 1 + strings.Count(sql[:len(sql)-len(rest)+at], "\n"); p.line != want {
			t.Fatalf("%.50q is said to be in line %d, and is in %d", p.text, p.line, want)
		}
		rest = rest[at+len(p.text):]
	}
}

// between takes away what may stand between statements.
func between(s, delimiter string) string {
	s = strings.TrimPrefix(s, "\xef\xbb\xbf")
	for {
		s = strings.TrimLeft(s, " \t\r\n\v\f\x00")
		lower := strings.ToLower(s)
		switch {
		case strings.HasPrefix(s, delimiter):
			s = s[len(delimiter):]
		case strings.HasPrefix(lower, "delimiter ") || strings.HasPrefix(lower, "delimiter\t"):
			line, rest, _ := strings.Cut(s, "\n")
			delimiter, s = strings.Fields(line)[1], rest
		case strings.HasPrefix(s, "#"), strings.HasPrefix(s, "--"):
			_, s, _ = strings.Cut(s, "\n")
		case strings.HasPrefix(s, "/*"):
			_, rest, ok := strings.Cut(s[2:], "*/")
			if !ok {
				return s
			}
			s = rest
		default:
			return s
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("SELECT 1; DELIMITER ;;\nCREATE TRIGGER t BEGIN a; END;;\nDELIMITER ;\n/*!50003 x */; /* c */ 'a\\'';' \"b\" `c` # d\n-- e\n;", 3)
	f.Add("/*M!999999\\- enable the sandbox mode */\n\xef\xbb\xbfINSERT INTO `t` VALUES (_binary '\xff\\0');", 1)
	f.Fuzz(func(t *testing.T, sql string, n int) {
		whole := pieces(strings.NewReader(sql), nil)
		if d := cmp.Diff(whole, pieces(&dripping{sql, 1 + abs(n)%64}, nil)); d != "" {
			t.Errorf("how it is read makes a difference:\n%s", d)
		}
		pieces(strings.NewReader(sql), func(s *splitter) { s.lineEnds = true })
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

func TestEffective(t *testing.T) {
	tests := []struct{ text, sql, mask string }{
		{"/*!50003 CREATE*/ /*!50017 DEFINER=`a b`@`%`*/ /*!50003 TRIGGER `x` BEGIN END */", "CREATE    DEFINER=`a b`@`%`    TRIGGER `x` BEGIN END", "CREATE    DEFINER=`   `@` `    TRIGGER ` ` BEGIN END"},
		{"SET /* it's */ a = '/* no */' -- x\n, b = 1", "SET   a = '/* no */'  \n, b = 1", "SET   a = '        '  \n, b = 1"},
	}
	for _, test := range tests {
		sql, mask := effective([]byte(test.text), 1000)
		if sql != test.sql || mask != test.mask {
			t.Errorf("%s:\n%q\n%q", test.text, sql, mask)
		}
	}
}

func TestWithOwner(t *testing.T) {
	const mine = "`migrator`@`%`"
	tests := []struct{ text, want, was string }{
		{"/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER t */", "/*!50003 CREATE*/ /*!50017 DEFINER=" + mine + "*/ /*!50003 TRIGGER t */", "root@localhost"},
		{"CREATE DEFINER = 'a b'@\"%\" PROCEDURE p() SELECT 1", "CREATE DEFINER = " + mine + " PROCEDURE p() SELECT 1", "a b@%"},
		{"CREATE DEFINER=CURRENT_USER() FUNCTION f() RETURNS int RETURN 1", "CREATE DEFINER=" + mine + " FUNCTION f() RETURNS int RETURN 1", "CURRENT_USER()"},
		{"CREATE DEFINER=bob@10.0.0.% EVENT e", "CREATE DEFINER=" + mine + " EVENT e", "bob@10.0.0.%"},
		{"/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 SQL SECURITY DEFINER */\n/*!50001 VIEW v AS select 1 */", "/*!50001 CREATE ALGORITHM=UNDEFINED DEFINER=" + mine + " */\n/*!50013 SQL SECURITY DEFINER */\n/*!50001 VIEW v AS select 1 */", ""},
		{"CREATE OR REPLACE VIEW v AS SELECT 'DEFINER=x@y'", "CREATE OR REPLACE DEFINER=" + mine + " VIEW v AS SELECT 'DEFINER=x@y'", ""},
	}
	for _, test := range tests {
		got, was := withOwner([]byte(test.text), "`migrator`@`%`")
		if string(got) != test.want || was != test.was {
			t.Errorf("%s:\n%s\nof %q", test.text, got, was)
		}
	}
}

func TestReadName(t *testing.T) {
	for name, want := range map[string]mydumperFile{
		"shop-schema-create.sql":          {schema: "shop", what: mdCreate},
		"shop.orders-schema.sql.gz":       {schema: "shop", what: mdTable},
		"shop.orders.sql":                 {schema: "shop", what: mdRows},
		"shop.orders.00002.sql.zst":       {schema: "shop", what: mdRows},
		"shop.orders.00002.00001.sql.gz":  {schema: "shop", what: mdRows},
		"shop.a.b-schema-view.sql":        {schema: "shop", what: mdView},
		"shop.orders-schema-triggers.sql": {schema: "shop", what: mdTriggers},
		"shop-schema-post.sql":            {schema: "shop", what: mdPost},
		"shop.ids-schema-sequence.sql":    {schema: "shop", what: mdSequence},
		"metadata":                        {what: mdNothing},
		"shop.orders-metadata":            {what: mdNothing},
		"shop.orders-checksum":            {what: mdNothing},
		"binlog_snapshot/x.000001":        {what: mdNothing},
	} {
		got := readName(name)
		if got.schema != want.schema || got.what != want.what {
			t.Errorf("%s: schema %q, kind %d", name, got.schema, got.what)
		}
	}
}

func TestSecondaryIndexes(t *testing.T) {
	const head, tail = "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `a` int,\n  PRIMARY KEY (`id`)", "\n) ENGINE=InnoDB"
	tests := []struct {
		name, keys string
		unique     bool
		want       []string
	}{
		{"none", "", true, nil},
		{"all", ",\n  UNIQUE KEY `u` (`a`),\n  KEY `k` (`a`,`b`(10) DESC) COMMENT 'x, y'", true, []string{"ADD UNIQUE KEY `u` (`a`)", "ADD KEY `k` (`a`,`b`(10) DESC) COMMENT 'x, y'"}},
		{"not the unique one", ",\n  UNIQUE KEY `u` (`a`),\n  KEY `k` (`a`)", false, []string{"ADD KEY `k` (`a`)"}},
		{"only after what a foreign key needs", ",\n  KEY `x` (`b`),\n  KEY `fk` (`a`),\n  KEY `k` (`c`),\n  CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`id`)", true, []string{"ADD KEY `k` (`c`)"}},
		{"only after one of an expression", ",\n  KEY `x` (`b`),\n  KEY `e` ((lower(`a`))),\n  KEY `k` (`c`)", true, []string{"ADD KEY `k` (`c`)"}},
		{"not before a spatial one", ",\n  KEY `x` (`b`),\n  SPATIAL KEY `g` (`g`)", true, nil},
		{"beside a full-text one", ",\n  KEY `x` (`b`),\n  FULLTEXT KEY `w` (`a`)", true, []string{"ADD KEY `x` (`b`)"}},
	}
	for _, test := range tests {
		drop, add := secondary(head+test.keys+tail, test.unique)
		if d := cmp.Diff(test.want, add); d != "" || len(drop) != len(add) {
			t.Errorf("%s: (-want +got):\n%s%q", test.name, d, drop)
		}
	}
	if _, add := secondary(strings.Replace(head, "  PRIMARY KEY (`id`)", "  KEY `k` (`a`)", 1)+") ENGINE=MyISAM", true); add != nil {
		t.Errorf("of another engine: %q", add)
	}
}
