package migration

// program follows the blocks of a stored program's body: it knows where a
// statement may begin, so that a column named begin or end is none of a block's
// words.
type program struct {
	w    myWords
	kind string // PROCEDURE, FUNCTION, TRIGGER, EVENT, BLOCK; "" for any other statement
	// next token to be taken; -1 before the body is found.
	next int

	blocks []myBlock
	state  bodyState
	from   int // the first token of the simple statement that is read
	// expr counts CASE expressions that are open.
	expr int
	// waits is the word that ends the head of a block and begins its list.
	waits string
	// statements are the simple ones, as token ranges.
	statements [][2]int
}

// newProgram looks at a statement whose head is complete.
func newProgram(w myWords, mariadb bool) *program {
	p := &program{kind: programKind(w)}
	if p.kind == "" && mariadb && outsideRoutine(w) {
		p.kind = "BLOCK"
	}
	p.next = -1
	if p.kind != "" {
		p.next = bodyStart(w, p.kind)
	}
	return p
}

// outsideRoutine: MariaDB runs a block that is no routine's, if it begins by
// BEGIN NOT ATOMIC, a label, or another block's word.
func outsideRoutine(w myWords) bool {
	return w.at(0) == "BEGIN" && w.at(1) == "NOT" || w.is(0, "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR") || w.isName(0) && w.at(1) == ":"
}

// feed takes the tokens up to the end of w, behind which a semicolon or the
// end of the text stands.
func (b *program) feed(w myWords) {
	b.w = w
	if b.next < 0 {
		return
	}
	for ; b.next < len(w.toks); b.next++ {
		if w.at(b.next) == ";" {
			b.semicolon(b.next)
			continue
		}
		b.token(b.next)
	}
	b.closeSimple(b.next)
}

type myBlock struct {
	word string
	at   int // token of BEGIN, IF, CASE, LOOP, …
}

type bodyState uint8

const (
	atStatement bodyState = iota // a statement may begin
	inSimple                     // inside a statement without blocks
	inHead                       // inside the head of a block: IF …, WHILE …
	inHandler                    // inside DECLARE … HANDLER FOR …, before its statement
	behindEnd
)

// open reports whether semicolons belong to the body now.
func (b *program) open() bool { return len(b.blocks) > 0 }

// semicolon ends a statement inside the body; i is its index.
func (b *program) semicolon(i int) {
	b.closeSimple(i)
	b.expr, b.waits = 0, ""
	b.state = atStatement
}

func (b *program) closeSimple(i int) {
	if b.state != inSimple || i <= b.from {
		return
	}
	if n := len(b.statements); n > 0 && b.statements[n-1][0] == b.from {
		b.statements[n-1][1] = i // seen before a semicolon that turned out to be inside
		return
	}
	b.statements = append(b.statements, [2]int{b.from, i})
}

func (b *program) push(word string, at int) { b.blocks = append(b.blocks, myBlock{word, at}) }

func (b *program) pop() {
	if n := len(b.blocks); n > 0 {
		b.blocks = b.blocks[:n-1]
	}
}

func (b *program) top() string {
	if n := len(b.blocks); n > 0 {
		return b.blocks[n-1].word
	}
	return ""
}

// token takes the token at index i, which is no semicolon.
func (b *program) token(i int) {
	word := b.w.at(i)
	switch b.state {
	case atStatement:
		b.begin(i, word)
	case inHandler:
		b.handler(i, word)
	case inSimple, inHead:
		b.inside(i, word)
	}
}

// begin takes the first token of a statement.
func (b *program) begin(i int, word string) {
	switch word {
	case "BEGIN":
		b.push(word, i)
	case "NOT", "ATOMIC": // BEGIN NOT ATOMIC of MariaDB
		if b.top() != "BEGIN" {
			b.simple(i)
		}
	case "LOOP", "REPEAT":
		b.push(word, i)
	case "IF", "ELSEIF":
		if word == "IF" {
			b.push(word, i)
		}
		b.head("THEN")
	case "WHILE", "FOR":
		b.push(word, i)
		b.head("DO")
	case "CASE":
		b.push(word, i)
		b.head("THEN")
	case "WHEN":
		b.head("THEN")
	case "ELSE":
	case "UNTIL":
		b.head("END")
	case "END":
		b.pop()
		b.state = behindEnd
	default:
		b.simple(i)
	}
}

func (b *program) simple(i int) { b.state, b.from = inSimple, i }

func (b *program) head(until string) { b.state, b.waits = inHead, until }

// inside takes a token of a simple statement or of a block's head.
func (b *program) inside(i int, word string) {
	if b.state == inSimple && i == b.from+1 && word == ":" && b.w.isName(b.from) {
		b.state = atStatement
		return
	}
	if b.w.at(i-1) == "." {
		return
	}
	switch {
	case word == "CASE":
		b.expr++
	case word == "END" && b.expr > 0:
		if !b.wantsOperand(i - 1) {
			b.expr--
		}
	case b.state == inHead && b.expr == 0 && word == b.waits && !(word == "END" && b.wantsOperand(i-1)):
		b.waits = ""
		b.state = atStatement
		if word == "END" {
			b.pop()
			b.state = behindEnd
		}
	case b.state == inSimple && word == "HANDLER" && b.w.at(b.from) == "DECLARE" && i == b.from+2:
		b.state = inHandler
	}
}

// wantsOperand: behind this token an expression cannot end, so that END is a
// name there.
func (b *program) wantsOperand(i int) bool {
	switch b.w.at(i) {
	case "CASE", "WHEN", "THEN", "ELSE", "AND", "OR", "NOT", "XOR", "IN", "LIKE", "BETWEEN", "DIV", "MOD", "UNTIL",
		"=", "<", ">", "<=", ">=", "<>", "!=", "<=>", "+", "-", "*", "/", "%", "||", "&&", ",", "(", ".", ":=":
		return true
	}
	return false
}

// handler takes the conditions of DECLARE … HANDLER FOR, behind which its
// statement begins.
func (b *program) handler(i int, word string) {
	if word == "FOR" || word == "," || b.w.at(i-1) == "FOR" && b.w.at(i-2) == "HANDLER" || b.w.at(i-1) == "," {
		return
	}
	switch b.w.at(i - 1) {
	case "SQLSTATE", "VALUE":
		return
	case "NOT":
		if word == "FOUND" {
			return
		}
	}
	b.state = atStatement
	b.begin(i, word)
}

// programKind tells which kind of stored program the words begin, "" if none
// (yet): CREATE [OR REPLACE] [DEFINER = account] [AGGREGATE] kind.
func programKind(w myWords) string {
	if !w.is(0, "CREATE", "ALTER") {
		return ""
	}
	i := skipCreate(w, 1)
	switch s := w.at(i); s {
	case "PROCEDURE", "FUNCTION", "TRIGGER":
		if w.at(0) == "CREATE" {
			return s
		}
	case "EVENT":
		return s
	}
	return ""
}

// skipCreate moves over what may stand between CREATE (or ALTER) and the kind
// of object.
func skipCreate(w myWords, i int) int {
	for i < len(w.toks) {
		switch w.at(i) {
		case "OR":
			i += 2
		case "TEMPORARY", "UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR", "AGGREGATE", "UNDO", "ONLINE", "OFFLINE", "IGNORE":
			i++
		case "DEFINER":
			i = w.account(i + 2)
		case "ALGORITHM":
			i += 3
		case "SQL":
			if w.at(i+1) != "SECURITY" {
				return i
			}
			i += 3
		default:
			return i
		}
	}
	return i
}

// account moves over user@host, CURRENT_USER[()], or a role.
func (w myWords) account(i int) int {
	current := w.at(i) == "CURRENT_USER"
	i++
	if current && w.at(i) == "(" {
		return i + 2
	}
	if i < len(w.toks) && w.toks[i].kind == tokParam {
		i++ // @host
	} else if w.at(i) == "@" {
		i += 2
	}
	return i
}

// bodyStart returns the index of a body's first token, or -1 where the
// statement has none.
func bodyStart(w myWords, kind string) int {
	i := skipCreate(w, 1) + 1
	switch kind {
	case "BLOCK":
		return 0
	case "EVENT":
		if i = w.find(i+1, "DO"); i < 0 {
			return -1
		}
		return i + 1
	case "TRIGGER":
		for i = w.find(i, "EACH"); i > 0 && w.at(i+1) != "ROW"; {
			i = w.find(i+1, "EACH")
		}
		if i < 0 {
			return -1
		}
		if i += 2; w.is(i, "FOLLOWS", "PRECEDES") {
			_, _, i = w.name(i + 1)
		}
		return i
	}
	for ; i < len(w.toks) && w.at(i) != "("; i++ {
	}
	if i = w.closing(i) + 1; i >= len(w.toks) {
		return -1
	}
	if w.at(i) == "RETURNS" {
		i += 2
	}
	return w.characteristics(i)
}

// characteristics moves over what stands between a routine's parameters and
// its body, and over the rest of a function's type.
func (w myWords) characteristics(i int) int {
	for i < len(w.toks) {
		switch w.at(i) {
		case "(":
			i = w.closing(i) + 1
		case "CHARSET", "COLLATE", "LANGUAGE", "COMMENT", "SECURITY":
			i += 2
		case "SQL", "NO", "NOT", "DETERMINISTIC", "CONTAINS", "READS", "MODIFIES", "DATA", "PRECISION", "VARYING", "VARCHAR", "VARCHARACTER",
			"VARBINARY", "UNSIGNED", "SIGNED", "ZEROFILL", "BINARY", "ASCII", "UNICODE", "BYTE", "USING":
			i++
		case "CHARACTER", "CHAR":
			if i++; w.at(i) == "SET" {
				i += 2
			}
		default:
			return i
		}
	}
	return i
}
