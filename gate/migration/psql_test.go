package migration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot/snapshottest"
)

// asSession cuts a text as it is cut for a tool that sends its statements one
// by one: a setting counts for what follows.
func asSession(text string) snapshottest.Splitter {
	return func(yield func(snapshottest.Piece) bool) error {
		src, err := newSource("f.sql", []byte(text))
		if err != nil {
			return err
		}
		pieces, _, err := split(src, false, false)
		if err != nil {
			return err
		}
		for _, p := range pieces {
			if !yield(snapshottest.Piece{SQL: src.text[p.start:p.end], Data: p.copyData}) {
				return nil
			}
		}
		return nil
	}
}

// differences are what psql reads in a way of its own, which no migration tool
// shares; the corpus has the rest of its texts without them. Texts with psql's
// commands (\connect) and variables (:name) are refused by the splitter, and so
// is what follows COPY … FROM stdin; on its line. RandomSQL names three more,
// which it leaves out.
var differences = []struct{ why, text, instead string }{
	{
		"psql counts the words BEGIN, CASE and END of a body, labels and columns of that name included",
		"SELECT 1 AS end, x.case, x.begin FROM x;", "SELECT 1 FROM x;",
	},
	{
		"psql reads by lines, and takes what continues an E'' string on the next one for a plain string",
		`'\';d';`, `'"';`,
	},
}

// What the splitter yields, executed piece by piece, equals what psql does with
// the file: the same errors in the same order, the same objects, the same rows.
func TestPiecesDoWhatPsqlDoes(t *testing.T) {
	p := snapshottest.NewPsql(t)
	statements, files := 0, 0
	same := func(name, text string) {
		n, _ := p.Same(name, text, asSession(text))
		statements += n
		files++
	}
	texts := corpus(t)
	names := make([]string, 0, len(texts))
	for name := range texts {
		names = append(names, name)
	}
	slices.Sort(names)
	own := 0
	for _, name := range names {
		text := withoutCommands(texts[name])
		ours := strings.HasPrefix(name, "testdata/corpus/")
		switch {
		case strings.HasPrefix(name, "testdata/facts/"): // to be read, not to be run: it makes roles and databases
			continue
		case len(text) > 60_000:
			continue
		case !ours && own > 8 && many() == 0:
			continue // some extensions are enough for every day
		}
		own++
		for _, d := range differences {
			text = strings.ReplaceAll(text, d.text, d.instead)
		}
		p.Fresh()
		same(name, text)
	}
	p.Fresh()
	for seed := range uint64(40 + many()) {
		if seed%50 == 49 {
			p.Fresh()
		}
		same(fmt.Sprintf("RandomSQL(%d)", seed), snapshottest.RandomSQL(seed))
		if t.Failed() {
			break
		}
	}
	t.Logf("%d files, %d statements", files, statements)
	if statements < 400 {
		t.Errorf("only %d statements were run", statements)
	}
}

// withoutCommands takes out what only psql reads, as extension scripts have it,
// and leaves the ends of COPY's data.
func withoutCommands(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, `\`) && strings.TrimSpace(line) != `\.` {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

// many is how many more generated files are tried: `make soak` wants thousands.
func many() uint64 {
	n, _ := strconv.ParseUint(os.Getenv("MG_FUZZ_FILES"), 10, 32)
	return n
}
