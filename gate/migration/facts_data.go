package migration

import (
	"slices"
	"sort"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
)

// dml finds what a query changes, wherever it is nested: the statement itself,
// WITH queries, SELECT INTO; and the routines it calls.
func (a *analyser) dml(n *pg.Node) {
	if n == nil {
		return
	}
	type found struct {
		off int
		act Action
	}
	var all []found
	note := func(r *pg.RangeVar, act Action) {
		act.Object = "table"
		a.rel(&act, r)
		all = append(all, found{loc(r), act})
	}
	walk(n.ProtoReflect(), func(m proto.Message) bool {
		switch s := m.(type) {
		case *pg.InsertStmt:
			act := Action{Verb: Insert}
			if c := s.OnConflictClause; c.GetAction() == pg.OnConflictAction_ONCONFLICT_UPDATE {
				act.Verb, act.Columns, act.HasWhere = Upsert, targets(c.TargetList), c.WhereClause != nil
			}
			note(s.Relation, act)
		case *pg.UpdateStmt:
			note(s.Relation, Action{Verb: Update, Columns: targets(s.TargetList), HasWhere: s.WhereClause != nil})
		case *pg.DeleteStmt:
			note(s.Relation, Action{Verb: Delete, HasWhere: s.WhereClause != nil})
		case *pg.MergeStmt:
			for _, act := range mergeActions(s) {
				note(s.Relation, act)
			}
		case *pg.IntoClause:
			note(s.Rel, Action{Verb: Create})
		case *pg.FuncCall:
			parts := names(s.Funcname)
			if name := qualified(schemaAndName(parts)); !slices.Contains(*a.calls, name) {
				*a.calls = append(*a.calls, name)
			}
			if len(parts) > 0 && parts[len(parts)-1] == "lo_unlink" {
				all = append(all, found{int(s.Location), Action{Verb: Delete, Object: "large object"}})
			}
		}
		return true
	})
	sort.SliceStable(all, func(i, j int) bool { return all[i].off < all[j].off })
	for _, f := range all {
		a.add(f.off, f.act)
	}
}

func targets(list []*pg.Node) []string {
	var cols []string
	for _, n := range list {
		if t := n.GetResTarget(); t != nil {
			cols = append(cols, t.Name)
		}
	}
	return cols
}

// mergeActions sums up the branches of MERGE: one action per verb.
func mergeActions(s *pg.MergeStmt) []Action {
	var insert, upsert, del *Action
	for _, n := range s.MergeWhenClauses {
		switch c := n.GetMergeWhenClause(); c.GetCommandType() {
		case pg.CmdType_CMD_INSERT:
			insert = &Action{Verb: Insert}
		case pg.CmdType_CMD_UPDATE:
			if upsert == nil {
				upsert = &Action{Verb: Upsert, HasWhere: true}
			}
			upsert.Columns = append(upsert.Columns, targets(c.TargetList)...)
		case pg.CmdType_CMD_DELETE:
			del = &Action{Verb: Delete, HasWhere: true}
		}
	}
	var acts []Action
	for _, act := range []*Action{upsert, del, insert} {
		if act != nil {
			acts = append(acts, *act)
		}
	}
	return acts
}

// utilityNode handles commands on whole tables and everything else that is
// not a query.
func (a *analyser) utilityNode(n *pg.Node) bool {
	onRel := func(r *pg.RangeVar, act Action) {
		a.rel(&act, r)
		a.add(loc(r), act)
	}
	switch {
	case n.GetTruncateStmt() != nil:
		s := n.GetTruncateStmt()
		for _, r := range s.Relations {
			onRel(r.GetRangeVar(), Action{Verb: Truncate, Object: "table", Cascade: s.Behavior == pg.DropBehavior_DROP_CASCADE})
		}
	case n.GetLockStmt() != nil:
		for _, r := range n.GetLockStmt().Relations {
			onRel(r.GetRangeVar(), Action{Verb: Lock, Object: "table"})
		}
	case n.GetCopyStmt() != nil:
		s := n.GetCopyStmt()
		if s.IsFrom {
			onRel(s.Relation, Action{Verb: Insert, Object: "table"})
		}
		a.dml(s.Query)
	case n.GetReindexStmt() != nil:
		s := n.GetReindexStmt()
		object := objectWordOfReindex(s.Kind)
		act := Action{Verb: Reindex, Object: object, Name: s.Name, Concurrently: option(s.Params, "concurrently")}
		if s.Relation != nil {
			onRel(s.Relation, act)
		} else {
			a.add(0, act)
		}
	case n.GetRefreshMatViewStmt() != nil:
		s := n.GetRefreshMatViewStmt()
		onRel(s.Relation, Action{Verb: Refresh, Object: "materialized view", Concurrently: s.Concurrent})
	case n.GetClusterStmt() != nil:
		if s := n.GetClusterStmt(); s.Relation != nil {
			onRel(s.Relation, Action{Verb: Rewrite, Object: "table"})
		} else {
			a.add(0, Action{Verb: Rewrite, Object: "table"})
		}
	case n.GetVacuumStmt() != nil:
		s := n.GetVacuumStmt()
		if s.IsVacuumcmd && option(s.Options, "full") {
			for _, r := range s.Rels {
				onRel(r.GetVacuumRelation().GetRelation(), Action{Verb: Rewrite, Object: "table"})
			}
		}
	case n.GetDoStmt() != nil:
		a.doBlock(n.GetDoStmt())
	case n.GetCallStmt() != nil:
		a.dml(n)
	case n.GetPrepareStmt() != nil:
		s := n.GetPrepareStmt()
		within := a.within
		a.within = a.inside("prepared statement " + s.Name)
		a.node(s.Query)
		a.within = within
	case n.GetExplainStmt() != nil:
		if s := n.GetExplainStmt(); option(s.Options, "analyze") {
			a.node(s.Query)
		}
	case n.GetTransactionStmt() != nil, n.GetVariableSetStmt() != nil, n.GetVariableShowStmt() != nil,
		n.GetGrantStmt() != nil, n.GetGrantRoleStmt() != nil, n.GetConstraintsSetStmt() != nil:
	default:
		switch a.words().at(0) {
		case "CREATE", "ALTER", "DROP":
			a.byTokens()
			return true
		}
		return false
	}
	return true
}

func objectWordOfReindex(k pg.ReindexObjectType) string {
	switch k {
	case pg.ReindexObjectType_REINDEX_OBJECT_INDEX:
		return "index"
	case pg.ReindexObjectType_REINDEX_OBJECT_TABLE:
		return "table"
	case pg.ReindexObjectType_REINDEX_OBJECT_SCHEMA:
		return "schema"
	default:
		return "database"
	}
}

// option reports whether a boolean option is on: named alone, or not set to a
// value that means off.
func option(list []*pg.Node, name string) bool {
	on := false
	for _, n := range list {
		d := n.GetDefElem()
		if d.GetDefname() != name {
			continue
		}
		on = true
		switch {
		case d.Arg.GetString_() != nil:
			switch d.Arg.GetString_().Sval {
			case "false", "off", "0", "no":
				on = false
			}
		case d.Arg.GetBoolean() != nil:
			on = d.Arg.GetBoolean().Boolval
		case d.Arg.GetInteger() != nil:
			on = d.Arg.GetInteger().Ival != 0
		}
	}
	return on
}
