package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/migration-gate/migration-gate/gate"
	"github.com/migration-gate/migration-gate/gate/migration"
)

// form is one way to ask for an online DDL statement.
type form struct{ algorithm, lock string }

// forms from best to worst. INSTANT takes no LOCK clause. MariaDB lets COPY go
// with LOCK=NONE since 11.2, and has NOCOPY for an INPLACE without a rebuild.
var (
	mysqlForms = []form{{"INSTANT", ""}, {"INPLACE", "NONE"}, {"INPLACE", "SHARED"}, {"COPY", "SHARED"}, {"COPY", "EXCLUSIVE"}}
	mariaForms = []form{
		{"INSTANT", ""},
		{"NOCOPY", "NONE"},
		{"INPLACE", "NONE"},
		{"NOCOPY", "SHARED"},
		{"INPLACE", "SHARED"},
		{"COPY", "NONE"},
		{"COPY", "SHARED"},
		{"COPY", "EXCLUSIVE"},
	}
)

// Probe runs the scripts on an empty clone and asks for every ALTER TABLE,
// CREATE INDEX and DROP INDEX in the best form first, until the server accepts
// one, which also does it. The result is parallel to the scripts' statements;
// nil where one is no such statement.
//
// The tables are empty, so a statement that looks for rows may fail here and
// not there: that stops nothing, unless it may have changed the schema.
func Probe(ctx context.Context, ownerDSN string, opt Options, scripts []*migration.Script) (_ [][]*gate.BestDDL, err error) {
	c, err := connect(ctx, ownerDSN, opt.SQLMode)
	if err != nil {
		return nil, err
	}
	p := &prober{conn: c, forms: mysqlForms, mariadb: opt.MariaDB, schema: c.schema, guest: opt.Guest}
	if opt.MariaDB {
		p.forms = mariaForms
	}
	defer func() { err = errors.Join(err, c.close()) }()
	all := make([][]*gate.BestDDL, len(scripts))
	for i, s := range scripts {
		if all[i], err = p.script(ctx, s); err != nil {
			return nil, fmt.Errorf("ask for the best form of %s: %w", s.File, err)
		}
		for _, best := range all[i] {
			if best != nil {
				best.Reason, best.Unasked = opt.Guest.text(best.Reason), opt.Guest.text(best.Unasked)
			}
		}
	}
	return all, nil
}

type prober struct {
	conn    *conn
	forms   []form
	mariadb bool
	schema  string
	guest   *Guest
	// stopped says why nothing more can be asked: the schema is not the one
	// that the statement will meet.
	stopped string
}

func (p *prober) script(ctx context.Context, s *migration.Script) ([]*gate.BestDDL, error) {
	out := make([]*gate.BestDDL, len(s.Statements))
	if s.Wrapped && p.stopped == "" {
		if _, err := p.try(ctx, "START TRANSACTION"); err != nil {
			return nil, err
		}
	}
	for n := range s.Statements {
		st := &s.Statements[n]
		words := scan(st.SQL)
		d := onlineOf(words, p.schema)
		if d != nil && d.verb == "OPTIMIZE TABLE" {
			d = nil
		}
		var err error
		switch {
		case p.stopped != "" && d != nil:
			out[n] = &gate.BestDDL{Unasked: p.stopped}
		case p.stopped != "":
		case d != nil:
			out[n], err = p.ask(ctx, st, d)
		default:
			err = p.run(ctx, st, words)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", st.Line, err)
		}
	}
	if p.conn.inTransaction() && p.stopped == "" {
		if _, err := p.try(ctx, "COMMIT"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ask tries the forms until one is accepted.
func (p *prober) ask(ctx context.Context, st *migration.Statement, d *onlineDDL) (*gate.BestDDL, error) {
	if why := d.unaskable(p.mariadb); why != "" {
		return &gate.BestDDL{Unasked: why}, p.run(ctx, st, nil)
	}
	best := &gate.BestDDL{}
	for _, form := range p.forms {
		refused, err := p.try(ctx, d.with(st.SQL, form.algorithm, form.lock))
		if err != nil {
			return nil, err
		}
		if refused == nil {
			best.Algorithm, best.Lock = form.algorithm, form.lock
			return best, nil
		}
		if !p.asksForAnother(refused.Code) {
			best.Unasked, best.Reason, best.Code = refused.Message, "", ""
			return best, p.run(ctx, st, nil)
		}
		if form.algorithm != "COPY" || best.Reason == "" { // that a copy needs a lock does not say why it has to be a copy
			best.Reason, best.Code = refused.Message, refused.Code
		}
	}
	best.Unasked, best.Reason, best.Code = "the server refused every form: "+best.Reason, "", ""
	return best, p.run(ctx, st, nil)
}

// asksForAnother: the server takes the statement, in another form.
func (p *prober) asksForAnother(code string) bool {
	return code == fmt.Sprint(algorithmRefused) || code == fmt.Sprint(algorithmReason) || code == fmt.Sprint(versionsUsedUp) && !p.mariadb
}

// run runs a statement as it stands.
func (p *prober) run(ctx context.Context, st *migration.Statement, words []token) error {
	refused, err := p.try(ctx, st.SQL)
	if err != nil {
		return err
	}
	switch {
	case refused == nil && starts(words, "USE") && len(words) > 1:
		p.schema = words[1].name()
	case refused != nil && !harmless(words):
		p.stopped = fmt.Sprintf("line %d fails on the empty clone: %s", st.Line, refused.Message)
	}
	return nil
}

// harmless: the statement's failure leaves no table other than it would be.
func harmless(words []token) bool { return len(words) > 0 && quiet(words) && words[0].word != "SET" }

// try runs a statement; a refusal is data, with its code and message.
func (p *prober) try(ctx context.Context, sql string) (*gate.Failure, error) {
	_, err := p.conn.exchange(ctx, sql)
	if err == nil {
		return nil, nil
	}
	refusal, ok := refusalOf(err)
	if ok && refusal.Number == logsTriggers && p.guest != nil {
		if _, err = p.guest.standIn(ctx, p.conn, sql); err == nil {
			return nil, nil
		}
		if said, refused := refusalOf(err); refused {
			refusal = said
		}
	}
	if !ok {
		if isLost(err) && ctx.Err() == nil {
			p.stopped = "the connection to the empty clone was lost"
			return &gate.Failure{Code: fmt.Sprint(lostConnection), Message: p.stopped}, nil
		}
		return nil, err
	}
	return failure(-1, &migration.Statement{}, refusal), nil
}

// unaskable says why a statement takes no ALGORITHM, "" where it does.
func (d *onlineDDL) unaskable(mariadb bool) string {
	if d.verb != "ALTER TABLE" || len(d.rest) == 0 {
		return ""
	}
	i := 0
	for i < len(d.rest) && (d.inClause(d.rest[i]) || d.rest[i].text == ",") {
		i++
	}
	rest := d.rest[i:]
	if len(rest) == 0 {
		return ""
	}
	if mariadb && slices.ContainsFunc(rest, func(t token) bool { return t.word == "PARTITIONING" || t.word == "PARTITION" }) {
		return "MariaDB takes no heed of ALGORITHM where partitions change" // it accepted INSTANT and copied (10.11)
	}
	if mariadb && slices.ContainsFunc(rest, func(t token) bool { return t.word == "ENGINE" }) &&
		!slices.ContainsFunc(rest, func(t token) bool { return t.word == "INNODB" }) {
		return "MariaDB takes no heed of ALGORITHM where the storage engine changes" // as above
	}
	partition := len(rest) > 1 && (rest[1].word == "PARTITION" || rest[1].word == "TABLESPACE" || rest[0].word == "PARTITION" && rest[1].word != "BY" ||
		rest[0].word == "CONVERT" && slices.ContainsFunc(rest, func(t token) bool { return t.word == "PARTITION" }))
	switch {
	case !partition:
		return ""
	case rest[1].word == "TABLESPACE":
		return "the server takes no ALGORITHM with " + rest[0].word + " TABLESPACE"
	}
	switch rest[0].word {
	case "ADD", "DROP", "REORGANIZE", "COALESCE", "REBUILD":
		return ""
	}
	return "MySQL takes no ALGORITHM with " + rest[0].word + " PARTITION"
}
