package migration

import "strings"

// myWords are a statement's tokens, as MySQL reads them.
type myWords struct {
	words
	mode sqlMode
	// upper holds what at returns, where it was worked out before: the words of
	// a statement are looked at many times.
	upper []string
}

// cached works out the words once.
func (w myWords) cached() myWords {
	w.upper = make([]string, len(w.toks))
	for i := range w.toks {
		w.upper[i] = w.words.at(i)
	}
	return w
}

func (w myWords) at(i int) string {
	if w.upper == nil {
		return w.words.at(i)
	}
	if i < 0 || i >= len(w.upper) {
		return ""
	}
	return w.upper[i]
}

// has reports whether the tokens from i on are these.
func (w myWords) has(i int, want ...string) bool {
	for j, s := range want {
		if w.at(i+j) != s {
			return false
		}
	}
	return true
}

func (w myWords) slice(i, j int) myWords {
	i = min(max(i, 0), len(w.toks))
	j = min(max(j, i), len(w.toks))
	s := myWords{words: words{w.text, w.toks[i:j]}, mode: w.mode}
	if w.upper != nil {
		s.upper = w.upper[i:j]
	}
	return s
}

// is reports whether token i is one of these words.
func (w myWords) is(i int, want ...string) bool {
	s := w.at(i)
	for _, x := range want {
		if s == x && s != "" {
			return true
		}
	}
	return false
}

// skip moves over one of these words.
func (w myWords) skip(i int, want ...string) int {
	if w.is(i, want...) {
		return i + 1
	}
	return i
}

// list returns the ranges of the elements of a comma-separated list that
// begins at token i, by commas outside parentheses.
func (w myWords) list(i int) [][2]int {
	var out [][2]int
	depth, from := 0, i
	for ; i < len(w.toks); i++ {
		if w.toks[i].kind != tokPunct {
			continue
		}
		switch w.text[w.toks[i].start] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, [2]int{from, i})
				from = i + 1
			}
		}
	}
	if from < len(w.toks) {
		out = append(out, [2]int{from, len(w.toks)})
	}
	return out
}

// closing returns the index of the parenthesis that closes the one at i, or
// the number of tokens.
func (w myWords) closing(i int) int {
	depth := 0
	for ; i < len(w.toks); i++ {
		switch w.at(i) {
		case "(":
			depth++
		case ")":
			depth--
			if depth == 0 {
				return i
			}
		}
	}
	return len(w.toks)
}

// find returns the index of a word outside parentheses, from i on, or -1.
func (w myWords) find(i int, want ...string) int {
	depth := 0
	for i = max(i, 0); i < len(w.toks); i++ {
		switch w.at(i) {
		case "(":
			depth++
		case ")":
			depth--
		}
		if depth == 0 && w.is(i, want...) {
			return i
		}
	}
	return -1
}

// isName: the token may be a name, or part of one.
func (w myWords) isName(i int) bool {
	return i >= 0 && i < len(w.toks) && (w.toks[i].kind == tokWord || w.toks[i].kind == tokIdent)
}

// ident reads a name as it is written, without its quotes; strings are taken
// where MySQL takes them for names (of accounts, aliases).
func (w myWords) ident(i int) string {
	if i < 0 || i >= len(w.toks) {
		return ""
	}
	s := w.text[w.toks[i].start:w.toks[i].end]
	switch w.toks[i].kind {
	case tokIdent:
		q := s[:1]
		return strings.ReplaceAll(s[1:len(s)-1], q+q, q)
	case tokString:
		return unquoteString(s, w.mode&noBackslashEscapes != 0)
	}
	return s
}

// name reads a qualified name at token i and returns the index behind it.
func (w myWords) name(i int) (schema, name string, next int) {
	if w.at(i) == "." {
		i++ // .name stands for the current schema's
	}
	if !w.isName(i) {
		return "", "", i
	}
	parts := []string{w.ident(i)}
	i++
	for w.at(i) == "." && (w.isName(i+1) || w.at(i+1) == "*") {
		parts = append(parts, w.ident(i+1))
		i += 2
	}
	schema, name = schemaAndName(parts)
	return schema, name, i
}

// render spells the tokens from i up to j as they are written, with one blank
// for whatever white space and comments stand between them.
func (w myWords) render(i, j int) string {
	var b strings.Builder
	for k := max(i, 0); k < min(j, len(w.toks)); k++ {
		t := w.toks[k]
		if k > i && t.start > w.toks[k-1].end {
			b.WriteByte(' ')
		}
		b.WriteString(w.text[t.start:t.end])
	}
	return b.String()
}

// offset of token i in the text.
func (w myWords) offset(i int) int {
	switch {
	case len(w.toks) == 0:
		return 0
	case i >= len(w.toks):
		return w.toks[len(w.toks)-1].start
	}
	return w.toks[max(i, 0)].start
}

// unquoteString resolves a string constant; raw leaves backslashes alone.
func unquoteString(s string, raw bool) string {
	open := strings.IndexAny(s, `'"`)
	if open < 0 || len(s) < open+2 {
		return s
	}
	q := s[open]
	s = s[open+1 : len(s)-1]
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == q && i+1 < len(s) && s[i+1] == q:
			i++
		case s[i] == '\\' && !raw && i+1 < len(s):
			i++
			if r, ok := myEscapes[s[i]]; ok {
				b.WriteString(r)
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// myEscapes as in the manual's "String Literals"; \% and \_ keep their
// backslash.
var myEscapes = map[byte]string{
	'0': "\x00", 'b': "\b", 'n': "\n", 'r': "\r", 't': "\t", 'Z': "\x1a", '%': `\%`, '_': `\_`,
}

// setTarget reads what a SET element assigns to: a system variable by its
// plain name ("sql_mode", "global.x"), a user variable as "@name"; next is the
// index of the value.
func (w myWords) setTarget(i int) (target string, next int) {
	global := ""
	for {
		switch w.at(i) {
		case "GLOBAL", "PERSIST", "PERSIST_ONLY":
			global = "global."
			i++
			continue
		case "SESSION", "LOCAL":
			if w.at(i+1) != "=" && w.at(i+1) != ":=" && w.at(i+1) != "." {
				i++
				continue
			}
		}
		break
	}
	if i >= len(w.toks) {
		return "", i
	}
	switch w.toks[i].kind {
	case tokParam:
		target = strings.ToLower(w.text[w.toks[i].start:w.toks[i].end])
		if strings.HasPrefix(target, "@@") {
			target = variableName(target)
		}
	case tokWord, tokIdent:
		target = global + strings.ToLower(w.ident(i))
	default:
		return "", i
	}
	i++
	if w.at(i) == "=" || w.at(i) == ":=" {
		return target, i + 1
	}
	return "", i
}
