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
	Detect           detectCmd           `cmd:"" help:"Print the change's migrations as JSON."`
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

type destroyCmd struct {
	stepDatabase
	config.Scratch
}

// stepDatabase names a database that restore-snapshot made.
type stepDatabase struct {
	Database string `required:"" placeholder:"NAME" source:"flag,env" help:"Name that was given to restore-snapshot --into."`
}

type detectCmd struct {
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
