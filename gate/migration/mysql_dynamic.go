package migration

import "strings"

// A script assembles SQL in user variables and prepares it, which is how MySQL
// does what ADD COLUMN IF NOT EXISTS does elsewhere:
//
//	SET @s = (SELECT IF(COUNT(*) = 0, 'ALTER TABLE …', 'DO 0') FROM information_schema.columns WHERE …);
//	PREPARE p FROM @s;
//	EXECUTE p;

// prepared is what a PREPARE made.
type prepared struct {
	facts     Facts // what executing it does
	calls     []string
	statement int // index of the PREPARE
	within    string
	executed  bool
}

// A script may double a text, or what executing one does, with each statement.
const (
	maxAlternatives = 16      // texts that one expression may yield
	maxAssembled    = 1 << 20 // bytes of one of them
	maxNesting      = 64      // of the expression
	maxTaken        = 1000    // actions that one EXECUTE adds
)

// set follows assignments to user variables.
func (a *myAnalyser) set() {
	w := a.w
	for _, e := range w.list(1) {
		target, i := w.slice(0, e[1]).setTarget(e[0])
		if strings.HasPrefix(target, "@") {
			a.assign(target, i, e[1])
		}
	}
	a.noteCalls(1)
}

// assign takes note of a variable's value, tokens i up to j. In a body it may
// stand in one branch of several, so what was known before stays.
func (a *myAnalyser) assign(target string, i, j int) {
	r := myReader{w: a.w.slice(i, j), variables: a.p.variables}
	texts := r.alternatives()
	for n := range texts {
		texts[n].line = a.lineOf(a.w.offset(i))
	}
	if a.depth > 0 && len(a.p.variables[target]) < maxAlternatives {
		texts = append(a.p.variables[target], texts...)
	}
	a.p.variables[target] = texts
}

// intoVariables follows SELECT … INTO @a, @b and SELECT @a := ….
func (a *myAnalyser) intoVariables() {
	w := a.w
	if w.at(0) != "SELECT" {
		return
	}
	end := w.find(1, "FROM", "INTO", "WHERE", "LIMIT", "UNION", "ORDER")
	if end < 0 {
		end = len(w.toks)
	}
	fields := w.slice(0, end).list(1)
	for _, f := range fields {
		if w.toks[f[0]].kind == tokParam && w.at(f[0]+1) == ":=" {
			a.assign(strings.ToLower(w.at(f[0])), f[0]+2, f[1])
		}
	}
	into := w.find(1, "INTO")
	if into < 0 {
		return
	}
	for n, e := range w.list(into + 1) {
		if n < len(fields) && w.toks[e[0]].kind == tokParam {
			a.assign(strings.ToLower(w.at(e[0])), fields[n][0], fields[n][1])
		}
	}
}

// prepare keeps what the text would do, for the EXECUTE.
func (a *myAnalyser) prepare() {
	w := a.w
	if w.at(2) != "FROM" {
		a.strange(2)
		return
	}
	name := strings.ToLower(w.ident(1))
	within := a.inside("prepared statement " + w.ident(1))
	p := a.analyseTexts(3, len(w.toks), within)
	if a.depth > 0 {
		if old := a.p.prepared[name]; old != nil && old.statement == p.statement {
			p.facts.Actions = append(old.facts.Actions, p.facts.Actions...)
			p.facts.Unread = append(old.facts.Unread, p.facts.Unread...)
		}
	} else if old := a.p.prepared[name]; old != nil {
		a.p.settle(old)
	}
	a.p.prepared[name] = p
}

// analyseTexts gathers what the texts that tokens i up to j may stand for do.
func (a *myAnalyser) analyseTexts(i, j int, within string) *prepared {
	w := a.w
	p := &prepared{statement: len(a.p.statements), within: within}
	s := *a
	s.facts, s.calls, s.depth = &p.facts, &p.calls, a.depth+1
	texts := (&myReader{w: w.slice(i, j), variables: a.p.variables}).alternatives()
	line := func(int) int { return a.lineOf(w.offset(i)) }
	for _, t := range texts {
		if strings.HasPrefix(strings.TrimSpace(t.text), placeholder) {
			texts = nil
			break
		}
		at := line
		if i < len(w.toks) && w.toks[i].kind == tokString && j == i+1 && !strings.ContainsAny(w.at(i), `\`) {
			at = func(off int) int { return a.lineOf(min(w.offset(i)+1+off, w.toks[i].end-1)) }
		}
		s.text(t.text, within, at)
		if src, err := splitMySQL(&source{text: t.text, marks: lineMarks(t.text, 0)}, a.p.dialect == MariaDB, newModes("")); err == nil && len(src) > 0 {
			sub := src[0].words(t.text)
			kind := sub.kind()
			p.facts.ImplicitCommit = p.facts.ImplicitCommit || commits(kind, temporary(sub), a.p.dialect == MariaDB)
			online := myAnalyser{facts: &Facts{Kind: kind}}
			online.online(sub)
			if online.facts.Algorithm != "" || online.facts.Lock != "" {
				p.facts.Algorithm, p.facts.Lock = online.facts.Algorithm, online.facts.Lock
			}
		}
	}
	if len(texts) == 0 {
		p.facts.MayCommit = true
		p.facts.Unread = append(p.facts.Unread, Unread{Within: within, Line: line(0)})
	}
	return p
}

// execute does what the prepared text does.
func (a *myAnalyser) execute() {
	p := a.p.prepared[strings.ToLower(a.w.ident(1))]
	if p == nil {
		a.facts.MayCommit = true
		a.unread(a.inside("prepared statement "+a.w.ident(1)), 0)
		return
	}
	p.executed = true
	a.take(p, a.inside("prepared statement "+a.w.ident(1)), func(int) int { return a.lineOf(a.w.offset(0)) })
}

func (a *myAnalyser) immediate() {
	using := a.w.find(2, "USING")
	if using < 0 {
		using = len(a.w.toks)
	}
	a.take(a.analyseTexts(2, using, a.inside("EXECUTE string")), a.inside("EXECUTE string"), func(line int) int { return line })
}

// take adds what a text does to what the statement does.
func (a *myAnalyser) take(p *prepared, within string, line func(int) int) {
	for _, act := range p.facts.Actions[:min(len(p.facts.Actions), maxTaken)] {
		act.Line, act.Within = line(act.Line), within
		a.facts.Actions = append(a.facts.Actions, act)
	}
	for _, u := range p.facts.Unread[:min(len(p.facts.Unread), maxTaken)] {
		a.facts.Unread = append(a.facts.Unread, Unread{Within: within, Line: line(u.Line)})
	}
	*a.calls = append(*a.calls, p.calls...)
	if a.top {
		f := a.facts
		f.ImplicitCommit = f.ImplicitCommit || p.facts.ImplicitCommit
		f.MayCommit = f.MayCommit || p.facts.MayCommit
		f.Algorithm, f.Lock = p.facts.Algorithm, p.facts.Lock
	}
}

// settle gives what a text that this script never executes would do to the
// PREPARE.
func (p *myParser) settle(old *prepared) {
	if old.executed || old.statement >= len(p.statements) {
		return
	}
	old.executed = true
	f := &p.statements[old.statement].Facts
	f.Actions = append(f.Actions, old.facts.Actions...)
	f.Unread = append(f.Unread, old.facts.Unread...)
	for i := range f.Actions {
		f.Actions[i].clean()
	}
}

func (p *myParser) unused() {
	for _, name := range sortedNames(p.prepared) {
		p.settle(p.prepared[name])
	}
}

// myReader evaluates a string expression as far as its parts are constant.
type myReader struct {
	w         myWords
	variables map[string][]assembled
	depth     int
}

// alternatives are the texts the expression may yield, with the placeholder
// for what is open; none where nothing of it is constant.
func (r *myReader) alternatives() []assembled {
	var out []assembled
	for _, s := range r.expression(0, len(r.w.toks)) {
		if strings.ReplaceAll(s, placeholder, "") != "" && len(out) < maxAlternatives {
			out = append(out, assembled{text: s})
		}
	}
	return out
}

var unknownText = []string{placeholder}

// expression evaluates tokens i up to j.
func (r *myReader) expression(i, j int) []string {
	w := r.w
	r.depth++
	defer func() { r.depth-- }()
	if i >= j || r.depth > maxNesting {
		return unknownText
	}
	// a || b, where that concatenates
	if w.mode&pipesAsConcat != 0 {
		if op := w.slice(0, j).find(i, "||"); op > 0 {
			return product([][]string{r.expression(i, op), r.expression(op+1, j)}, "")
		}
	}
	switch t := w.toks[i]; {
	case t.kind == tokString:
		text := ""
		for ; i < j && w.toks[i].kind == tokString; i++ {
			text += w.ident(i)
		}
		if i == j {
			return []string{text}
		}
	case t.kind == tokNumber && i+1 == j:
		return []string{w.at(i)}
	case t.kind == tokParam && i+1 == j:
		var texts []string
		for _, v := range r.variables[strings.ToLower(w.at(i))] {
			texts = append(texts, v.text)
		}
		if len(texts) > 0 {
			return texts
		}
	case w.at(i) == "(" && w.closing(i) == j-1:
		if w.at(i+1) == "SELECT" {
			return r.query(i+1, j-1)
		}
		return r.expression(i+1, j-1)
	case w.at(i) == "CASE":
		return r.caseOf(i, j)
	case t.kind == tokWord && w.at(i+1) == "(" && w.closing(i+1) == j-1:
		return r.call(w.at(i), w.slice(0, j-1).list(i+2))
	}
	return unknownText
}

// query evaluates the first column of a scalar subquery.
func (r *myReader) query(i, j int) []string {
	w := r.w.slice(0, j)
	end := w.find(i, "FROM", "WHERE", "LIMIT", "UNION", "ORDER", "GROUP")
	if end < 0 {
		end = j
	}
	list := w.slice(0, end).list(w.skip(i+1, "DISTINCT", "ALL"))
	if len(list) == 0 {
		return unknownText
	}
	e := list[0]
	if e[1]-e[0] > 2 && w.at(e[1]-2) == "AS" {
		e[1] -= 2
	}
	return r.expression(e[0], e[1])
}

func (r *myReader) caseOf(i, j int) []string {
	w := r.w
	var out []string
	depth := 0
	for k := i + 1; k < j; k++ {
		switch w.at(k) {
		case "(":
			depth++
		case ")":
			depth--
		case "CASE":
			depth++
		case "END":
			depth--
		case "THEN", "ELSE":
			if depth != 0 {
				continue
			}
			end := w.slice(0, j).find(k+1, "WHEN", "ELSE", "END")
			if end < 0 {
				end = j
			}
			out = append(out, r.expression(k+1, end)...)
		}
	}
	if len(out) == 0 {
		return unknownText
	}
	return out
}

func (r *myReader) call(name string, args [][2]int) []string {
	arg := func(n int) []string {
		if n < len(args) {
			return r.expression(args[n][0], args[n][1])
		}
		return unknownText
	}
	var parts [][]string
	switch name {
	case "CONCAT", "GROUP_CONCAT":
		for n := range args {
			parts = append(parts, arg(n))
		}
		return product(parts, "")
	case "CONCAT_WS":
		for n := 1; n < len(args); n++ {
			parts = append(parts, arg(n))
		}
		return product(parts, arg(0)[0])
	case "IF":
		return append(append([]string{}, arg(1)...), arg(2)...)
	case "IFNULL", "COALESCE":
		var out []string
		for n := range args {
			out = append(out, arg(n)...)
		}
		return out
	case "QUOTE":
		return []string{"'" + placeholder + "'"}
	case "TRIM", "LOWER", "UPPER", "LTRIM", "RTRIM", "CONVERT", "CAST", "NULLIF", "ANY_VALUE", "MIN", "MAX":
		return arg(0)
	case "REPLACE":
		from, to := arg(1), arg(2)
		var out []string
		for _, s := range arg(0) {
			if len(s)*len(to[0]) > maxAssembled {
				return unknownText
			}
			out = append(out, strings.ReplaceAll(s, from[0], to[0]))
		}
		return out
	}
	return unknownText
}

// product joins every choice of the parts.
func product(parts [][]string, sep string) []string {
	out := []string{""}
	for n, texts := range parts {
		var next []string
		for _, head := range out {
			for _, s := range texts {
				if n > 0 {
					s = sep + s
				}
				if len(next) < maxAlternatives && len(head)+len(s) <= maxAssembled {
					next = append(next, head+s)
				}
			}
		}
		out = next
	}
	if len(out) == 0 {
		return unknownText
	}
	return out
}
