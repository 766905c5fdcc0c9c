package rule

import (
	"embed"
	"strings"

	"github.com/migration-gate/migration-gate/gate"
)

// Info is what a catalogue says of one rule.
type Info struct {
	ID       string
	Severity gate.Severity // the default
	Title    string        // one line, lower case
	// Doc is Markdown without a heading: what it finds, why it matters, the
	// keys of its evidence, how to fix it, how to configure it.
	Doc string
}

// Catalogue lists every rule, in the order of docs/rules.md.
func Catalogue() []Info {
	var infos []Info
	for _, r := range rules() {
		infos = append(infos, Info{ID: r.id, Severity: r.severity, Title: r.title, Doc: doc(r.id)})
	}
	return infos
}

// rules is the table of all there are. A new rule is a line here, a file with
// its function, and docs/<id>.md.
func rules() []rule {
	return []rule{
		{id: "not-measured", severity: gate.SeverityError, find: notMeasured,
			title: "something the verdict would rest on could not be observed"},
		{id: "gate-config-changed", severity: gate.Warning, find: configChanged,
			title: "the change alters the gate's own settings"},
		{id: "unreadable-file", severity: gate.SeverityError, find: unreadableFile,
			title: "a file of the migrations' directory cannot be read as one"},
		{id: "syntax-error", severity: gate.SeverityError, find: syntaxError,
			title: "PostgreSQL's grammar refuses a statement that did not run"},
		{id: "checksum-drift", severity: gate.SeverityError, find: checksumDrift,
			title: "a merged migration was edited, deleted or renamed"},
		{id: "version-order", severity: gate.SeverityError, find: versionOrder,
			title: "a new migration's version is taken, or lower than a merged one"},
		{id: "migration-failed", severity: gate.SeverityError, find: migrationFailed,
			title: "the server refused a statement, or left an index invalid"},
		{id: "lock-budget", severity: gate.SeverityError, find: lockBudget,
			title: "a lock blocked reads or writes for longer than allowed"},
		{id: "lock-held-across-statements", severity: gate.Warning, find: lockHeld,
			title: "a lock is over budget only because later statements ran under it"},
		{id: "table-rewrite", severity: gate.SeverityError, find: tableRewrite,
			title: "an existing table was written anew"},
		{id: "online-ddl-not-explicit", severity: gate.Warning, find: onlineDDL,
			title: "MySQL is left to choose how to change an existing table, and may copy it silently"},
		{id: "full-scan-under-lock", severity: gate.Warning, find: fullScan,
			title: "an existing table was read whole while locked"},
		{id: "unsafe-down", severity: gate.SeverityError, find: unsafeDown,
			title: "a down script holds a statement that destroys data"},
		{id: "down-missing", severity: gate.Notice, exact: gate.SeverityError, find: downMissing,
			title: "a migration cannot be reversed"},
		{id: "down-failed", severity: gate.SeverityError, find: downFailed,
			title: "the server refused a statement of a down script"},
		{id: "down-drift", severity: gate.SeverityError, find: downDrift,
			title: "after the down scripts the schema is not as it was"},
		{id: "down-loses-data", severity: gate.SeverityError, find: downLosesData,
			title: "after the down scripts rows from before are gone or altered"},
		{id: "reup-failed", severity: gate.SeverityError, find: reupFailed,
			title: "the up script no longer works after its down script"},
	}
}

//go:embed docs
var docs embed.FS

// doc is the text of docs/<id>.md; the docs test makes sure that it is there.
func doc(id string) string {
	text, err := docs.ReadFile("docs/" + id + ".md")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text)) + "\n"
}
