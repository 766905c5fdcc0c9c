package migration

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// flywayChunk is a statement as Flyway cuts it out of a script.
type flywayChunk struct {
	// start is its first byte, comments before it included; sqlEnd is behind its
	// last, and end behind the data of COPY.
	start, sqlEnd, end int
	// at is the first byte that is no comment.
	at int
	// noBlock: Flyway takes it for one that cannot run in a transaction.
	noBlock bool
	// copies: Flyway sends the lines behind it as data.
	copies bool
	// endless: Flyway looks for the end of its data for ever.
	endless bool
	// open: Flyway refuses it, since a BEGIN ATOMIC is open to it at the end.
	open bool
}

// What Flyway recognises by the words of a statement outside of parentheses
// (PostgreSQLParser of flyway-database-postgresql 11; 9 and 10 have the same).
// Its test for ALTER TYPE … ADD VALUE is for servers before 12.
var (
	flywayNoBlock = regexp.MustCompile(`^(?:(?:CREATE|DROP) (?:DATABASE|TABLESPACE|SUBSCRIPTION)|ALTER SYSTEM|` +
		`(?:CREATE|DROP)(?: UNIQUE)? INDEX CONCURRENTLY|REINDEX(?: VERBOSE)? (?:SCHEMA|DATABASE|SYSTEM)|VACUUM|DISCARD ALL)$`)
	flywayCopy = regexp.MustCompile(`^COPY(?: .*)? FROM STDIN$`)
)

// flywayCutoff is the number of words after which Flyway looks no further.
const flywayCutoff = 10

// splitFlyway cuts a text as Flyway does, whose parser knows less than the
// server's: to be as it is, this is that parser (org.flywaydb.core.internal.
// parser.Parser), with its slips. It never fails: what it cuts wrongly the
// server's own rules refuse afterwards.
func splitFlyway(text string) (chunks []flywayChunk) {
	p := flywayParser{s: text}
	for {
		c, ok := p.statement()
		if !ok {
			return chunks
		}
		chunks = append(chunks, c)
	}
}

type flywayKind int

const (
	flywayNothing flywayKind = iota // white space or a parenthesis
	flywayEnd
	flywayDelimiter
	flywayComment
	flywayBlank // two line feeds or more
	flywayWord
	flywayOther
)

type flywayToken struct {
	kind  flywayKind
	text  string // of a word, upper case, or "@"
	start int
	depth int // of parentheses
}

// flywayParser keeps what Flyway's keeps between statements: a parenthesis or
// body that one leaves open holds the next ones as well.
type flywayParser struct {
	s      string
	pos    int
	depth  int
	blocks []string // ATOMIC and CASE that are open
}

// statement reads up to the semicolon that ends one; ok is false at the end.
func (p *flywayParser) statement() (c flywayChunk, ok bool) {
	var tokens []flywayToken
	words := 0
	simplified := ""
	reset := func() {
		tokens, simplified = nil, ""
		c = flywayChunk{start: p.pos, at: -1}
	}
	reset()
	for {
		t := p.token()
		switch {
		case t.kind == flywayNothing && len(tokens) == 0:
			reset()
			continue
		case t.kind == flywayNothing:
			c.end = p.pos
			continue
		case t.kind == flywayDelimiter && c.at < 0:
			reset()
			continue
		}
		if t.kind == flywayWord && t.depth == 0 {
			words++
			p.body(tokens, t.text)
		}
		if t.kind == flywayEnd || t.kind == flywayDelimiter && t.depth == 0 && len(p.blocks) == 0 {
			if t.kind == flywayEnd && (c.at < 0 || strings.TrimSpace(p.s[c.start:c.end]) == "") {
				return c, false
			}
			c.sqlEnd, c.open = c.end, len(p.blocks) > 0
			if c.copies {
				p.copyData(&c)
			}
			return c, true
		}
		tokens = append(tokens, t)
		c.end = p.pos
		if c.at < 0 && t.kind >= flywayWord {
			c.at = t.start
		}
		if t.text != "" && t.depth == 0 && words <= flywayCutoff && !c.copies {
			simplified = strings.TrimPrefix(simplified+" "+t.text, " ")
			c.copies = flywayCopy.MatchString(simplified)
			c.noBlock = c.noBlock || flywayNoBlock.MatchString(simplified)
		}
	}
}

// body keeps count of BEGIN ATOMIC and the CASE in it, whose ENDs hide
// semicolons. A CASE within a CASE is not counted.
func (p *flywayParser) body(before []flywayToken, word string) {
	inner := ""
	if n := len(p.blocks); n > 0 {
		inner = p.blocks[n-1]
	}
	last := ""
	for i := len(before) - 1; i >= 0 && before[i].depth >= p.depth; i-- {
		if t := before[i]; t.depth == p.depth && t.kind != flywayComment && t.kind != flywayBlank {
			last = t.text
			break
		}
	}
	switch {
	case word == "ATOMIC" && last == "BEGIN":
		p.blocks = append(p.blocks, word)
	case word == "CASE" && inner == "ATOMIC":
		p.blocks = append(p.blocks, word)
	case word == "END" && inner != "":
		p.blocks = p.blocks[:len(p.blocks)-1]
	}
}

// copyData takes what is left of the line, and the lines up to "\.".
func (p *flywayParser) copyData(c *flywayChunk) {
	p.skipLine()
	for p.pos < len(p.s) {
		line := p.pos
		p.skipLine()
		if strings.TrimSpace(p.s[line:p.pos]) == `\.` {
			c.end = line + strings.Index(p.s[line:p.pos], `\.`) + 2
			return
		}
	}
	c.end, c.endless = len(p.s), true
}

func (p *flywayParser) skipLine() { p.pos += len(upToIncluding(p.s[p.pos:], "\n")) }

// upToIncluding is the text up to the first occurrence, which is part of it;
// all of it where there is none.
func upToIncluding(s, end string) string {
	if i := strings.Index(s, end); i >= 0 {
		return s[:i+len(end)]
	}
	return s
}

func (p *flywayParser) token() flywayToken {
	t := flywayToken{kind: flywayOther, start: p.pos}
	rest := p.s[p.pos:]
	if rest == "" {
		t.kind = flywayEnd // at depth 0, whatever is open
		return t
	}
	r, size := utf8.DecodeRuneInString(rest)
	switch {
	case r == '$':
		quote := "$" + upToIncluding(rest[1:], "$")
		p.pos += len(quote) + len(upToIncluding(rest[len(quote):], quote))
	case r == '\'':
		p.pos++
		p.quoted('\'', false)
	case r == '(' || r == ')':
		p.pos++
		t.kind = flywayNothing
		p.depth += map[rune]int{'(': 1, ')': -1}[r]
	case r == '"':
		p.pos++
		p.quoted('"', false)
		p.parts()
	case strings.HasPrefix(rest, "--"):
		t.kind = flywayComment
		if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
			p.pos += i
		} else {
			p.pos = len(p.s)
		}
	case strings.HasPrefix(rest, "/*"):
		t.kind = flywayComment
		p.comment()
	case unicode.IsDigit(r):
		p.pos += size
		for p.pos < len(p.s) && p.s[p.pos] >= '0' && p.s[p.pos] <= '9' {
			p.pos++
		}
	case strings.HasPrefix(rest, "B'"), strings.HasPrefix(rest, "E'"), strings.HasPrefix(rest, "X'"):
		p.pos += 2
		p.quoted('\'', true)
	case strings.HasPrefix(rest, "U&'"):
		p.pos += 3
		p.quoted('\'', false)
	case r == ';':
		p.pos++
		t.kind = flywayDelimiter
	case r == '_' || unicode.IsLetter(r):
		p.word(&t)
	case r == ' ' || r == '\r' || r == '\u00a0':
		p.pos += size
		t.kind = flywayNothing
	case javaSpace(r):
		for end := len(p.s); p.pos < end; p.pos += size {
			if r, size = utf8.DecodeRuneInString(p.s[p.pos:]); !javaSpace(r) {
				break
			}
		}
		t.kind = flywayNothing
		if strings.Count(p.s[t.start:p.pos], "\n") > 1 {
			t.kind = flywayBlank
		}
	default:
		p.pos += size
		if r == '@' {
			t.text = "@"
		}
	}
	t.depth = p.depth
	return t
}

// javaSpace is Character.isWhitespace.
func javaSpace(r rune) bool {
	return unicode.IsSpace(r) && r != '\u0085' && r != '\u00a0' && r != '\u2007' && r != '\u202f' || r >= 0x1c && r <= 0x1f
}

// quoted reads up to a quote that is not doubled; backslash says that one
// hides what follows it. Flyway knows only E in capitals to do so.
func (p *flywayParser) quoted(quote byte, backslash bool) {
	for p.pos < len(p.s) {
		c := p.s[p.pos]
		p.pos++
		switch {
		case backslash && c == '\\':
			p.pos = min(p.pos+1, len(p.s))
		case c == quote && p.pos < len(p.s) && p.s[p.pos] == quote:
			p.pos++
		case c == quote:
			return
		}
	}
}

// comment reads one that may hold others.
func (p *flywayParser) comment() {
	depth := 1
	for p.pos += 2; p.pos < len(p.s) && depth > 0; {
		switch rest := p.s[p.pos:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			p.pos += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			p.pos += 2
		default:
			p.pos++
		}
	}
}

// word reads an identifier or keyword; only one of letters is a keyword.
func (p *flywayParser) word(t *flywayToken) {
	p.wordPart()
	p.parts()
	text := p.s[t.start:p.pos]
	if strings.IndexFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) }) < 0 {
		t.kind, t.text = flywayWord, strings.ToUpper(text)
	}
}

func (p *flywayParser) wordPart() {
	for p.pos < len(p.s) {
		r, size := utf8.DecodeRuneInString(p.s[p.pos:])
		if r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return
		}
		p.pos += size
	}
}

// parts reads up to two more parts of a qualified name.
func (p *flywayParser) parts() {
	for n := 0; n < 2 && strings.HasPrefix(p.s[p.pos:], "."); n++ {
		p.pos++
		if strings.HasPrefix(p.s[p.pos:], `"`) {
			p.pos++
			p.quoted('"', false)
		} else {
			p.wordPart()
		}
	}
}
