package migration

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// flags sets what decides how the statement may be sent, from its tree.
func (a *analyser) flags(n *pg.Node) {
	f := a.facts
	w := a.words()
	switch {
	case n.GetSelectStmt() != nil:
		s := n.GetSelectStmt()
		f.Kind, f.NoOp = "SELECT", isConstant(s)
		if s.IntoClause != nil {
			f.Kind = "SELECT INTO"
		}
	case n.GetCreateTableAsStmt() != nil:
		if s := n.GetCreateTableAsStmt(); s.Objtype == pg.ObjectType_OBJECT_TABLE {
			f.Kind = "CREATE TABLE AS"
		}
	case n.GetTransactionStmt() != nil:
		a.control(n.GetTransactionStmt())
	case n.GetVariableSetStmt() != nil:
		s := n.GetVariableSetStmt()
		f.NeedsBlock = s.IsLocal || s.Kind == pg.VariableSetKind_VAR_SET_MULTI && !strings.HasPrefix(s.Name, "SESSION")
	case n.GetLockStmt() != nil, n.GetConstraintsSetStmt() != nil:
		f.NeedsBlock = true
	case n.GetDeclareCursorStmt() != nil:
		f.NeedsBlock = n.GetDeclareCursorStmt().Options&cursorHold == 0
	case n.GetCallStmt() != nil:
		f.MayCommit = true
	case n.GetIndexStmt() != nil:
		f.Concurrently = n.GetIndexStmt().Concurrent
		f.NoBlock = f.Concurrently
	case n.GetDropStmt() != nil:
		f.Concurrently = n.GetDropStmt().Concurrent
		f.NoBlock = f.Concurrently
	case n.GetReindexStmt() != nil:
		s := n.GetReindexStmt()
		f.Concurrently = option(s.Params, "concurrently")
		f.NoBlock = f.Concurrently || s.Relation == nil
	case n.GetRefreshMatViewStmt() != nil:
		f.Concurrently = n.GetRefreshMatViewStmt().Concurrent
	case n.GetAlterTableStmt() != nil:
		for _, c := range n.GetAlterTableStmt().Cmds {
			if c.GetAlterTableCmd().GetDef().GetPartitionCmd().GetConcurrent() {
				f.Concurrently, f.NoBlock = true, true
			}
		}
	case n.GetVacuumStmt() != nil:
		f.NoBlock = n.GetVacuumStmt().IsVacuumcmd
	case n.GetClusterStmt() != nil:
		f.NoBlock = n.GetClusterStmt().Relation == nil
	default:
		f.NoBlock = a.outsideBlock(n, w)
	}
}

// cursorHold is CURSOR_OPT_HOLD of the server's parsenodes.h.
const cursorHold = 0x0020

// outsideBlock lists the rest of what the server refuses in a transaction
// block whatever its options, or by its options.
func (a *analyser) outsideBlock(n *pg.Node, w words) bool {
	switch {
	case n.GetCreatedbStmt() != nil, n.GetDropdbStmt() != nil, n.GetCreateTableSpaceStmt() != nil,
		n.GetDropTableSpaceStmt() != nil, n.GetAlterSystemStmt() != nil, n.GetDropSubscriptionStmt() != nil:
		return true
	case n.GetAlterDatabaseStmt() != nil:
		for _, o := range n.GetAlterDatabaseStmt().Options {
			if o.GetDefElem().GetDefname() == "tablespace" {
				return true
			}
		}
	case n.GetDiscardStmt() != nil:
		return n.GetDiscardStmt().Target == pg.DiscardMode_DISCARD_ALL
	case n.GetCreateSubscriptionStmt() != nil:
		// It makes a slot unless told not to.
		o := n.GetCreateSubscriptionStmt().Options
		return enabled(o, "connect") && enabled(o, "create_slot")
	case n.GetAlterSubscriptionStmt() != nil:
		s := n.GetAlterSubscriptionStmt()
		switch s.Kind {
		case pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_REFRESH:
			return true
		case pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_SET_PUBLICATION,
			pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_ADD_PUBLICATION,
			pg.AlterSubscriptionType_ALTER_SUBSCRIPTION_DROP_PUBLICATION:
			return enabled(s.Options, "refresh")
		}
	}
	return false
}

// enabled is an option that is on unless switched off.
func enabled(list []*pg.Node, name string) bool {
	for _, n := range list {
		if n.GetDefElem().GetDefname() == name {
			return option(list, name)
		}
	}
	return true
}

func (a *analyser) control(s *pg.TransactionStmt) {
	f := a.facts
	switch s.Kind {
	case pg.TransactionStmtKind_TRANS_STMT_BEGIN, pg.TransactionStmtKind_TRANS_STMT_START:
		f.Control = Begin
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT:
		f.Control = Commit
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK:
		f.Control = Rollback
	case pg.TransactionStmtKind_TRANS_STMT_SAVEPOINT:
		f.Control, f.NeedsBlock = Savepoint, true
	case pg.TransactionStmtKind_TRANS_STMT_RELEASE:
		f.Control, f.NeedsBlock = Release, true
	case pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_TO:
		f.Control, f.NeedsBlock = RollbackTo, true
	case pg.TransactionStmtKind_TRANS_STMT_PREPARE:
		f.Control = Prepare
	case pg.TransactionStmtKind_TRANS_STMT_COMMIT_PREPARED, pg.TransactionStmtKind_TRANS_STMT_ROLLBACK_PREPARED:
		f.NoBlock = true
	}
}

// isConstant: SELECT of nothing but constants.
func isConstant(s *pg.SelectStmt) bool {
	for _, t := range s.TargetList {
		if t.GetResTarget().GetVal().GetAConst() == nil {
			return false
		}
	}
	bare := &pg.SelectStmt{TargetList: s.TargetList, LimitOption: s.LimitOption, Op: s.Op}
	return len(s.TargetList) > 0 && s.Op == pg.SetOperation_SETOP_NONE && protoEqual(bare, s)
}

// flagsByTokens is flags for what the grammar does not know.
func (a *analyser) flagsByTokens() {
	f, w := a.facts, a.words()
	has := func(word string) bool {
		for i := range w.toks {
			if w.at(i) == word {
				return true
			}
		}
		return false
	}
	f.Concurrently = has("CONCURRENTLY")
	switch f.Kind {
	case "CREATE INDEX", "DROP INDEX", "ALTER TABLE":
		f.NoBlock = f.Concurrently
	case "REINDEX":
		f.NoBlock = f.Concurrently || has("SCHEMA") || has("DATABASE") || has("SYSTEM")
	case "VACUUM", "CREATE DATABASE", "DROP DATABASE", "CREATE TABLESPACE", "DROP TABLESPACE", "ALTER SYSTEM",
		"CREATE SUBSCRIPTION", "DROP SUBSCRIPTION", "COMMIT PREPARED", "ROLLBACK PREPARED":
		f.NoBlock = true
	case "ALTER DATABASE":
		f.NoBlock = has("TABLESPACE")
	case "ALTER SUBSCRIPTION":
		f.NoBlock = has("REFRESH") || has("PUBLICATION")
	case "DISCARD":
		f.NoBlock = w.at(1) == "ALL"
	case "CALL":
		f.MayCommit = true
	case "DO":
		f.MayCommit = mentionsCommit(a.text)
	case "LOCK TABLE":
		f.NeedsBlock = true
	case "SET":
		f.NeedsBlock = w.at(1) == "LOCAL" || w.at(1) == "TRANSACTION"
	case "SET CONSTRAINTS", "DECLARE CURSOR":
		f.NeedsBlock = true
	case "BEGIN", "START TRANSACTION":
		f.Control = Begin
	case "COMMIT":
		f.Control = Commit
	case "ROLLBACK":
		f.Control = Rollback
	case "SAVEPOINT":
		f.Control, f.NeedsBlock = Savepoint, true
	case "RELEASE":
		f.Control, f.NeedsBlock = Release, true
	}
}
