package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rubenv/sql-migrate/sqlparse"
)

// parsed is what a tool makes of a migration's text: the strings that it sends,
// in order, and whether in a transaction.
type parsed struct {
	Up              []string `json:"up"`
	Down            []string `json:"down"`
	UpTransaction   bool     `json:"up_transaction"`
	DownTransaction bool     `json:"down_transaction"`
	Error           string   `json:"error,omitempty"`
}

// parsers are those of the tools that have one to call.
var parsers = map[string]func(text string) parsed{"dbmate": dbmateParse, "sql-migrate": sqlMigrateParse}

// parse reads texts, an array of JSON, and writes what the tool makes of each.
func parse(tool string, from io.Reader, to io.Writer) error {
	read, ok := parsers[tool]
	if !ok {
		return fmt.Errorf("no parser of %q", tool)
	}
	var texts []string
	if err := json.NewDecoder(from).Decode(&texts); err != nil {
		return err
	}
	all := make([]parsed, len(texts))
	for i, text := range texts {
		all[i] = read(text)
	}
	return json.NewEncoder(to).Encode(all)
}

func sqlMigrateParse(text string) parsed {
	p, err := sqlparse.ParseMigration(strings.NewReader(text))
	if err != nil {
		return parsed{Error: err.Error()}
	}
	return parsed{Up: p.UpStatements, Down: p.DownStatements, UpTransaction: !p.DisableTransactionUp, DownTransaction: !p.DisableTransactionDown}
}
