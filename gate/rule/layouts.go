package rule

import "strings"

// tool is what findings say of one migration tool: a clause for each question
// that tools answer differently, without a full stop. Where a clause holds
// VERSION, it is the migration's; HIGHEST is the highest merged one.
type tool struct {
	// late: what becomes of a migration whose version is lower than that of one
	// that a database has.
	late string
	// runsLate: it runs all the same, only in another order than elsewhere;
	// allowed is the clause where the project has made its tool do so.
	runsLate bool
	allowed  string
	// taken and twice: what becomes of one whose version a merged one has, or
	// another one of the same change.
	taken, twice string
	// edited, deleted and renamed: what the tool makes of a merged file's fate.
	edited, deleted, renamed string
	// alone heads SQL that must not share a transaction, a line of words after
	// it in brackets; the words are behind it where it is no mark of the tool's.
	mark, alone string
	// outside mends a file whose statement refuses a transaction.
	outside string
	// block marks SQL that the tool would cut at an inner semicolon, from begin
	// to end.
	begin, end string
	// oneTransaction follows the advice to split a file.
	oneTransaction string
	// unwraps: a file that holds nothing but a statement which takes no
	// transaction runs without one, and nothing needs to say so.
	unwraps bool
	// failed is what the tool does after a script that failed half way.
	failed string
	// delimiter is what stands in the place of the mysql client's DELIMITER.
	delimiter string
}

const (
	keepsOld    = "databases that ran it keep the old effect, new ones get another"
	knowsGone   = "databases that ran it know a version that nobody can build or reverse any more"
	ranAnother  = "databases that ran that one would never run this one"
	onlyOne     = "only one of the two would ever run"
	byItsName   = "tools know it by its name, and may run it again or not at all"
	allOneFile  = " (all statements of one file are one transaction)"
	alonePlease = "leave it alone in a file of its own"
)

// tools are the layouts' tools by name. What each does was read in its source
// and is tried on it by the tests of testdata/tools.
func tools() map[string]tool {
	return map[string]tool{
		"golang-migrate": {
			late:  "golang-migrate never runs it on a database that is at HIGHEST already",
			taken: ranAnother, twice: onlyOne, edited: keepsOld, deleted: knowsGone, renamed: byItsName,
			alone:          "alone in its file (golang-migrate runs several statements as one transaction); ",
			outside:        alonePlease + " (a file of several statements is one transaction)",
			oneTransaction: allOneFile, unwraps: true,
			failed:    "golang-migrate marks version VERSION dirty: `migrate force` the version before it then",
			delimiter: "end the routine with END; in a file of its own, which is sent as it stands",
		},
		"goose": {
			late:  "goose refuses to run it on a database that is at HIGHEST already",
			taken: ranAnother, twice: onlyOne, edited: keepsOld, deleted: knowsGone, renamed: byItsName,
			mark:    "-- +goose NO TRANSACTION",
			outside: "put `-- +goose NO TRANSACTION` on top of its file",
			begin:   "-- +goose StatementBegin", end: "-- +goose StatementEnd",
			delimiter: "put the routine between `-- +goose StatementBegin` and `-- +goose StatementEnd`",
		},
		"dbmate": {
			late:     "dbmate runs it there all the same, after HIGHEST, while new databases run it before: the two may come to differ (`dbmate --strict` refuses it)",
			runsLate: true,
			taken:    ranAnother, twice: "dbmate runs both and fails at recording the second", edited: keepsOld,
			deleted:        "databases that ran it can neither be built anew nor rolled back any more, and dbmate says nothing of it",
			renamed:        "dbmate knows it by its version, and runs it again under another one",
			mark:           "-- migrate:up transaction:false",
			outside:        alonePlease + ", under `-- migrate:up transaction:false` (several statements are one transaction even so, since dbmate sends them as one)",
			oneTransaction: allOneFile,
			failed:         "dbmate records nothing of it, so its next run begins with the first statement again",
			delimiter:      "end the routine with END; in a file of its own, which is sent as it stands",
		},
		"sql-migrate": {
			late:     "sql-migrate runs it there all the same, after HIGHEST, while new databases run it before: the two may come to differ",
			runsLate: true,
			taken:    ranAnother, twice: onlyOne, edited: keepsOld,
			deleted: "sql-migrate refuses to run at all on databases that ran it (unknown migration in database)",
			renamed: "sql-migrate knows it by its file's name, and refuses to run at all on databases that ran it (unknown migration in database)",
			mark:    "-- +migrate Up notransaction",
			outside: "give its file `-- +migrate Up notransaction`",
			begin:   "-- +migrate StatementBegin", end: "-- +migrate StatementEnd",
			oneTransaction: allOneFile,
			failed:         "sql-migrate records nothing of it, so its next run begins with the first statement again",
			delimiter:      "put the routine between `-- +migrate StatementBegin` and `-- +migrate StatementEnd`",
		},
		"flyway": {
			late:    "Flyway refuses to migrate a database that is at HIGHEST already (resolved migration not applied), unless flyway.outOfOrder is true",
			allowed: "flyway.outOfOrder has Flyway run it there after HIGHEST, while new databases run it before: the two may come to differ",
			taken:   "Flyway refuses to run at all with two migrations of one version",
			twice:   "Flyway refuses to run at all with two migrations of one version",
			edited:  "Flyway refuses to migrate databases that ran it (checksum mismatch), and new ones get another effect",
			deleted: "Flyway refuses to migrate databases that ran it (applied migration not resolved locally)",
			renamed: "Flyway refuses to migrate databases that ran it (description or version mismatch)",
			alone: "alone in its file, with flyway.postgresql.transactional.lock=false, since CONCURRENTLY waits for Flyway's own lock for ever; " +
				"for a DO block that commits, put executeInTransaction=false into FILE.conf beside it; ",
			outside:        alonePlease + ", with executeInTransaction=false in FILE.conf beside it where Flyway does not see by itself that it takes no transaction",
			oneTransaction: allOneFile,
			failed:         "Flyway marks version VERSION as failed and refuses to go on: `flyway repair` then",
			delimiter:      "leave it to Flyway, which knows DELIMITER where it stands alone on a line",
		},
		"plain": {
			late:  "what runs the files in their order is past it on a database that is at HIGHEST already, and may never run it there",
			taken: "whatever keeps versions takes the two for one, and never runs this one where it has run that one", twice: "whatever keeps versions takes the two for one, and runs one of them", edited: keepsOld, deleted: knowsGone, renamed: byItsName,
			alone:     "alone in its file; ",
			outside:   alonePlease + ", which then runs without a transaction (--transaction says how files run)",
			delimiter: "put the routine into a file of its own",
		},
	}
}

// tool of the observation's layout; of an unknown one, what holds for any.
func (c *change) tool() tool {
	t, ok := tools()[c.Layout]
	if !ok {
		return tool{
			late:  "databases that are at HIGHEST already may never run it",
			taken: ranAnother, twice: onlyOne, edited: keepsOld, deleted: knowsGone, renamed: byItsName,
			alone:     "outside of a transaction; ",
			outside:   "run it outside of one, in a migration of its own",
			delimiter: "put the routine into a file of its own",
		}
	}
	if c.OutOfOrder && t.allowed != "" {
		t.late, t.runsLate = t.allowed, true
	}
	return t
}

// aloneIn comments on a statement that must not share a transaction.
func (t tool) aloneIn(why string) string {
	if t.mark != "" {
		return t.mark + "\n-- (in a file of its own) " + why + "\n"
	}
	return "-- " + t.alone + why + "\n"
}

// aloneStep is aloneIn with a number. No tool takes its mark with words before it.
func (t tool) aloneStep(number, why string) string {
	if t.mark != "" {
		return number + "in a file of its own: " + why + "\n" + t.mark + "\n"
	}
	return number + t.alone + why + "\n"
}

// block marks what the tool would otherwise cut at an inner semicolon.
func (t tool) block(sql string) string {
	if t.begin == "" {
		return sql
	}
	return t.begin + "\n" + sql + "\n" + t.end
}

// say fills in a clause.
func say(clause, version, highest string) string {
	return strings.NewReplacer("VERSION", version, "HIGHEST", highest).Replace(clause)
}
