package snapshot

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// holds is what a dump has in it, as far as it must fit to other parts.
type holds struct {
	// By pg_dump's sections.
	pre, data, post bool
	globals         bool
	// byTool: pg_dump wrote it, and says what is in it; else it is guessed from
	// the beginnings of statements.
	byTool bool
	// statements: there is more than comments.
	statements bool
	// database that the dump is of, where it says so.
	database string
	// cluster lists the databases of a dump by pg_dumpall.
	cluster []clusterDatabase
}

type clusterDatabase struct {
	name    string
	objects bool
}

func (h holds) role() string {
	switch {
	case h.globals && !h.pre && !h.data && !h.post:
		return RoleGlobals
	case h.data && !h.pre && !h.post:
		return RoleData
	case h.pre && !h.data:
		return RoleSchema
	case h.post && !h.data:
		return RolePost
	}
	return RoleWhole
}

// Kinds of objects by section. What is neither here nor there may stand in any:
// large objects are made with the schema, but also by a dump of rows alone.
var (
	anySection = []string{"ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES", "COMMENT", "ACL", "SECURITY LABEL", "MATERIALIZED VIEW DATA", "STATISTICS DATA", "BLOB", "BLOB METADATA", "BLOB COMMENTS"}
	ofRows     = []string{"TABLE DATA", "SEQUENCE SET", "BLOBS"}
	ofPost     = []string{"INDEX", "INDEX ATTACH", "CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT", "TRIGGER", "EVENT TRIGGER", "RULE", "STATISTICS",
		"PUBLICATION", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "SUBSCRIPTION", "SUBSCRIPTION TABLE", "POLICY", "ROW SECURITY", "DEFAULT ACL"}
)

// everywhere are kinds that are in databases which nobody uses.
var everywhere = []string{"DATABASE", "DATABASE PROPERTIES", "COMMENT", "EXTENSION", "ACL", "DEFAULT ACL"}

// entry notes one object by its kind.
func (h *holds) entry(kind string) {
	switch {
	case slices.Contains(anySection, kind):
	case slices.Contains(ofRows, kind):
		h.data = true
	case slices.Contains(ofPost, kind):
		h.post = true
	default:
		h.pre = true
	}
	if n := len(h.cluster); n > 0 && !slices.Contains(everywhere, kind) {
		h.cluster[n-1].objects = true
	}
}

// inArchive reads it off a table of contents.
func inArchive(a *archive.Archive) holds {
	h := holds{byTool: true, statements: true, database: a.Database}
	for _, e := range a.Entries {
		h.entry(e.Desc)
	}
	return h
}

// scanner reads what a file of SQL holds while its bytes pass by: pg_dump's
// comments, and where there are none, the first words of lines.
type scanner struct {
	holds
	head   []byte // of the line that has not ended yet
	inCopy bool
	quoted bool // inside $$
}

// headBytes of a line are looked at.
const headBytes = 512

var (
	ofEntry   = regexp.MustCompile(`^-- (?:Data for )?Name: .*; Type: ([A-Z ]+); Schema: `)
	copyStdin = regexp.MustCompile(`(?i)^COPY\s.*\sFROM\s+STDIN\b`)
	connectTo = regexp.MustCompile(`^\\c(?:onnect)?\s+(.*?)\s*$`)
	dbname    = regexp.MustCompile(`dbname='((?:[^'\\]|\\.)*)'`)
	firstWord = regexp.MustCompile(`(?i)^(CREATE\s+(?:UNIQUE\s+)?(?:INDEX|TRIGGER)|CREATE|INSERT|COPY|UPDATE)\b`)
)

func (s *scanner) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			s.head = append(s.head, p[:min(len(p), headBytes-min(headBytes, len(s.head)))]...)
			break
		}
		line := p[:min(i, headBytes)]
		if len(s.head) > 0 {
			s.head = append(s.head, line[:min(len(line), headBytes-min(headBytes, len(s.head)))]...)
			line = s.head
		}
		s.line(line)
		s.head, p = s.head[:0], p[i+1:]
	}
	return n, nil
}

// end notes the last line, which may end without a line break.
func (s *scanner) end() holds {
	s.line(s.head)
	s.head = nil
	return s.holds
}

func (s *scanner) line(l []byte) {
	if s.inCopy {
		if len(l) > 1 && l[0] == '\\' && l[1] == '.' {
			s.inCopy = false
		}
		return
	}
	if len(l) == 0 {
		return
	}
	if l[0] == '-' && len(l) > 1 && l[1] == '-' {
		if m := ofEntry.FindSubmatch(l); m != nil {
			s.byTool = true
			s.entry(string(m[1]))
		}
		return
	}
	s.statements = s.statements || len(bytes.TrimSpace(l)) > 0
	switch l[0] {
	case '\\':
		if m := connectTo.FindSubmatch(l); m != nil {
			name := connected(string(m[1]))
			if n := len(s.cluster); n == 0 || s.cluster[n-1].name != name { // settings of its own make pg_dump connect again
				s.cluster = append(s.cluster, clusterDatabase{name: name})
			}
		}
		return
	case 'C', 'c', 'I', 'i', 'U', 'u':
	default:
		if !bytes.Contains(l, []byte("$$")) {
			return
		}
	}
	if !s.quoted {
		s.word(l)
	}
	if bytes.Count(l, []byte("$$"))%2 == 1 {
		s.quoted = !s.quoted
	}
}

// word notes how a statement begins.
func (s *scanner) word(l []byte) {
	m := firstWord.Find(l)
	if m == nil {
		return
	}
	words := strings.Fields(strings.ToUpper(string(m)))
	if words[0] == "COPY" {
		if !copyStdin.Match(l) {
			return
		}
		s.inCopy = true
	}
	if s.byTool || s.globals {
		return // the comments say it, and a function's body may look like anything
	}
	switch {
	case words[0] != "CREATE":
		s.data = true
	case len(words) > 1:
		s.post = true
	default:
		s.pre = true
	}
}

// connected is the database that \connect names, as pg_dump and pg_dumpall
// write it.
func connected(argument string) string {
	if m := dbname.FindStringSubmatch(argument); m != nil {
		return strings.NewReplacer(`\'`, `'`, `\\`, `\`).Replace(m[1])
	}
	argument = strings.TrimPrefix(argument, "-reuse-previous=on ")
	if strings.HasPrefix(argument, `"`) {
		return strings.ReplaceAll(strings.Trim(argument, `"`), `""`, `"`)
	}
	if strings.HasPrefix(argument, `'`) {
		return strings.ReplaceAll(strings.Trim(argument, `'`), `''`, `'`)
	}
	return argument
}
