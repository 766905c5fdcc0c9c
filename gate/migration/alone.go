package migration

import (
	"regexp"
	"strings"
)

// tail is what may follow a statement that has its lines for itself: the
// semicolon, and a comment to the line's end.
var tail = regexp.MustCompile(`^;[ \t]*(--[ \t].*)?$`)

// standAlone sets After where a statement's lines can be replaced by others:
// where File holds it word for word from the first column on, and nothing but
// its semicolon and a comment follows on its last line. Files whose lines do not
// end in a line feed alone are left out: what replaces a line would mix both.
func standAlone(text []byte, statements []Statement) {
	for i := range statements {
		st := &statements[i]
		st.After = ""
		end := st.Offset + len(st.SQL)
		if st.Column != 1 || st.SQL == "" || st.CopyData != nil || end > len(text) || string(text[st.Offset:end]) != st.SQL || strings.Contains(st.SQL, "\r") {
			continue
		}
		if before := string(text[:st.Offset]); before != "" && !strings.HasSuffix(before, "\n") {
			continue
		}
		after, _, _ := strings.Cut(string(text[end:]), "\n")
		if tail.MatchString(after) {
			st.After = after
		}
	}
}
