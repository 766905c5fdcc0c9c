package mysql

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
)

// place is where a database of the dump goes: on a server of our own to one of
// its name, on somebody else's to the one schema there is.
func (r *restore) place(name string) (string, error) {
	if !r.s.guest.is() || isSystem(name) {
		return name, nil
	}
	physical := r.s.guest.schema(snapshot.FirstInstance)
	switch {
	case r.shown == "":
		r.shown = name
	case name != r.shown && name != physical:
		return "", fmt.Errorf("the dump holds more than one database (%s, %s), and on a server that somebody else runs there is room for one: dump only the one that is migrated, or use --target container or local", r.shown, name)
	}
	return physical, nil
}

// names of the database that is being restored.
func (r *restore) names() Names {
	if !r.s.guest.is() || r.shown == "" {
		return Names{}
	}
	return Names{r.s.guest.schema(snapshot.FirstInstance), r.shown}
}

// A lexed statement: what counts when names are looked for in it.
type lexed struct {
	from, to int
	// word is the token in capitals where it is a plain word, name the name it
	// stands for where it may be one.
	word, name string
}

// lex splits a statement into words, quoted names, strings and signs. Comments
// are left out, and those of a version opened.
func lex(text []byte) []lexed {
	var out []lexed
	for i := 0; i < len(text); {
		end, kind := lexeme(text, i)
		c := text[i]
		switch {
		case kind == 'q' && c != '\'':
			out = append(out, lexed{from: i, to: end, name: unquoted(string(text[i:end]))})
		case kind == 'q':
			out = append(out, lexed{from: i, to: end})
		case kind != 0:
		case isWordByte(c):
			for end < len(text) && isWordByte(text[end]) {
				end++
			}
			w := string(text[i:end])
			out = append(out, lexed{i, end, strings.ToUpper(w), w})
		case c > ' ':
			out = append(out, lexed{from: i, to: end})
		}
		i = end
	}
	return out
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// redirected makes a statement that names the dump's own database ("`shop`.`orders`",
// as views and bodies are dumped) name the schema it is restored into.
//
// A string that may be SQL for PREPARE is left as it is, and noted.
func (l *loader) redirected(text []byte) ([]byte, error) {
	shown := l.r.shown
	if shown == "" {
		shown = l.r.named
	}
	if err := l.elsewhere(text); err != nil {
		return nil, err
	}
	if shown == "" || !bytes.Contains(text, []byte(shown)) {
		return text, nil
	}
	tokens := lex(text)
	sign := func(i int) string {
		if i < 0 || i >= len(tokens) || tokens[i].word != "" {
			return ""
		}
		return string(text[tokens[i].from:tokens[i].to])
	}
	word := func(i int) string {
		if i < 0 {
			return ""
		}
		return tokens[i].word
	}
	has := func(list []lexed, words ...string) bool {
		return slices.ContainsFunc(list, func(t lexed) bool { return t.word != "" && slices.Contains(words, t.word) })
	}
	prepares, view := has(tokens, "PREPARE", "IMMEDIATE"), has(tokens[:min(len(tokens), 20)], "VIEW")
	// It then stands somewhere without a dot on either side. What follows AS in
	// a view, as servers spell them, is a column.
	twice := false
	for i, t := range tokens {
		if t.name == shown && sign(i+1) != "." && sign(i-1) != "." && !(view && word(i-1) == "AS") {
			twice = true
		}
	}
	var out []byte
	from := 0
	for i, t := range tokens {
		if t.name == "" && prepares && strings.Contains(string(text[t.from:t.to]), shown+".") {
			l.r.skip(fmt.Sprintf("%s: SQL in a string that names database %s was left as it is", brief(string(text)), shown))
		}
		if t.name != shown || sign(i+1) != "." || sign(i-1) == "." || sign(i-1) == "@" || i+2 >= len(tokens) {
			continue
		}
		if twice && sign(i+3) != "." && sign(i+3) != "(" {
			return nil, fmt.Errorf("%s is the name of the database and of a table or an alias, and which of them %s.%s means cannot be told: give another --target than server",
				shown, shown, tokens[i+2].name)
		}
		out = append(append(out, text[from:t.from]...), ident(l.r.s.guest.schema(snapshot.FirstInstance))...)
		from = t.to
	}
	return append(out, text[from:]...), nil
}

// elsewhere refuses what names another database of the server, where the
// account that runs it may reach that.
func (l *loader) elsewhere(text []byte) error {
	if len(l.r.s.guest.others) == 0 {
		return nil
	}
	tokens := lex(text)
	for i, t := range tokens {
		if i+2 >= len(tokens) || string(text[tokens[i+1].from:tokens[i+1].to]) != "." || !containsFold(l.r.s.guest.others, t.name) {
			continue
		}
		if i == 0 || string(text[tokens[i-1].from:tokens[i-1].to]) != "." {
			return fmt.Errorf("it names the database %s, which is on this server and somebody else's: give an account that may create another (GRANT CREATE USER ON *.* … WITH GRANT OPTION), or another --target", t.name)
		}
	}
	return nil
}

// databaseName is the place of the name in CREATE, ALTER or DROP DATABASE.
func databaseName(text []byte) (from, to int) {
	tokens := lex(text)
	for i, t := range tokens {
		if t.word != "DATABASE" && t.word != "SCHEMA" {
			continue
		}
		for i++; i < len(tokens) && slices.Contains([]string{"IF", "NOT", "EXISTS"}, tokens[i].word); i++ {
		}
		if i < len(tokens) {
			return tokens[i].from, tokens[i].to
		}
	}
	return len(text), len(text)
}

func renameDatabase(text []byte, name string) []byte {
	from, to := databaseName(text)
	return slices.Concat(text[:from], []byte(ident(name)), text[to:])
}

// optionsOf CREATE DATABASE: what follows the name.
func optionsOf(statement string) string {
	_, to := databaseName([]byte(statement))
	return statement[to:]
}

// resting is how an event is enabled that no server runs: told from DISABLED,
// which a migration may ask for.
const resting = "DISABLE ON SLAVE"

// disabled is CREATE EVENT for an event that rests where it would run.
func disabled(text []byte) []byte {
	tokens := lex(text)
	depth := 0
	for i, t := range tokens {
		switch s := string(text[t.from:t.to]); {
		case s == "(":
			depth++
		case s == ")":
			depth--
		}
		if depth > 0 {
			continue
		}
		switch t.word {
		case "ENABLE":
			return slices.Concat(text[:t.from], []byte(resting), text[t.to:])
		case "DISABLE":
			return text
		case "COMMENT", "DO":
			if i > 0 { // either follows where ENABLE would stand
				return slices.Concat(text[:t.from], []byte(resting+" "), text[t.from:])
			}
		}
	}
	return text
}
