// Package config is the one table of options: the structs below, whose tags
// yield the flags, the environment names, the keys of .migration-gate.yml,
// its JSON Schema and the tables of docs/configuration.md.
//
// A value is taken from the first of: the flag, MIGRATION_GATE_X_Y, the
// action's input (INPUT_X-Y or INPUT_X_Y, under GitHub Actions only), the
// configuration file, the default. Parser does that and nothing else; what an
// option means is up to its command. Nothing here connects anywhere, reads
// the process's environment, or prints.
//
// Tags beyond kong's own:
//
//	values:"a,b"     the only values (of each element, for a list)
//	formats:"a,b"    like values, each optionally followed by =PATH
//	pattern:"re"     a regular expression that Go and JSON Schema both read
//	min:"1"          the least number
//	number:""        the file may give the text as a bare number
//	path:""          in the file, relative to the file's own directory
//	secret:""        may carry a password: never shown, and then refused in argv
//	key:"roles"      the key in the file, where it is not the flag's name
//	source:"flag"    where it may be given, where that is not everywhere: "flag", "flag,env" or "env"
//	once:"text"      refused when the command line gives it twice, and what to do instead: the
//	                 last would be taken, and nobody would see what of the others is missing
//	action:"text"    the default in action.yml, where it is not the flag's; "-": no input of
//	                 the action, whose servers never outlive the run
package config

import (
	"reflect"
	"time"
)

// Global options belong to every command.
type Global struct {
	Config           string `placeholder:"FILE" source:"flag,env" help:"Configuration file (default: .migration-gate.yml at the repository's top, where there is one)."`
	ConfigFrom       string `default:"auto" values:"auto,base,head" source:"flag,env" help:"Which side's configuration file counts: the base's, or the one that is checked out (head); auto takes the base's for pull and merge requests, so that a change cannot loosen its own gate."`
	WorkingDirectory string `placeholder:"DIR" source:"flag,env" help:"Directory to run in, as if started there; all relative paths are relative to it."`
	Verbose          bool   `short:"v" help:"Log what is done and where each setting comes from."`
	LogFormat        string `default:"text" values:"text,json" action:"-" help:"Format of the log on standard error."`
	Progress         string `default:"auto" values:"auto,bar,plain,none" help:"Progress on standard error: bars, plain lines, or none; auto draws bars on a terminal."`
}

// Migrations say which files are the change.
type Migrations struct {
	Engine      string   `default:"auto" values:"auto,postgres,mysql,mariadb" help:"Database product; auto is the one the snapshot was taken from, else postgres."`
	Dir         string   `default:"migrations" placeholder:"DIR" path:"" once:"run the gate once for each directory" help:"Directory of the migrations."`
	Layout      string   `default:"auto" values:"auto,golang-migrate,goose,dbmate,flyway,sql-migrate,plain" help:"How the migration tool names and annotates files; auto tells by the files (detect --explain says how)."`
	LedgerTable string   `placeholder:"[SCHEMA.]TABLE" help:"The tool's history table, where it is not the tool's default (goose -table, flyway.table, dbmate --migrations-table, …)."`
	Placeholder []string `sep:"none" placeholder:"NAME=VALUE" pattern:"^[^=]+=" help:"Value of one of Flyway's placeholders, before those of its configuration files; repeatable."`
	Transaction string   `default:"auto" values:"auto,file,statement" help:"How the plain layout's files run: each in one transaction (file), statement by statement as psql -f does (statement), or auto: in one transaction unless the file holds what none allows, or transaction control of its own."`
	Base        string   `placeholder:"REF" help:"Git ref the change is compared with (default: the merge base with the default branch)."`
	Head        string   `placeholder:"REF" help:"Git ref of the change (default: the working tree)."`
	SQLMode     string   `name:"sql-mode" placeholder:"MODES" pattern:"^[A-Za-z0-9_, ]*$" help:"sql_mode of the session that migrates, as the tool's connection sets it (MySQL; default: the server's)."`
	Ignore      []string `sep:"none" placeholder:"PATTERN" help:"Files in the directory that are not migrations, as a glob relative to it; repeatable."`
}

// Production is what the files alone do not tell of the server they are for.
type Production struct {
	ServerVersion string `placeholder:"N" pattern:"^[1-9][0-9]*([.][0-9]+)*$" number:"" help:"Major version of production's server (default: the snapshot's, else the newest found)."`
}

// Server says which server the change is tried on, and where it comes from.
type Server struct {
	Production
	Target         string   `default:"auto" values:"auto,container,local,embedded,server" help:"Where the server comes from: a container, server binaries on this machine, binaries fetched once, or a running server (--database-url); auto takes the first that serves the wanted version."`
	DatabaseURL    string   `name:"database-url" placeholder:"URL" pattern:"^(postgres|postgresql|mysql|mariadb)://" secret:"" help:"Running server to use, for --target server: postgres://USER@HOST:PORT/DATABASE or mysql://USER@HOST:PORT. Only databases of a random name of ours are made on it, and dropped again."`
	AllowServer    []string `placeholder:"HOST" sep:"none" help:"Server that may be used although it looks like production, as HOST or HOST:PORT; repeatable."`
	DenyServer     []string `placeholder:"PATTERN" sep:"none" help:"Servers that are never used, as a glob over HOST:PORT; repeatable."`
	Image          string   `placeholder:"IMAGE" help:"Container image, which makes auto take a container of it (default: the official one of the major version)."`
	EmbeddedURL    string   `name:"embedded-url" placeholder:"URL" pattern:"^https?://" secret:"" help:"Maven repository that server binaries are fetched from, for --target embedded (default: Maven Central)."`
	EmbeddedCache  string   `placeholder:"DIR" path:"" help:"Where fetched server binaries and prepared data directories are kept (default: the user's cache directory)."`
	EmbeddedSHA256 string   `name:"embedded-sha256" placeholder:"HEX" pattern:"^[0-9a-fA-F]{64}$" help:"SHA-256 that the fetched archive must have."`
	Roles          []string `name:"role" key:"roles" sep:"none" placeholder:"NAME" help:"Role that the migrations expect to exist besides the owner (PostgreSQL); repeatable."`
}

// Snapshot is the stored copy of production that is restored.
type Snapshot struct {
	Snapshot     string `placeholder:"FILE[#sha256=…]" path:"" once:"put the parts of one database into a directory and name that, or name a dump of the data with --snapshot-data and one of the roles with --globals" help:"Dump to restore, bare or compressed (gzip, zstd, lz4, xz, bzip2): pg_dump in any format, or a directory or tar archive of its parts; mysqldump or mariadb-dump; a directory of mydumper or MySQL Shell. Of a whole cluster's dump, #database=NAME chooses. Without one the merged migrations build an empty database, and durations are not measured."`
	SnapshotData string `placeholder:"FILE[#sha256=…]" path:"" once:"put all parts of the database into a directory and name that with --snapshot" help:"Dump of the data, where --snapshot is one of the schema only (PostgreSQL)."`
	Globals      string `placeholder:"FILE[#sha256=…]" path:"" once:"put all parts of the database into a directory and name that with --snapshot" help:"Roles and their memberships as pg_dumpall --globals-only writes them, made before the restore (PostgreSQL)."`
	Jobs         int    `default:"0" min:"0" help:"Parallel jobs of the restore (0: one per processor)."`
}

// Budget limits what a migration may block, and for how long.
type Budget struct {
	MaxExclusiveMS  int64 `name:"max-exclusive-ms" default:"200" min:"0" placeholder:"MS" help:"Longest time, in milliseconds, that reads of an existing table may be blocked."`
	MaxWriteBlockMS int64 `name:"max-write-block-ms" default:"200" min:"0" placeholder:"MS" help:"Longest time, in milliseconds, that writes to an existing table may be blocked."`
}

// MaxExclusive is the limit on blocked reads.
func (b Budget) MaxExclusive() time.Duration {
	return time.Duration(b.MaxExclusiveMS) * time.Millisecond
}

// MaxWriteBlock is the limit on blocked writes.
func (b Budget) MaxWriteBlock() time.Duration {
	return time.Duration(b.MaxWriteBlockMS) * time.Millisecond
}

// Measuring says how locks are watched.
type Measuring struct {
	SampleEvery time.Duration `default:"2ms" placeholder:"DURATION" help:"How often the lock table is read while a statement runs; below 2ms it slows short statements down."`
}

// Downs is what down scripts are held to by reading them.
type Downs struct {
	DeprecationPrefix string `default:"_deprecated_" placeholder:"PREFIX" help:"Prefix of the names under which a down script may put things aside instead of dropping them."`
}

// Reversing is the contract that running down scripts is held to.
type Reversing struct {
	Reversal string `default:"forward-only" values:"forward-only,exact" help:"forward-only: down disables the new path and destroys nothing. exact: down restores the very schema from before."`
}

// Failing says when findings fail the run.
type Failing struct {
	FailOn string `default:"error" values:"error,warning,notice,never" help:"Least severity of a finding that makes the exit code 1."`
}

// Output says what is written where.
type Output struct {
	Format    []string `default:"text" sep:"none" formats:"text,markdown,json,sarif,junit,code-quality,dotenv,line" placeholder:"NAME[=PATH]" path:"" help:"Format of the report, to standard output or to PATH; repeatable."`
	ReportDir string   `placeholder:"DIR" path:"" help:"Directory that gets the report in every format: report.txt, report.md, report.json, report.sarif, junit.xml, code-quality.json, report.env (default: migration-gate-report under GitHub Actions, else none)."`
}

// Publishing says what the forge that runs the gate is told.
type Publishing struct {
	Publish      string `default:"auto" values:"auto,always,never" help:"Tell the forge: annotations, job summary and outputs, and what is switched on below; auto does under GitHub Actions and GitLab CI, and calls no API under act; always calls it there too."`
	CommitStatus bool   `help:"Set the commit status migration-gate/verdict (GitHub; statuses: write)."`
	CheckRun     bool   `help:"Make a check run with all annotations (GitHub; checks: write)."`
	Comment      string `default:"never" values:"never,on-failure,auto" help:"Keep one comment on the pull or merge request up to date: from the first failure on, or always (GitHub: pull-requests: write; GitLab: a project's token)."`
	Matrix       string `placeholder:"NAME" source:"flag,env" action:"${{ toJSON(matrix) }}" help:"What tells this run apart from others of the same job, in its status and comment: a name, or the job's matrix as JSON."`
	GithubToken  string `hidden:"" name:"github-token" placeholder:"TOKEN" source:"env" secret:"" action:"${{ github.token }}" help:"Token of the GitHub API."`
	GitlabToken  string `hidden:"" name:"gitlab-token" placeholder:"TOKEN" source:"env" secret:"" action:"-" help:"Token of the GitLab API, with the scope api: CI_JOB_TOKEN cannot write notes."`
}

// Events says on which of them a fork's migrations may run.
type Events struct {
	AllowEvent []string `values:"pull_request_target,workflow_run,issue_comment" placeholder:"EVENT" sep:"none" help:"Event on which a fork's migrations are run although it carries the repository's secrets; repeatable."`
}

// Trust says what an event and a change are trusted with.
type Trust struct {
	Events
	ForkPolicy string `default:"static" values:"static,fail" help:"What becomes of a fork's pull request that gets no snapshot: static proves what can be proven without, and says so; fail refuses it."`
}

// Lifetime is how long things take and last, and where they live meanwhile.
type Lifetime struct {
	Timeout time.Duration `default:"30m" placeholder:"DURATION" help:"Longest time for the whole run."`
	TTL     time.Duration `name:"ttl" default:"2h" placeholder:"DURATION" action:"-" help:"How long a kept server lives; any later start of the tool removes it then."`
	Scratch
}

// Deadline is the longest time the command may run.
func (l Lifetime) Deadline() time.Duration { return l.Timeout }

// Keeping leaves the server running.
type Keeping struct {
	Keep bool `action:"-" help:"Keep the server after the run, until its time to live is over."`
}

// Scratch says where state between commands and scratch data go.
type Scratch struct {
	RunDir  string `placeholder:"DIR" path:"" action:"-" help:"Directory of the state that the commands share (default: .migration-gate at the repository's top)."`
	WorkDir string `placeholder:"DIR" path:"" help:"Directory under which servers keep their scratch data (default: the system's directory for temporary files)."`
}

// groups are the headings of help and documentation, in their order.
func groups() []group {
	return []group{
		{"Change", []any{Migrations{}}},
		{"Snapshot", []any{Snapshot{}}},
		{"Server", []any{Server{}}},
		{"Locks", []any{Budget{}, Measuring{}}},
		{"Verdict", []any{Failing{}, Reversing{}, Downs{}}},
		{"Report", []any{Output{}, Publishing{}}},
		{"Trust", []any{Trust{}}},
		{"Run", []any{Lifetime{}, Keeping{}}},
		{"Every command", []any{Global{}}},
	}
}

type group struct {
	title   string
	structs []any
}

// has reports whether one of the group's structs declares the flag.
func (g group) has(flag string) bool {
	for _, s := range g.structs {
		if declares(reflect.TypeOf(s), flag) {
			return true
		}
	}
	return false
}

func declares(t reflect.Type, flag string) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("name")
		if name == "" {
			name = dashed(f.Name)
		}
		if f.Anonymous && declares(f.Type, flag) || !f.Anonymous && name == flag {
			return true
		}
	}
	return false
}
