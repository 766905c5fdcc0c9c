package mysql

import (
	"context"
	"strings"

	"github.com/migration-gate/migration-gate/snapshot"
)

func (r *schemaReader) readViews(ctx context.Context) error {
	list, err := r.text(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'VIEW' AND TABLE_SCHEMA IN ({schemas}) ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	for _, v := range list {
		rows, err := r.text(ctx, "SHOW CREATE VIEW "+ident(v[0], v[1]))
		if err != nil {
			return err
		}
		def := withoutDefiner(rows[0][1])
		if _, err := r.text(ctx, "SELECT 1 FROM "+ident(v[0], v[1])+" LIMIT 0"); isNumber(err, 1356) {
			// It names something that is not there any more.
			def += " -- invalid"
		}
		r.add(snapshot.Object{Kind: "view", Name: v[0] + "." + v[1], Definition: def})
	}
	return nil
}

func (r *schemaReader) readTriggers(ctx context.Context) error {
	rows, err := r.text(ctx, `SELECT TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT,
			SQL_MODE, CHARACTER_SET_CLIENT, DATABASE_COLLATION
		FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA IN ({schemas})
		ORDER BY EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER`)
	if err != nil {
		return err
	}
	when, before := "", ""
	for _, v := range rows {
		if at := strings.Join(v[2:5], " "); at != when {
			when, before = at, ""
		}
		t := tableName{v[0], v[2]}
		def := words(v[3], v[4], clause("FOLLOWS", before), "FOR EACH ROW", v[5], session(v[6], v[7], v[8]))
		r.add(snapshot.Object{Kind: "trigger", Name: t.String() + "." + v[1], Relation: t.String(), Definition: def, OID: within(r.st.id(t), v[1])})
		before = v[1]
	}
	return nil
}

// session spells what a body keeps of the session that made it, but for the
// collation of its connection: each driver brings its own, and whoever makes a
// body again would have changed it.
func session(mode, client, database string) string {
	return "-- sql_mode '" + mode + "', " + words(client, database)
}

func (r *schemaReader) readRoutines(ctx context.Context) error {
	params, err := r.text(ctx, `SELECT SPECIFIC_SCHEMA, ROUTINE_TYPE, SPECIFIC_NAME, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER, CHARACTER_SET_NAME, COLLATION_NAME
		FROM information_schema.PARAMETERS WHERE SPECIFIC_SCHEMA IN ({schemas}) ORDER BY 1, 2, 3, ORDINAL_POSITION`)
	if err != nil {
		return err
	}
	type routine struct{ schema, kind, name string }
	takes, returns := map[routine][]string{}, map[routine]string{}
	for _, p := range params {
		key := routine{p[0], p[1], p[2]}
		text := words(p[3], p[4], p[5], clause("CHARACTER SET", p[6]), clause("COLLATE", p[7]))
		if p[3] == "" { // what a function returns
			returns[key] = text
		} else {
			takes[key] = append(takes[key], text)
		}
	}
	rows, err := r.text(ctx, `SELECT ROUTINE_SCHEMA, ROUTINE_TYPE, ROUTINE_NAME, IS_DETERMINISTIC, SQL_DATA_ACCESS, SECURITY_TYPE, ROUTINE_COMMENT,
			ROUTINE_DEFINITION, SQL_MODE, CHARACTER_SET_CLIENT, DATABASE_COLLATION
		FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN ({schemas})`)
	for _, v := range rows {
		key := routine{v[0], v[1], v[2]}
		deterministic, comment := "", ""
		if v[3] == "YES" {
			deterministic = "DETERMINISTIC"
		}
		if v[6] != "" {
			comment = "COMMENT " + literal(v[6])
		}
		r.add(snapshot.Object{Kind: strings.ToLower(v[1]), Name: v[0] + "." + v[2],
			Definition: words("("+strings.Join(takes[key], ", ")+")", clause("RETURNS", returns[key]), deterministic, v[4],
				clause("SQL SECURITY", v[5]), comment, v[7], session(v[8], v[9], v[10]))})
	}
	return err
}

func (r *schemaReader) readEvents(ctx context.Context) error {
	rows, err := r.text(ctx, `SELECT EVENT_SCHEMA, EVENT_NAME, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, STARTS, ENDS, TIME_ZONE, STATUS, ON_COMPLETION,
			EVENT_COMMENT, EVENT_DEFINITION, SQL_MODE, CHARACTER_SET_CLIENT, DATABASE_COLLATION
		FROM information_schema.EVENTS WHERE EVENT_SCHEMA IN ({schemas})`)
	for _, v := range rows {
		every, comment := "", ""
		if v[3] != "" {
			every = "EVERY " + v[3] + " " + v[4]
		}
		if r.s.guest.is() && strings.HasSuffix(v[8], "SIDE_DISABLED") { // SLAVESIDE_, REPLICA_SIDE_
			v[8] = "ENABLED"
		}
		if v[10] != "" {
			comment = "COMMENT " + literal(v[10])
		}
		r.add(snapshot.Object{Kind: "event", Name: v[0] + "." + v[1],
			Definition: words(clause("AT", v[2]), every, clause("STARTS", v[5]), clause("ENDS", v[6]), clause("TIME ZONE", v[7]), v[8],
				clause("ON COMPLETION", v[9]), comment, clause("DO", v[11]), session(v[12], v[13], v[14]))})
	}
	return err
}

// readSequences reads what only MariaDB has. The next value is data.
func (r *schemaReader) readSequences(ctx context.Context) error {
	list, err := r.text(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'SEQUENCE' AND TABLE_SCHEMA IN ({schemas})`)
	if err != nil {
		return err
	}
	for _, v := range list {
		rows, err := r.text(ctx, "SHOW CREATE SEQUENCE "+ident(v[0], v[1]))
		if err != nil {
			return err
		}
		_, def, _ := strings.Cut(rows[0][1], "` ")
		r.add(snapshot.Object{Kind: "sequence", Name: v[0] + "." + v[1], Definition: def})
	}
	return nil
}

// readHistograms reads which columns have statistics of their own; what these
// say of the values is data.
func (r *schemaReader) readHistograms(ctx context.Context) error {
	if r.s.maria {
		return nil // they are kept for whole tables, as a setting of the server
	}
	rows, err := r.text(ctx, `SELECT SCHEMA_NAME, TABLE_NAME, COLUMN_NAME, HISTOGRAM->>'$."number-of-buckets-specified"'
		FROM information_schema.COLUMN_STATISTICS WHERE SCHEMA_NAME IN ({schemas})`)
	for _, v := range rows {
		t := tableName{v[0], v[1]}
		r.add(snapshot.Object{Kind: "histogram", Name: t.String() + "." + v[2], Relation: t.String(),
			Definition: v[3] + " buckets", OID: within(r.st.id(t), v[2])})
	}
	return err
}
