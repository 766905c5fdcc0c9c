package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/migration-gate/migration-gate/snapshot/internal/archive"
)

// worthStages is the size of a restored database below which a second pg_restore
// costs more than it saves (0.1 s).
const worthStages = 64 << 20

// stages parts what pg_restore can do at once from the foreign keys, and from
// what comes after them. Validating one joins two tables whole, which takes most
// of a restore's time but for the rows and the indexes: 3.7 s of 20 s of
// processor time, 1 GB of rows, three keys. Once the tables are vacuumed, two
// indexes can be merged without a look at the tables, in an eighth of that; with
// one index alone, after a sort, in a third.
//
// On a server of somebody else's all stays in one piece: there a role that is no
// superuser validates, whom rights and row security may leave no join at all.
func (r *restore) stages(entries []archive.Entry) (first, later []archive.Entry) {
	rows := slices.ContainsFunc(entries, func(e archive.Entry) bool { return e.HasData && e.Desc == "TABLE DATA" })
	if r.s.guest() || !rows || Estimate(r.src) < worthStages || !slices.ContainsFunc(entries, isForeignKey) {
		return entries, nil
	}
	waits := map[string]bool{}
	for _, e := range entries { // what an entry depends on stands before it
		if isForeignKey(e) || isLate(&e) || slices.ContainsFunc(e.Deps, func(id string) bool { return waits[id] }) {
			waits[strconv.Itoa(e.ID)] = true
			later = append(later, e)
		} else {
			first = append(first, e)
		}
	}
	return first, later
}

func isForeignKey(e archive.Entry) bool { return e.Desc == "FK CONSTRAINT" }

// checking are settings under which foreign keys are validated. A hash table of
// millions of keys lies outside of every cache, and takes longer than a sort and a
// merge where the planner thinks the opposite.
var checking = []string{"enable_hashjoin=off", "jit=off"}

// beforeChecks vacuums the tables, and gathers their statistics, before their
// foreign keys are validated. Nothing writes to them afterwards, unless an event
// trigger does.
func (r *restore) beforeChecks(ctx context.Context) error {
	r.track.stage(stageStatistics)
	done, err := r.s.vacuumed(ctx, r.name, r.opt.Jobs, "c.oid >= 16384 AND c.relkind IN ('r', 'p')", nil)
	if err != nil {
		return err
	}
	r.vacuumed = done
	r.track.stage(stageKeys)
	return nil
}

// lastVacuum vacuums what was not, or what may have been written to since.
func (r *restore) lastVacuum(ctx context.Context) error {
	r.track.stage(stageStatistics)
	if len(r.vacuumed) > 0 {
		var triggers bool
		err := r.s.on(ctx, r.name, func(c *pgx.Conn) error {
			return c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_event_trigger WHERE evtenabled <> 'D')").Scan(&triggers)
		})
		if err != nil {
			return err
		}
		if triggers {
			r.vacuumed = nil
		}
	}
	_, err := r.s.vacuumed(ctx, r.name, r.opt.Jobs, "true", r.vacuumed)
	return err
}

// setup is what pg_restore connects with: the database and settings.
func (r *restore) setup(settings ...string) string {
	if r.replica {
		settings = append(settings, "session_replication_role=replica")
	}
	if len(settings) == 0 {
		return r.name
	}
	value := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(r.name)
	return "dbname='" + value + "' options='-c " + strings.Join(settings, " -c ") + "'"
}
