package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/config"
)

// grammar has every group, as the real one does.
type grammar struct {
	config.Global
	Check  checkCmd  `cmd:""`
	Detect detectCmd `cmd:""`
	Step   struct {
		Up detectCmd `cmd:""`
	} `cmd:""`
}

type checkCmd struct {
	config.Migrations
	config.Server
	config.Snapshot
	config.Measuring
	config.Budget
	config.Reversing
	config.Downs
	config.Failing
	config.Output
	config.Lifetime
	config.Keeping
}

type detectCmd struct{ config.Migrations }

var ruleIDs = []string{"lock-budget", "table-rewrite", "down-missing"}

type input struct {
	file string // .migration-gate.yml, "" for none
	env  []string
	args string // separated by blanks; "check" where empty
}

// parse runs the parser in a repository of its own, from a directory below its top.
func parse(t *testing.T, in input) (*checkCmd, *config.Parsed, error) {
	t.Helper()
	top := t.TempDir()
	sub := filepath.Join(top, "sub")
	for _, d := range []string{sub, filepath.Join(top, ".git")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if in.file != "" {
		if err := os.WriteFile(filepath.Join(top, config.FileName), []byte(in.file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var g grammar
	p, err := config.New(&g, "", ruleIDs)
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(in.args)
	if len(args) == 0 {
		args = []string{"check"}
	}
	parsed, err := p.Parse(args, config.NewEnv(in.env), sub)
	return &g.Check, parsed, err
}

func TestPrecedence(t *testing.T) {
	const actions = "GITHUB_ACTIONS=true"
	tests := map[string]struct {
		in     input
		want   int64
		origin string
	}{
		"default":                    {input{}, 200, "default"},
		"file":                       {input{file: "max-exclusive-ms: 1\n"}, 1, "../.migration-gate.yml:1:19"},
		"input over file":            {input{file: "max-exclusive-ms: 1\n", env: []string{actions, "INPUT_MAX-EXCLUSIVE-MS=2"}}, 2, "INPUT_MAX-EXCLUSIVE-MS"},
		"input by its other name":    {input{env: []string{actions, "INPUT_MAX_EXCLUSIVE_MS=2"}}, 2, "INPUT_MAX_EXCLUSIVE_MS"},
		"input outside actions":      {input{env: []string{"INPUT_MAX-EXCLUSIVE-MS=2"}}, 200, "default"},
		"variable over input":        {input{env: []string{actions, "INPUT_MAX-EXCLUSIVE-MS=2", "MIGRATION_GATE_MAX_EXCLUSIVE_MS=3"}}, 3, "MIGRATION_GATE_MAX_EXCLUSIVE_MS"},
		"flag over variable":         {input{env: []string{"MIGRATION_GATE_MAX_EXCLUSIVE_MS=3"}, args: "check --max-exclusive-ms 4"}, 4, "--max-exclusive-ms"},
		"flag at the default's":      {input{env: []string{"MIGRATION_GATE_MAX_EXCLUSIVE_MS=3"}, args: "check --max-exclusive-ms=200"}, 200, "--max-exclusive-ms"},
		"empty is unset":             {input{file: "max-exclusive-ms: 1\n", env: []string{actions, "INPUT_MAX-EXCLUSIVE-MS=", "MIGRATION_GATE_MAX_EXCLUSIVE_MS="}}, 1, "../.migration-gate.yml:1:19"},
		"blank is unset":             {input{env: []string{"MIGRATION_GATE_MAX_EXCLUSIVE_MS=  "}}, 200, "default"},
		"trimmed":                    {input{env: []string{"MIGRATION_GATE_MAX_EXCLUSIVE_MS= 7\n"}}, 7, "MIGRATION_GATE_MAX_EXCLUSIVE_MS"},
		"zero is a value":            {input{env: []string{"MIGRATION_GATE_MAX_EXCLUSIVE_MS=0"}}, 0, "MIGRATION_GATE_MAX_EXCLUSIVE_MS"},
		"empty input, variable file": {input{file: "max-exclusive-ms: 1e3\n"}, 1000, "../.migration-gate.yml:1:19"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, parsed, err := parse(t, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if c.MaxExclusiveMS != tt.want {
				t.Errorf("max-exclusive-ms = %d, want %d", c.MaxExclusiveMS, tt.want)
			}
			if got := parsed.Origin("max-exclusive-ms"); got != tt.origin {
				t.Errorf("origin = %q, want %q", got, tt.origin)
			}
		})
	}
}

func TestEachTypeFromEachSource(t *testing.T) {
	want := func(c *checkCmd) []any {
		return []any{c.Timeout, c.Keep, c.Format, c.Roles, c.Ignore, c.ServerVersion, c.Layout, c.Jobs}
	}
	full := []any{90 * time.Second, true, []string{"text", "json=out/r.json"}, []string{"app", "ro"}, []string{"{a,b}.sql", "c.sql"}, "16.10", "goose", 3}
	inputs := map[string]input{
		"flags": {args: "check --timeout 90s --keep --format text --format json=out/r.json --role app --role ro --ignore {a,b}.sql --ignore c.sql --server-version 16.10 --layout goose --jobs 3"},
		"env": {env: []string{
			"MIGRATION_GATE_TIMEOUT=90s", "MIGRATION_GATE_KEEP=true", "MIGRATION_GATE_FORMAT=text, json=out/r.json", "MIGRATION_GATE_ROLE=app\nro\n",
			"MIGRATION_GATE_IGNORE={a,b}.sql,c.sql", "MIGRATION_GATE_SERVER_VERSION=16.10", "MIGRATION_GATE_LAYOUT=goose", "MIGRATION_GATE_JOBS=3",
		}},
		"inputs": {env: []string{
			"GITHUB_ACTIONS=true", "INPUT_TIMEOUT=90s", "INPUT_KEEP=True", "INPUT_FORMAT=text\njson=out/r.json", "INPUT_ROLE=app,ro",
			"INPUT_IGNORE={a,b}.sql\nc.sql", "INPUT_SERVER-VERSION=16.10", "INPUT_LAYOUT=goose", "INPUT_JOBS=3",
		}},
		"file": {file: `
timeout: 90s
keep: true
format: [text, json=sub/out/r.json] # relative to this file
roles:
  - app
  - ro
ignore: ["{a,b}.sql", c.sql]
server-version: 16.10
layout: goose
jobs: 3
`},
	}
	for name, in := range inputs {
		t.Run(name, func(t *testing.T) {
			c, _, err := parse(t, in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(full, want(c)); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFileSections(t *testing.T) {
	c, parsed, err := parse(t, input{file: `
# what the team agreed on
dir: db/migrations
snapshot: dumps/orders.dump
run-dir: /var/tmp/gate
format: json=out/report.json
tables:
  orders: {max-exclusive-ms: 50}
  "audit.*":
    max-write-block-ms: 5000
    max-exclusive-ms: 1000
rules: {down-missing: off, table-rewrite: notice}
`})
	if err != nil {
		t.Fatal(err)
	}
	ms := func(n int) *time.Duration { d := time.Duration(n) * time.Millisecond; return &d }
	tables := []gate.TablePolicy{{Pattern: "orders", MaxExclusive: ms(50)}, {Pattern: "audit.*", MaxExclusive: ms(1000), MaxWriteBlock: ms(5000)}}
	if diff := cmp.Diff(tables, parsed.Tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]gate.Severity{"down-missing": gate.Off, "table-rewrite": gate.Notice}, parsed.Rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	got := []string{c.Dir, c.Snapshot.Snapshot, c.RunDir, c.Format[0]}
	if diff := cmp.Diff([]string{"../db/migrations", "../dumps/orders.dump", "/var/tmp/gate", "json=../out/report.json"}, got); diff != "" {
		t.Errorf("paths as seen from the working directory (-want +got):\n%s", diff)
	}
}

func TestFileOfAnotherCommandsOptionIsFine(t *testing.T) {
	if _, _, err := parse(t, input{file: "snapshot: x.dump\nmax-exclusive-ms: 5\n", args: "detect"}); err != nil {
		t.Error(err)
	}
}

func TestMistakes(t *testing.T) {
	const file = "../.migration-gate.yml"
	tests := map[string]struct {
		in   input
		want string
	}{
		"unknown key":       {input{file: "dir: x\nmax-exlusive-ms: 5\n"}, file + `:2:1: unknown key "max-exlusive-ms", did you mean "max-exclusive-ms"?`},
		"underscores":       {input{file: "max_exclusive_ms: 5\n"}, file + `:1:1: unknown key "max_exclusive_ms", did you mean "max-exclusive-ms"?`},
		"far from any key":  {input{file: "colour: red\n"}, file + ":1:1: unknown key \"colour\"; the keys are the flags of `migration-gate check --help`, without dashes in front"},
		"flag only":         {input{file: "config: x.yml\n"}, file + ":1:1: unknown key \"config\"; the keys are the flags of `migration-gate check --help`, without dashes in front"},
		"duplicate key":     {input{file: "dir: a\nlayout: goose\ndir: b\n"}, file + `:3:1: key "dir" is here twice, first in line 1; keep one`},
		"text for number":   {input{file: "max-exclusive-ms: fast\n"}, file + `:1:19: max-exclusive-ms: "fast" is not a whole number from 0 to 1000000000`},
		"quoted number":     {input{file: "max-exclusive-ms: '5'\n"}, file + `:1:19: max-exclusive-ms: "5" is not a whole number from 0 to 1000000000; remove the quotes`},
		"negative":          {input{file: "max-exclusive-ms: -5\n"}, file + `:1:19: max-exclusive-ms: -5 is not a whole number from 0 to 1000000000`},
		"fraction":          {input{file: "max-exclusive-ms: 1.5\n"}, file + `:1:19: max-exclusive-ms: "1.5" is not a whole number from 0 to 1000000000`},
		"list for text":     {input{file: "dir:\n  - a\n"}, file + `:2:3: dir: a list is not a text`},
		"number for text":   {input{file: "base: 1234567\n"}, file + `:1:7: base: "1234567" is not a text; YAML reads it as something else, so write "1234567" with the quotes`},
		"nothing":           {input{file: "dir:\n"}, file + `:1:5: dir: no value; give it one or remove the line`},
		"empty":             {input{file: "dir: ''\n"}, file + `:1:6: dir: an empty text; give it a value or remove the line`},
		"enum":              {input{file: "layout: gose\n"}, file + `:1:9: layout: unknown value "gose", did you mean "goose"?`},
		"enum, far":         {input{file: "layout: liquibase\n"}, file + `:1:9: layout: unknown value "liquibase"; known: auto, golang-migrate, goose, dbmate, flyway, sql-migrate, plain`},
		"bool":              {input{file: "keep: 'true'\n"}, file + `:1:7: keep: "true" is not true or false; remove the quotes`},
		"duration":          {input{file: "timeout: 30\n"}, file + `:1:10: timeout: "30" is not a duration over zero, such as 90s, 30m or 1h30m`},
		"rule":              {input{file: "rules:\n  lock-bugdet: off\n"}, file + `:2:3: unknown rule "lock-bugdet", did you mean "lock-budget"?`},
		"severity":          {input{file: "rules:\n  lock-budget: warn\n"}, file + `:2:16: lock-budget: "warn" is not a severity, did you mean "warning"?`},
		"rules as a list":   {input{file: "rules: [lock-budget]\n"}, file + `:1:8: rules must be a mapping (key: value) and is a list`},
		"limit":             {input{file: "tables:\n  orders:\n    max-exclusive: 5\n"}, file + `:3:5: unknown limit "max-exclusive", did you mean "max-exclusive-ms"?`},
		"limit's type":      {input{file: "tables:\n  orders:\n    max-exclusive-ms: no\n"}, file + `:3:23: max-exclusive-ms: "no" is not a whole number from 0 to 1000000000`},
		"table's pattern":   {input{file: "tables:\n  'or[ders': {}\n"}, file + `:2:3: "or[ders" is not a pattern of table names; write one such as orders, public.orders or audit.*`},
		"same table twice":  {input{file: "tables:\n  a: {}\n  a: {}\n"}, file + `:3:3: pattern "a" is here twice, first in line 2; keep one`},
		"glob":              {input{file: "ignore: ['a{']\n"}, file + `:1:10: ignore: "a{" is not a glob: a bracket or brace is not closed`},
		"not a mapping":     {input{file: "- dir\n"}, file + `:1:1: the file must be a mapping (key: value) and is a list`},
		"two documents":     {input{file: "dir: a\n---\ndir: b\n"}, file + `:2:1: a second document; the file holds one, so remove the line ---`},
		"broken YAML":       {input{file: "dir: a\n  layout: [\n"}, file + `:2:1: not valid YAML: mapping values are not allowed in this context`},
		"merge key":         {input{file: "<<: {dir: a}\n"}, file + `:1:1: merge keys are not supported; write the settings out`},
		"digest":            {input{file: "snapshot: a.dump#sha256=abc\n"}, file + `:1:11: snapshot: #sha256= wants 64 hexadecimal digits and got 3 characters`},
		"server version":    {input{file: "server-version: newest\n"}, file + `:1:17: server-version: "newest" is not a server version, such as 16`},
		"secret in file":    {input{file: "embedded-url: ftp://u:hunter2@h/\n"}, file + `:1:15: embedded-url: the value (not shown) is not an http or https address`},
		"env value":         {input{env: []string{"MIGRATION_GATE_LAYOUT=gose"}}, `MIGRATION_GATE_LAYOUT: unknown value "gose", did you mean "goose"?`},
		"input value":       {input{env: []string{"GITHUB_ACTIONS=true", "INPUT_MAX-EXCLUSIVE-MS=x"}}, `INPUT_MAX-EXCLUSIVE-MS: "x" is not a whole number from 0 to 1000000000`},
		"env bool":          {input{env: []string{"MIGRATION_GATE_KEEP=maybe"}}, `MIGRATION_GATE_KEEP: "maybe" is not true or false`},
		"env list":          {input{env: []string{"MIGRATION_GATE_FORMAT=text,jsn=x"}}, `MIGRATION_GATE_FORMAT: unknown value "jsn", did you mean "json"?`},
		"env secret":        {input{env: []string{"MIGRATION_GATE_EMBEDDED_URL=u:hunter2@h"}}, `MIGRATION_GATE_EMBEDDED_URL: the value (not shown) is not an http or https address`},
		"flag value":        {input{args: "check --layout gose"}, `--layout: unknown value "gose", did you mean "goose"?`},
		"flag number":       {input{args: "check --max-exclusive-ms ten"}, `--max-exclusive-ms: "ten" is not a whole number from 0 to 1000000000; see migration-gate check --help`},
		"flag too small":    {input{args: "check --max-exclusive-ms=-1"}, `--max-exclusive-ms: -1 is not a whole number from 0 to 1000000000; see migration-gate check --help`},
		"flag duration":     {input{args: "check --timeout 30"}, `--timeout: "30" is not a duration over zero, such as 90s, 30m or 1h30m; see migration-gate check --help`},
		"flag format":       {input{args: "check --format text --format json="}, `--format: "json=" names no file after the equals sign`},
		"flag empty enum":   {input{args: "check --layout="}, `--layout: an empty value is not allowed; it must be one of auto, golang-migrate, goose, dbmate, flyway, sql-migrate, plain`},
		"password in argv":  {input{args: "check --embedded-url https://u:hunter2@h/"}, `--embedded-url: it holds a password, which every process on this machine can read there; give it as MIGRATION_GATE_EMBEDDED_URL instead`},
		"digest's kind":     {input{args: "check --snapshot a#sha512=00"}, `--snapshot: "#sha512=00" is not a digest; write #sha256= and 64 hexadecimal digits after the file`},
		"snapshot twice":    {input{args: "check --snapshot schema.sql --snapshot=data.dump"}, `--snapshot: it is given twice, and only one would count; put the parts of one database into a directory and name that, or name a dump of the data with --snapshot-data and one of the roles with --globals`},
		"globals twice":     {input{args: "check --globals a --globals b"}, `--globals: it is given twice, and only one would count; put all parts of the database into a directory and name that with --snapshot`},
		"dir twice":         {input{args: "check --dir a --dir b"}, `--dir: it is given twice, and only one would count; run the gate once for each directory`},
		"unknown flag":      {input{args: "check --snapshots x"}, `unknown flag --snapshots, did you mean "--snapshot"?`},
		"unknown flag, far": {input{args: "check --frobnicate"}, `unknown flag --frobnicate; see migration-gate check --help`},
		"another's flag":    {input{args: "detect --snapshot x"}, `--snapshot is no flag of detect; it belongs to check`},
		"unknown command":   {input{args: "chekc"}, `unknown command chekc, did you mean "check"?`},
		"unknown, far":      {input{args: "frobnicate"}, `unknown command frobnicate; see migration-gate --help`},
		"subcommand":        {input{args: "step pu"}, `unknown command pu, did you mean "up"?`},
		"no subcommand":     {input{args: "step"}, `expected "up"; see migration-gate step --help`},
		"stray argument":    {input{args: "check now"}, `unexpected argument now; see migration-gate check --help`},
		"value missing":     {input{args: "check --dir"}, `--dir: no value; it must be a text`},
		"config missing":    {input{args: "check --config no.yml"}, `--config: no.yml does not exist`},
		"config by env":     {input{env: []string{"MIGRATION_GATE_CONFIG=no.yml"}}, `MIGRATION_GATE_CONFIG: no.yml does not exist`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := parse(t, tt.in)
			var mistake *config.Error
			if !errors.As(err, &mistake) {
				t.Fatalf("error = %#v, want a *config.Error", err)
			}
			if err.Error() != tt.want {
				t.Errorf("\n got: %s\nwant: %s", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the message shows a password")
			}
		})
	}
}

func TestUnknownVariablesAreWarnedAbout(t *testing.T) {
	_, parsed, err := parse(t, input{env: []string{"MIGRATION_GATE_MAX_EXLUSIVE_MS=5", "MIGRATION_GATE_DIR=x", "HOME=/"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`MIGRATION_GATE_MAX_EXLUSIVE_MS is not read by anything, did you mean "MIGRATION_GATE_MAX_EXCLUSIVE_MS"?`}
	if diff := cmp.Diff(want, parsed.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestGivenMasksSecrets(t *testing.T) {
	_, parsed, err := parse(t, input{env: []string{"MIGRATION_GATE_EMBEDDED_URL=https://u:hunter2@h/", "MIGRATION_GATE_DIR=x"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []config.Setting{{"dir", "x", "MIGRATION_GATE_DIR"}, {"embedded-url", "***", "MIGRATION_GATE_EMBEDDED_URL"}}
	if diff := cmp.Diff(want, parsed.Given); diff != "" {
		t.Errorf("given (-want +got):\n%s", diff)
	}
}

func TestLongEndingIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".migration-gate.yaml"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := config.New(&grammar{}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse([]string{"check"}, nil, dir)
	if err == nil || !strings.Contains(err.Error(), "rename the file to .migration-gate.yml") {
		t.Errorf("error = %v", err)
	}
}

func TestTwoFormatsOnStandardOutput(t *testing.T) {
	if _, err := (config.Output{Format: []string{"text", "json"}}).Formats(); err == nil || !strings.Contains(err.Error(), "--format json=PATH") {
		t.Errorf("error = %v", err)
	}
	got, err := config.Output{Format: []string{"text", "json=a=b"}}.Formats()
	if diff := cmp.Diff([]config.Format{{Name: "text"}, {Name: "json", Path: "a=b"}}, got); diff != "" || err != nil {
		t.Errorf("formats (-want +got):\n%s%v", diff, err)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"max-exclusive-ms", "max-write-block-ms", "dir", "reversal"}
	for word, want := range map[string]string{
		"max-exclusive": "max-exclusive-ms", "dri": "dir", "Dir": "dir", "reversla": "reversal", "max-w": "max-write-block-ms", "x": "", "zzzz": "",
	} {
		if got := config.Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// FuzzFile: whatever the file holds, the parser answers with settings or with
// a position in it.
func FuzzFile(f *testing.F) {
	for _, s := range []string{"dir: a\n", "tables:\n  a: &x {max-exclusive-ms: 1}\n  b: *x\n", "? [a]\n: b\n", "rules: {lock-budget: off}", "a: !!binary x", "\xef\xbb\xbfdir: a\r\n", "*a", "&a [*a]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		_, _, err := parse(t, input{file: content})
		var mistake *config.Error
		if err != nil && (!errors.As(err, &mistake) || !strings.HasPrefix(err.Error(), "../.migration-gate.yml:")) {
			t.Errorf("error = %v", err)
		}
	})
}
