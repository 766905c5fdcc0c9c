// Command support holds docs/support.md against what tests have proven. Tests
// append the cells that they proved to a file (snapshottest.Supported); this
// program compares them with docs/support.tsv, the list of what is claimed,
// and with the tables that docs/support.md makes of it.
//
//	support -by "make test" RECORD           fails where the claims and the record differ
//	support -by "make test" -update RECORD   makes the claims what the record says
//
// Each cell is one command's to prove, and a run compares only its own.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// commands that prove cells, and how a cell says which did.
var commands = []struct{ name, mark string }{
	{"make test", "✓"},
	{"make test-tools", "✓ᵗ"},
	{"make test-images", "✓ⁱ"},
	{"make demos", "✓ᵈ"},
}

type cell struct{ table, row, column, by string }

func (c cell) key() cell { c.by = ""; return c }

func main() {
	by := flag.String("by", "make test", "the command whose record it is")
	update := flag.Bool("update", false, "write what the record says")
	lenient := flag.Bool("lenient", false, "only tell of what was claimed and not proven: this machine may lack what the tests need")
	docs := flag.String("docs", "docs", "directory of support.tsv and support.md")
	flag.Parse()
	if flag.NArg() != 1 || rank(*by) < 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*docs, flag.Arg(0), *by, *update, *lenient); err != nil {
		fmt.Fprintln(os.Stderr, "support:", err)
		os.Exit(1)
	}
}

func rank(by string) int {
	return slices.IndexFunc(commands, func(c struct{ name, mark string }) bool { return c.name == by })
}

func run(docs, record, by string, update, lenient bool) error {
	list, page := filepath.Join(docs, "support.tsv"), filepath.Join(docs, "support.md")
	claims, err := read(list, "")
	if err != nil {
		return err
	}
	proven, err := read(record, by)
	if err != nil {
		return err
	}
	next := merge(claims, proven, by)
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	rendered, err := fill(text, next)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if update {
		if err := os.WriteFile(list, format(next), 0o644); err != nil {
			return err
		}
		return os.WriteFile(page, rendered, 0o644)
	}
	var differ []string
	for _, c := range next {
		if !slices.Contains(claims, c) {
			differ = append(differ, fmt.Sprintf("proven and not claimed: %s / %s / %s", c.table, c.row, c.column))
		}
	}
	for _, c := range claims {
		if slices.Contains(next, c) {
			continue
		}
		text := fmt.Sprintf("claimed and not proven: %s / %s / %s", c.table, c.row, c.column)
		if lenient {
			fmt.Println("docs/support.md:", text)
			continue
		}
		differ = append(differ, text)
	}
	if len(differ) == 0 && !lenient && !bytes.Equal(text, rendered) {
		differ = []string{page + " is not what " + list + " makes of it"}
	}
	if len(differ) > 0 {
		return fmt.Errorf("%s\nif that is right, run: %s UPDATE=1", strings.Join(differ, "\n"), by)
	}
	fmt.Printf("docs/support.md: %d cells proven by %s\n", len(proven), by)
	return nil
}

// read takes lines of "table, row, column" and, in the list of claims, of the
// command as well; twice is once.
func read(path, by string) ([]cell, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var cells []cell
	for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		if line == "" {
			continue
		}
		f := strings.Split(line, "\t")
		if by != "" {
			f = append(f, by)
		}
		if len(f) != 4 || rank(f[3]) < 0 {
			return nil, fmt.Errorf("%s:%d: %q is no cell", path, i+1, line)
		}
		if c := (cell{f[0], f[1], f[2], f[3]}); !slices.Contains(cells, c) {
			cells = append(cells, c)
		}
	}
	return cells, nil
}

// merge replaces what a command is said to prove, keeps the order of what
// stays, and leaves alone what another is said to prove, whether this one does
// so as well or not: where there is a Docker engine, make test runs the
// containers' suite.
func merge(claims, proven []cell, by string) []cell {
	var next []cell
	seen := map[cell]bool{}
	for _, c := range claims {
		again := slices.ContainsFunc(proven, func(p cell) bool { return p.key() == c.key() })
		if c.by == by && !again {
			continue
		}
		seen[c.key()] = true
		next = append(next, c)
	}
	// New ones go to the end of their table's list, in an order that does not
	// depend on which test came first.
	fresh := slices.DeleteFunc(slices.Clone(proven), func(p cell) bool { return seen[p.key()] })
	slices.SortFunc(fresh, func(a, b cell) int {
		return strings.Compare(a.table+"\t"+a.row+"\t"+a.column, b.table+"\t"+b.row+"\t"+b.column)
	})
	for _, c := range fresh {
		at := len(next)
		for i, n := range next {
			if n.table == c.table {
				at = i + 1
			}
		}
		next = slices.Insert(next, at, c)
	}
	return next
}

func format(cells []cell) []byte {
	var b bytes.Buffer
	for _, c := range cells {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", c.table, c.row, c.column, c.by)
	}
	return b.Bytes()
}

// fill writes each table between its marks in the page.
func fill(page []byte, cells []cell) ([]byte, error) {
	text := string(page)
	var tables []string
	for _, c := range cells {
		if !slices.Contains(tables, c.table) {
			tables = append(tables, c.table)
		}
	}
	for _, t := range tables {
		open, end := "<!-- table: "+t+" -->\n", "<!-- end: "+t+" -->"
		i, j := strings.Index(text, open), strings.Index(text, end)
		if i < 0 || j < i {
			return nil, fmt.Errorf("no place for the table %s: it lacks the lines %q and %q", t, strings.TrimSpace(open), end)
		}
		text = text[:i+len(open)] + render(t, cells) + text[j:]
	}
	return []byte(text), nil
}

func render(table string, cells []cell) string {
	var rows, columns []string
	marks := map[[2]string]string{}
	for _, c := range cells {
		if c.table != table {
			continue
		}
		if !slices.Contains(rows, c.row) {
			rows = append(rows, c.row)
		}
		if !slices.Contains(columns, c.column) {
			columns = append(columns, c.column)
		}
		marks[[2]string{c.row, c.column}] = commands[rank(c.by)].mark
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat(":-:|", len(columns)))
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s |", r)
		for _, c := range columns {
			mark := marks[[2]string{r, c}]
			if mark == "" {
				mark = "–"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteString("\n")
	}
	return b.String()
}
