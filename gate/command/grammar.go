package command

import "github.com/migration-gate/migration-gate/gate/config"

const description = "Proves a change's database migrations on an ephemeral server: restores a snapshot, applies them while it watches every lock, reverses them, and says pass or fail."

// cli is the command line's grammar. Options are declared in gate/config,
// once each; a command embeds the groups it has.
type cli struct {
	config.Global

	Check            checkCmd            `cmd:"" help:"Prove the change's migrations: the whole gate."`
	RestoreSnapshot  restoreSnapshotCmd  `cmd:"" help:"Step: restore a snapshot into an ephemeral database."`
	Migrate          migrateCmd          `cmd:"" help:"Step: run the change's migrations on it, measured."`
	AssertLockBudget assertLockBudgetCmd `cmd:"" help:"Step: judge the locks that were measured."`
	AssertSafeDown   assertSafeDownCmd   `cmd:"" help:"Step: read down scripts for what destroys data."`
	Destroy          destroyCmd          `cmd:"" help:"Step: remove an ephemeral database."`
	Lint             lintCmd             `cmd:"" help:"Judge migrations by their files alone, for editors and hooks."`
	Doctor           doctorCmd           `cmd:"" help:"Say what was found on this machine, and what that allows."`
	Detect           detectCmd           `cmd:"" help:"Print the change's migrations as JSON, or how the layout was found."`
	Report           reportCmd           `cmd:"" help:"Render a stored JSON report again."`
	Explain          explainCmd          `cmd:"" help:"Explain a rule, or list them."`
	Version          versionCmd          `cmd:"" help:"Print versions."`
}

func (c *cli) global() config.Global { return c.Global }

// checkCmd is the whole gate.
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
	config.Publishing
	config.Trust
	config.Lifetime
	config.Keeping
}

// restoreSnapshotCmd makes the database that the following steps name.
type restoreSnapshotCmd struct {
	Into string `required:"" placeholder:"NAME" source:"flag,env" help:"Name of the database; one of that name that the tool made is replaced."`
	config.Snapshot
	config.Server
	config.Migrations
	config.Lifetime
}

// migrateCmd groups the directions, as migration tools do.
type migrateCmd struct {
	Up migrateUpCmd `cmd:"" help:"Step: run the change's migrations on it, measured."`
}

type migrateUpCmd struct {
	stepDatabase
	config.Migrations
	config.Measuring
	config.Output
	config.Events
	config.Lifetime
}

type assertLockBudgetCmd struct {
	stepDatabase
	config.Budget
	config.Failing
	config.Output
	config.Scratch
}

type assertSafeDownCmd struct {
	config.Migrations
	config.Downs
	config.Failing
	config.Output
	Strict bool `help:"Refuse every DROP in a down script, also of what holds no data."`
}

// lintCmd judges what needs no server.
type lintCmd struct {
	Files         []string `arg:"" optional:"" name:"files" help:"Files whose findings are wanted; others than migrations are passed over. - reads standard input. Without any, the whole change is judged."`
	All           bool     `source:"flag" help:"Judge every migration of the directory, also merged ones."`
	StdinFilename string   `placeholder:"FILE" source:"flag" help:"File of the directory that standard input is the text of, saved or not."`
	config.Migrations
	config.Production
	config.Reversing
	config.Downs
	config.Failing
	config.Output
}

// doctorCmd looks at what check depends on.
type doctorCmd struct {
	config.Migrations
	config.Server
	config.Scratch
	Online bool `source:"flag" help:"Ask also whether servers can be downloaded."`
	JSON   bool `name:"json" source:"flag" help:"Print JSON."`
}

type destroyCmd struct {
	stepDatabase
	config.Scratch
}

// stepDatabase names a database that restore-snapshot made.
type stepDatabase struct {
	Database string `required:"" placeholder:"NAME" source:"flag,env" help:"Name that was given to restore-snapshot --into."`
}

type detectCmd struct {
	Explain bool `source:"flag" help:"Tell people instead how the layout was found, what else it could be, and which files are no migrations."`
	config.Migrations
}

type reportCmd struct {
	File string `arg:"" name:"file.json" help:"JSON report; - reads standard input."`
	config.Output
	config.Publishing // only with --publish always: the run that made the report has told its own
}

type explainCmd struct {
	Rule string `arg:"" optional:"" help:"Rule to explain; without one, all are listed."`
}

type versionCmd struct {
	JSON bool `name:"json" source:"flag" help:"Print JSON."`
}
