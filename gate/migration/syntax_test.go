package migration

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A syntax error is told by its place in the file, in characters, also behind
// letters of several bytes, in the middle of a file, and at a statement's end.
func TestSyntaxErrorPlace(t *testing.T) {
	type place struct{ Line, Column int }
	for _, tt := range []struct {
		name, text string
		want       place
	}{
		{"first word", "SELECT 1;\nCREAT TABLE t (a int);", place{2, 1}},
		{"on a later line", "CREATE TABLE t (\n  a int,\n  b text NUL\n);", place{3, 10}},
		{"behind letters of two bytes", "-- grüße\nSELECT 'ä', 'ö' FROM t WHER x;", place{2, 29}},
		{"at the end", "SELECT 1;\nSELECT 1 +;", place{2, 11}},
		{"behind a byte order mark", "\ufeffSELEC 1;", place{1, 1}},
		{"none", "SELECT 1;", place{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			statements, err := ParseScript("f.sql", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var got place
			for _, st := range statements {
				if (st.Facts.NotAnalysed != "") != (st.Facts.ErrorLine > 0) {
					t.Errorf("%q: %q, line %d", st.SQL, st.Facts.NotAnalysed, st.Facts.ErrorLine)
				}
				if st.Facts.ErrorLine > 0 {
					got = place{st.Facts.ErrorLine, st.Facts.ErrorColumn}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
