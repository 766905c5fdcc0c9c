package migration

import "strings"

// roughBody reads a body the grammar does not know: whatever stands where a
// statement may begin and looks like one.
func (a *analyser) roughBody(text, within string, lineOf func(off int) int) {
	l := lexer{s: text}
	var toks []token
	for {
		t, err := l.next()
		if err != nil {
			a.unread(within, lineOf(0))
			return
		}
		if t.kind == tokEnd {
			break
		}
		toks = append(toks, t)
	}
	w := words{text, toks}
	for i := 0; i < len(toks); i++ {
		if i > 0 {
			switch w.at(i - 1) {
			case ";", "BEGIN", "THEN", "ELSE", "LOOP":
			default:
				continue
			}
		}
		switch w.at(i) {
		case "CREATE", "ALTER", "DROP", "TRUNCATE", "DELETE", "UPDATE", "INSERT", "MERGE", "WITH", "EXECUTE", "PERFORM", "CALL":
		default:
			continue
		}
		end := i
		for end < len(toks) && w.at(end) != ";" {
			end++
		}
		a.roughStatement(text, toks[i:end], within, lineOf)
		i = end - 1
	}
}

func (a *analyser) roughStatement(text string, toks []token, within string, lineOf func(off int) int) {
	start, end := toks[0].start, toks[len(toks)-1].end
	at := func(off int) int { return lineOf(start + off) }
	w := words{text, toks}
	if w.at(0) != "EXECUTE" {
		sql := text[start:end]
		if w.at(0) == "PERFORM" {
			sql = "SELECT " + strings.TrimSpace(sql[len("PERFORM"):])
		}
		a.nested(sql, within, at)
		return
	}
	for i := range toks {
		if s := w.at(i); s == "USING" || s == "INTO" {
			end = toks[i].start
			break
		}
	}
	within += ", EXECUTE string"
	texts := a.assemble(text[toks[0].end:end])
	if len(texts) == 0 {
		a.unread(within, at(0))
	}
	for _, s := range texts {
		a.assembledSQL(s, within, at)
	}
}
