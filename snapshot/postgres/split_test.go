package postgres

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		name, sql string
		want      []string
	}{
		{"empty", " \n;; -- nothing\n/* at all */;", nil},
		{"two", "SELECT 1;\nSELECT 2", []string{"1 SELECT 1", "2 SELECT 2"}},
		{"comments before and inside", "-- a;b\nSELECT /* ; */ 1 -- c;\n;", []string{"2 SELECT   1"}},
		{"nested comment", "/* /* ; */ ; */ SELECT 1;", []string{"1 SELECT 1"}},
		{"quotes", `SELECT 'a;''b', "c;""d";SELECT 2;`, []string{`1 SELECT 'a;''b', "c;""d"`, "1 SELECT 2"}},
		{"backslashes", `SELECT 'a\'; SELECT E'a\';b', e'\\';`, []string{`1 SELECT 'a\'`, `1 SELECT E'a\';b', e'\\'`}},
		{"an E that belongs to a word", `SELECT name'a\';`, []string{`1 SELECT name'a\'`}},
		{"dollar quotes", "SELECT $$a;b$$, $x$ $$; $y$ $x$;", []string{"1 SELECT $$a;b$$, $x$ $$; $y$ $x$"}},
		{"no dollar quotes", "SELECT $1, a$b$; SELECT c$b$;", []string{"1 SELECT $1, a$b$", "1 SELECT c$b$"}},
		{"a long body", "SELECT $f$" + strings.Repeat("x;\n", 50_000) + "$f$;SELECT 2;", []string{"1 SELECT $f$" + strings.Repeat("x;\n", 50_000) + "$f$", "50001 SELECT 2"}},
		{"a rule", "CREATE RULE r AS ON DELETE TO t DO (SELECT 1; SELECT 2);SELECT 3;", []string{"1 CREATE RULE r AS ON DELETE TO t DO (SELECT 1; SELECT 2)", "1 SELECT 3"}},
		{"a body in SQL", "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;SELECT 3;",
			[]string{"1 CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", "1 SELECT 3"}},
		{"a parameter of that name", "CREATE FUNCTION f(atomic int) RETURNS int LANGUAGE sql AS 'x';SELECT 2;", []string{"1 CREATE FUNCTION f(atomic int) RETURNS int LANGUAGE sql AS 'x'", "1 SELECT 2"}},
		{"a body behind a comment", "CREATE FUNCTION f() BEGIN /* ; */ ATOMIC SELECT 1; END;SELECT 2;", []string{"1 CREATE FUNCTION f() BEGIN   ATOMIC SELECT 1; END", "1 SELECT 2"}},
		{"a transaction", "BEGIN; SELECT 1; END;", []string{"1 BEGIN", "1 SELECT 1", "1 END"}},
		{"psql", "\\restrict abc\nSELECT 1;\n\\connect db\nSELECT 2;", []string{"1 \\restrict abc", "2 SELECT 1", "3 \\connect db", "4 SELECT 2"}},
		{"carriage returns and a byte order mark", "\xef\xbb\xbfSELECT 1;\r\nSELECT 2;\r\n", []string{"1 SELECT 1", "2 SELECT 2"}},
		{"copy", "COPY t FROM stdin;\n1\ta;b\n\\\\.\n\\.x\n'\n\\.\nSELECT 1;", []string{"1 COPY t FROM stdin", "data 1\ta;b\n\\\\.\n\\.x\n'\n", "7 SELECT 1"}},
		{"copy of nothing", "COPY t FROM stdin;\n\\.\n\nSELECT 1;", []string{"1 COPY t FROM stdin", "data ", "4 SELECT 1"}},
		{"copy with carriage returns", "COPY t FROM stdin;\r\n1\r\n\\.\r\nSELECT 1;", []string{"1 COPY t FROM stdin", "data 1\r\n", "4 SELECT 1"}},
		{"an open quote", "SELECT 1;\nSELECT 'a", []string{"1 SELECT 1", "error line 2: quote or comment: the file ends inside it"}},
		{"an open comment", "/* a\nb", []string{"error line 1: quote or comment: the file ends inside it"}},
		{"copy without an end", "COPY t FROM stdin;\n1\n", []string{"1 COPY t FROM stdin", "error line 3: the file ends inside the data of COPY: it was cut off"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if d := cmp.Diff(test.want, pieces(test.sql, 64<<10)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			// Whatever the buffer cuts the input into.
			if d := cmp.Diff(test.want, pieces(test.sql, 16)); d != "" {
				t.Errorf("in small pieces (-want +got):\n%s", d)
			}
		})
	}
}

func pieces(sql string, buffer int) (list []string) {
	s := newSplitter(bufio.NewReaderSize(strings.NewReader(sql), buffer))
	for {
		p, err := s.next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			return append(list, "error "+err.Error())
		}
		if p.meta {
			p.text = `\` + p.text
		}
		list = append(list, strconv.Itoa(p.line)+" "+p.text)
		if copyIn.MatchString(p.text) {
			data, err := io.ReadAll(s.copyData())
			if err != nil {
				return append(list, "error "+err.Error())
			}
			list = append(list, "data "+string(data))
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("SELECT 1; CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE 1 END; END; COPY t FROM stdin;\n\\.\n$a$ ; $a$ '' E'\\'' /* /* */ */")
	f.Fuzz(func(t *testing.T, sql string) {
		big, small := pieces(sql, 64<<10), pieces(sql, 16)
		if d := cmp.Diff(big, small); d != "" {
			t.Errorf("the buffer's size makes a difference:\n%s", d)
		}
	})
}

func TestParseRestoreErrors(t *testing.T) {
	const text = `pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 3401; 0 0 ACL TABLE t bob
pg_restore: error: could not execute query: ERROR:  role "bob" does not exist
Command was: GRANT SELECT ON TABLE public.t TO bob;
GRANT INSERT ON TABLE public.t TO bob;


pg_restore: from TOC entry 3402; 2606 16 FK CONSTRAINT c c_fkey prod owner
pg_restore: error: could not execute query: ERROR:  insert or update on table "c" violates foreign key constraint "c_fkey"
DETAIL:  Key (t)=(9) is not present in table "t".
Command was: ALTER TABLE ONLY public.c
    ADD CONSTRAINT c_fkey FOREIGN KEY (t) REFERENCES public.t(id);
pg_restore: error: COPY failed for table "u": ERROR:  invalid input syntax for type integer: "x"
CONTEXT:  COPY u, line 1, column id: "x"
pg_restore: warning: errors ignored on restore: 3
`
	want := []restoreError{
		{"ACL TABLE t", `role "bob" does not exist`, "", "GRANT SELECT ON TABLE public.t TO bob;\nGRANT INSERT ON TABLE public.t TO bob;"},
		{"FK CONSTRAINT c c_fkey prod", `insert or update on table "c" violates foreign key constraint "c_fkey"`, "DETAIL:  Key (t)=(9) is not present in table \"t\".\n",
			"ALTER TABLE ONLY public.c\n    ADD CONSTRAINT c_fkey FOREIGN KEY (t) REFERENCES public.t(id);"},
		{"TABLE DATA u", `invalid input syntax for type integer: "x"`, "CONTEXT:  COPY u, line 1, column id: \"x\"\n", ""},
	}
	if d := cmp.Diff(want, parseRestoreErrors(text), cmp.AllowUnexported(restoreError{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
