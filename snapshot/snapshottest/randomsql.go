package snapshottest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// RandomSQL writes a file of PostgreSQL's SQL that a splitter can get wrong:
// semicolons in every kind of quote, comment, parenthesis and body, settings
// that change how strings are read, data of COPY, errors and transactions
// between. It holds nothing that psql reads in a way of its own on purpose:
// commands (\connect), variables (:name), an escape string that goes on on the
// next line, labels called END in a body, data of a COPY that the server
// refuses, which psql reads as SQL, strings on the very line of a SET of
// standard_conforming_strings, which it heeds from the next on. Nor vertical
// tabs, which are blanks from PostgreSQL 16 on only.
func RandomSQL(seed uint64) string {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x6d67))}
	g.newline = "\n"
	if g.IntN(6) == 0 {
		g.newline = "\r\n"
	}
	g.line("CREATE TABLE IF NOT EXISTS t (id int, v text);")
	for range 4 + g.IntN(12) {
		g.statement()
	}
	if g.IntN(2) == 0 { // without a semicolon at the end
		g.b.WriteString("SELECT 1")
	}
	return g.b.String()
}

type generator struct {
	*rand.Rand
	b       strings.Builder
	newline string
	n       int  // of objects made
	escapes bool // standard_conforming_strings is off
	open    bool // a transaction is
}

func (g *generator) line(s string) {
	g.b.WriteString(strings.ReplaceAll(s, "\n", g.newline))
	g.b.WriteString(g.between())
}

// pick one of several texts.
func (g *generator) pick(texts ...string) string { return texts[g.IntN(len(texts))] }

// between statements.
func (g *generator) between() string {
	return strings.ReplaceAll(g.pick("\n", "\n\n", " ", "", ";\n", "\t\f\n", " -- c; 'x\n", "/* ; */", "\n/* a /* ; $$ */ ' */\n", "\n--\n"), "\n", g.newline)
}

// blank is what may stand between two tokens.
func (g *generator) blank() string {
	return g.pick(" ", " ", " ", "\n", "\t", " /* ; */ ", "/* /* '; */ $x$ */ ", " -- ;'\"$$\n", "\r\n")
}

// text is a string literal of some form, whole whichever way it is read.
func (g *generator) text() string {
	plain := []string{
		`''`, `'a;b'`, `'it''s;'`, `'"'`, `'--;'`, `'/*'`, `'*/;'`, `'$$;$$'`, "'two\nlines;'", `'ünï;'`, "'a'\n'b;'", "'a' -- c;\n  'b'",
		`E'\';'`, `e'\\'`, `E'\\\';'`, `E'a'''`, `E'\n;\t'`, `E'\x3b'`,
		`$$;$$`, `$$'$$`, `$t$;$$;$t$`, `$täg$;'"$täg$`, `$_1$ $1 $$ ; $_1$`, "$$\n;\n$$", `$a$$b$;$a$`,
		`N'n;'`, `B'01'::text`, `X'1F'::text`,
	}
	if !g.escapes {
		plain = append(plain, `'\'`, `'a\'`, `U&'\0041;'`, `U&'d!0061;' UESCAPE '!'`, `u&'\+000041'`)
	} else {
		plain = append(plain, `'\';'`, `'\\'`, `'a\'b;'`)
	}
	return g.pick(plain...)
}

func (g *generator) expr() string {
	g.n++
	return g.pick(
		g.text(), g.text(), g.text(), g.text()+g.blank()+"||"+g.blank()+g.text(),
		"(SELECT"+g.blank()+g.text()+")", "CASE WHEN true THEN "+g.text()+" ELSE "+g.text()+" END",
		"(ARRAY['a;b', 'c'])[1]", "(ARRAY["+g.text()+"])[1:1]::text", "json_build_object('a;', 1)::text", "'x'::text",
		"(1 +/* ; */ 2)::text", "(1 - -1)::text", "(2*-1)::text", "(5 % 3)::text", "1e5::text", ".5::text", "1.::text", "(1 <> 2)::text",
		"length("+g.text()+")::text", "concat(VARIADIC ARRAY["+g.text()+"])", "quote_ident('\"a;')",
	)
}

func (g *generator) name() string {
	g.n++
	return fmt.Sprintf(g.pick(`o%d`, `"o;%d"`, `"o""%d"`, `o$%d$x`, `"o'%d"`, `ö%d`, `"o--%d"`, `"o$$%d"`), g.n)
}

func (g *generator) statement() {
	b := g.blank
	switch g.IntN(20) {
	case 0, 1, 2, 3:
		g.line("INSERT" + b() + "INTO t VALUES" + b() + "(1," + b() + g.expr() + ")" + g.pick("", b()) + ";")
	case 4:
		g.line("CREATE TABLE " + g.name() + b() + "(a int, b text DEFAULT " + g.text() + ");")
	case 5:
		g.line("CREATE OR REPLACE FUNCTION " + g.name() + "() RETURNS text LANGUAGE sql AS " + g.pick("$$SELECT 'a;'; SELECT 'b'$$", "$f$ SELECT $$;$$; $f$", "'SELECT ''x;'''") + ";")
	case 6:
		g.line("CREATE" + b() + "FUNCTION " + g.name() + "() RETURNS text" + b() + "BEGIN" + b() + "ATOMIC" + b() +
			g.pick("SELECT 'a;';", "SELECT CASE WHEN true THEN 'x' END;", "INSERT INTO t VALUES (2, 'y;'); SELECT 'z';", "SELECT CASE WHEN true THEN CASE 1 WHEN 1 THEN 'p' END END; SELECT 'q';") + b() + "END;")
	case 7:
		g.line("CREATE OR REPLACE PROCEDURE " + g.name() + "(x int) LANGUAGE plpgsql AS $$ BEGIN IF x > 0 THEN RAISE NOTICE ';'; END IF; END; $$;")
	case 8:
		g.line("DO " + g.pick("$$ BEGIN PERFORM 1; INSERT INTO t VALUES (3, 'do;'); END $$", "$d$ DECLARE s text := $$;$$; BEGIN NULL; END; $d$") + ";")
	case 9:
		g.n++
		g.line(fmt.Sprintf("CREATE RULE r%d AS ON UPDATE TO t DO ALSO (SELECT 1; SELECT 2%s);", g.n, g.blank()))
		g.line(fmt.Sprintf("DROP RULE r%d ON t;", g.n))
	case 10:
		if g.newline == "\n" && !g.open {
			g.b.WriteString("\n" + "COPY t" + b() + "FROM stdin;\n" + g.pick("", "7\ta;b\n", "8\t'\n9\t$$\n", "7\t\\\\.\n", "x\ty\n", "1\t--\n2\t\\N\n") + "\\.\n")
		}
	case 11:
		g.line(g.pick("SELECT 1/0;", "SELEC 1;", "SELECT nope FROM t;", "SELECT $1;", "SELECT 1 +;", "SELECT 'a' 'b';", ");", "SELECT (1));", "SELECT \"a;b\";", "SELECT 1a$b$c;"))
	case 12:
		if g.open {
			g.line(g.pick("COMMIT", "ROLLBACK", "END") + ";")
		} else {
			g.line(g.pick("BEGIN", "START TRANSACTION", "BEGIN TRANSACTION") + ";")
		}
		g.open = !g.open
	case 13:
		if !g.open { // what a rollback undoes is another story
			g.escapes = !g.escapes
			g.b.WriteString("SET escape_string_warning = off;" + g.newline + "SET standard_conforming_strings" + g.pick(" = ", " TO ") +
				map[bool]string{true: "off", false: "on"}[g.escapes] + ";" + g.newline)
		}
	case 14:
		g.line("COMMENT ON TABLE t IS " + g.text() + ";")
	case 15:
		g.line("SELECT a$b$c.v, $$ $$ FROM t AS a$b$c WHERE v = " + g.text() + ";")
	case 16:
		g.line("CREATE VIEW " + g.name() + " AS SELECT" + b() + g.expr() + " AS x;")
	case 17:
		g.line("UPDATE t SET v = v" + b() + "||" + b() + g.text() + " WHERE id" + b() + "=" + b() + "1;")
	case 18:
		g.line(g.pick("; ;", "SELECT;", "SELECT 1 AS begin;", "VALUES (1), (2);", "EXPLAIN SELECT 1;", "PREPARE p AS SELECT ';'; DEALLOCATE p;", "LOCK TABLE t;", "SAVEPOINT s;"))
	case 19:
		g.line("DELETE FROM t WHERE v" + b() + "LIKE" + b() + g.text() + " OR id @@ 1;")
	}
}
