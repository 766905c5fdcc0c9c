package command

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// versions is what a bug report needs to know of a binary.
type versions struct {
	Version  string   `json:"version"`
	Commit   string   `json:"commit"`
	Modified bool     `json:"modified"` // built of a working tree with changes
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Grammar  string   `json:"postgres_grammar"`
	Majors   []string `json:"postgres_majors"`
	MySQL    []string `json:"mysql_series"`
	MariaDB  []string `json:"mariadb_series"`
}

func (c *versionCmd) Run(ctx context.Context, a *app) (gate.Verdict, error) {
	v := buildVersions()
	if c.JSON {
		enc := json.NewEncoder(a.env.Stdout)
		enc.SetIndent("", "  ")
		return gate.Pass, enc.Encode(v)
	}
	commit := v.Commit
	if v.Modified {
		commit += " (modified)"
	}
	_, err := fmt.Fprintf(a.env.Stdout, "migration-gate %s\ncommit          %s\ngo              %s %s\ngrammar         postgres %s\nservers         postgres %s; mysql %s; mariadb %s\n",
		v.Version, commit, v.Go, v.Platform, v.Grammar, strings.Join(v.Majors, ", "), strings.Join(v.MySQL, ", "), strings.Join(v.MariaDB, ", "))
	return gate.Pass, err
}

// buildVersions reads what the Go toolchain recorded in the binary.
func buildVersions() versions {
	v := versions{
		Version: "unknown", Commit: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Grammar: grammarMajor, Majors: majors(), MySQL: []string{"8.0", "8.4", "9.x"}, MariaDB: []string{"10.6 and later"},
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// grammarMajor is the PostgreSQL release whose grammar pg_query_go v6 holds.
const grammarMajor = "17"

// majors lists the servers that restoring, reading the catalogue and sampling
// locks are written for.
func majors() []string { return []string{"13", "14", "15", "16", "17", "18"} }
