package migration

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// tableNode handles what makes and changes tables and indexes.
func (a *analyser) tableNode(n *pg.Node) bool {
	switch {
	case n.GetCreateStmt() != nil:
		a.createTable(n.GetCreateStmt(), "table")
	case n.GetCreateForeignTableStmt() != nil:
		a.createTable(n.GetCreateForeignTableStmt().BaseStmt, "foreign table")
	case n.GetCreateTableAsStmt() != nil:
		s := n.GetCreateTableAsStmt()
		act := Action{Verb: Create, Object: objectWord(s.Objtype), IfNotExists: s.IfNotExists}
		a.rel(&act, s.Into.GetRel())
		if s.Objtype == pg.ObjectType_OBJECT_MATVIEW {
			act.Definition = deparse(a.g, s.Query)
		}
		a.add(loc(s.Into.GetRel()), act)
		a.dml(s.Query)
	case n.GetAlterTableStmt() != nil:
		a.alterTable(n.GetAlterTableStmt())
	case n.GetIndexStmt() != nil:
		a.createIndex(n)
	default:
		return false
	}
	return true
}

// rel fills in the name of a relation.
func (a *analyser) rel(act *Action, r *pg.RangeVar) {
	act.Schema, act.Name = r.GetSchemaname(), r.GetRelname()
	act.Temporary = r.GetRelpersistence() == "t"
}

func loc(r *pg.RangeVar) int { return int(r.GetLocation()) }

func (a *analyser) createTable(s *pg.CreateStmt, object string) {
	act := Action{Verb: Create, Object: object, IfNotExists: s.IfNotExists}
	a.rel(&act, s.Relation)
	a.add(loc(s.Relation), act)
	if s.Partbound != nil && len(s.InhRelations) > 0 {
		parent := s.InhRelations[0].GetRangeVar()
		at := Action{Verb: Attach, Object: "partition", Part: qualified(act.Schema, act.Name)}
		a.rel(&at, parent)
		a.add(loc(parent), at)
	}
	for _, e := range s.TableElts {
		switch {
		case e.GetConstraint() != nil:
			a.addConstraint(s.Relation, e.GetConstraint(), "", int(e.GetConstraint().Location))
		case e.GetColumnDef() != nil:
			a.columnConstraints(s.Relation, e.GetColumnDef())
		}
	}
}

// columnConstraints records what a column definition constrains.
func (a *analyser) columnConstraints(r *pg.RangeVar, col *pg.ColumnDef) {
	for _, c := range col.Constraints {
		switch k := c.GetConstraint(); k.GetContype() {
		case pg.ConstrType_CONSTR_CHECK, pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_UNIQUE, pg.ConstrType_CONSTR_FOREIGN:
			a.addConstraint(r, k, col.Colname, int(k.Location))
		}
	}
}

var constraintWords = map[pg.ConstrType]string{
	pg.ConstrType_CONSTR_CHECK:     "check",
	pg.ConstrType_CONSTR_PRIMARY:   "primary key",
	pg.ConstrType_CONSTR_UNIQUE:    "unique",
	pg.ConstrType_CONSTR_EXCLUSION: "exclude",
	pg.ConstrType_CONSTR_FOREIGN:   "foreign key",
	pg.ConstrType_CONSTR_NOTNULL:   "not null",
}

func (a *analyser) addConstraint(r *pg.RangeVar, c *pg.Constraint, column string, off int) {
	act := Action{
		Verb: Add, Object: "constraint", Part: c.Conname, Constraint: constraintWords[c.Contype],
		NotValid: c.SkipValidation, UsingIndex: c.Indexname,
	}
	a.rel(&act, r)
	switch c.Contype {
	case pg.ConstrType_CONSTR_FOREIGN:
		act.Refs, act.Columns = relName(c.Pktable), names(c.FkAttrs)
		if column != "" {
			c = clone(c)
			c.FkAttrs = []*pg.Node{stringNode(column)}
		}
	case pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_UNIQUE:
		act.Columns, act.Unique = names(c.Keys), true
		if column != "" {
			c = clone(c)
			c.Keys = []*pg.Node{stringNode(column)}
		}
	case pg.ConstrType_CONSTR_EXCLUSION:
		for _, e := range c.Exclusions {
			if l := e.GetList(); l != nil && len(l.Items) > 0 {
				act.Columns = append(act.Columns, a.indexKey(l.Items[0].GetIndexElem()))
			}
		}
	}
	if column != "" {
		act.Columns = []string{column}
	}
	act.Definition = deparseConstraint(a.g, c)
	a.add(off, act)
}

func stringNode(s string) *pg.Node {
	return &pg.Node{Node: &pg.Node_String_{String_: &pg.String{Sval: s}}}
}

func (a *analyser) indexKey(e *pg.IndexElem) string {
	if e.GetName() != "" {
		return e.Name
	}
	return deparseExpr(a.g, e.GetExpr())
}

func (a *analyser) createIndex(n *pg.Node) {
	s := n.GetIndexStmt()
	act := Action{
		Verb: Create, Object: "index", Schema: s.Relation.GetSchemaname(), Name: s.Idxname,
		On: relName(s.Relation), IfNotExists: s.IfNotExists, Concurrently: s.Concurrent,
		Unique: s.Unique, HasWhere: s.WhereClause != nil, Definition: deparse(a.g, n),
		Temporary: s.Relation.GetRelpersistence() == "t",
	}
	for _, p := range s.IndexParams {
		act.Columns = append(act.Columns, a.indexKey(p.GetIndexElem()))
	}
	a.add(0, act)
}

func (a *analyser) alterTable(s *pg.AlterTableStmt) {
	w := a.words()
	_, i := w.object(1)
	offs := a.listOffsets(w.skipName(i))
	for n, c := range s.Cmds {
		a.alterCmd(s, c.GetAlterTableCmd(), offset(offs, n), a.element(offs, n))
	}
}

// element is the text of the nth element of a list.
func (a *analyser) element(offs []int, n int) string {
	if n >= len(offs) {
		return ""
	}
	s := a.text[offs[n]:]
	if n+1 < len(offs) {
		s = a.text[offs[n]:offs[n+1]]
		s = s[:strings.LastIndexByte(s, ',')]
	}
	return strings.TrimSpace(s)
}

// simpleCmds are subcommands that their name alone describes.
var simpleCmds = map[pg.AlterTableType]Action{
	pg.AlterTableType_AT_DropNotNull:        {Verb: DropNotNull, Object: "column"},
	pg.AlterTableType_AT_SetNotNull:         {Verb: SetNotNull, Object: "column"},
	pg.AlterTableType_AT_DropColumn:         {Verb: Drop, Object: "column"},
	pg.AlterTableType_AT_DropConstraint:     {Verb: Drop, Object: "constraint"},
	pg.AlterTableType_AT_ValidateConstraint: {Verb: Validate, Object: "constraint"},
	pg.AlterTableType_AT_SetExpression:      {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_DropExpression:     {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_SetStatistics:      {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_SetOptions:         {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_ResetOptions:       {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_SetStorage:         {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_SetCompression:     {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_AddIdentity:        {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_SetIdentity:        {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_DropIdentity:       {Verb: Alter, Object: "column"},
	pg.AlterTableType_AT_EnableTrig:         {Verb: Alter, Object: "trigger"},
	pg.AlterTableType_AT_EnableAlwaysTrig:   {Verb: Alter, Object: "trigger"},
	pg.AlterTableType_AT_EnableReplicaTrig:  {Verb: Alter, Object: "trigger"},
	pg.AlterTableType_AT_DisableTrig:        {Verb: Alter, Object: "trigger"},
	pg.AlterTableType_AT_EnableRule:         {Verb: Alter, Object: "rule"},
	pg.AlterTableType_AT_EnableAlwaysRule:   {Verb: Alter, Object: "rule"},
	pg.AlterTableType_AT_EnableReplicaRule:  {Verb: Alter, Object: "rule"},
	pg.AlterTableType_AT_DisableRule:        {Verb: Alter, Object: "rule"},
}

// alterCmd records one subcommand; text is how it was written.
func (a *analyser) alterCmd(s *pg.AlterTableStmt, c *pg.AlterTableCmd, off int, text string) {
	act := Action{Verb: Alter, Object: objectWord(s.Objtype), Definition: text}
	switch c.Subtype {
	case pg.AlterTableType_AT_AddColumn:
		a.addColumn(s, c, off)
		return
	case pg.AlterTableType_AT_AddConstraint:
		a.addConstraint(s.Relation, c.Def.GetConstraint(), "", off)
		return
	case pg.AlterTableType_AT_ColumnDefault:
		act = Action{Verb: DropDefault, Object: "column", Part: c.Name}
		if c.Def != nil {
			act.Verb, act.Default = SetDefault, deparseExpr(a.g, c.Def)
		}
	case pg.AlterTableType_AT_AlterColumnType:
		def := c.Def.GetColumnDef()
		act = Action{Verb: SetType, Object: "column", Part: c.Name, Definition: text,
			Type: deparseType(a.g, def.GetTypeName()), Using: deparseExpr(a.g, def.GetRawDefault())}
	case pg.AlterTableType_AT_AttachPartition, pg.AlterTableType_AT_DetachPartition, pg.AlterTableType_AT_DetachPartitionFinalize:
		part := c.Def.GetPartitionCmd()
		act = Action{Verb: Detach, Object: "partition", Part: relName(part.GetName()),
			Concurrently: part.GetConcurrent(), Definition: text}
		if c.Subtype == pg.AlterTableType_AT_AttachPartition {
			act.Verb = Attach
		}
		if s.Objtype == pg.ObjectType_OBJECT_INDEX {
			act.Object = "index partition"
		}
	default:
		if simple, ok := simpleCmds[c.Subtype]; ok {
			act.Verb, act.Object, act.Part = simple.Verb, simple.Object, c.Name
			if act.Verb != Alter {
				act.Definition = ""
			}
		}
	}
	if s.Objtype == pg.ObjectType_OBJECT_TYPE && act.Object == "column" {
		act.Object = "attribute"
	}
	a.rel(&act, s.Relation)
	act.IfExists = act.IfExists || c.MissingOk
	act.Cascade = c.Behavior == pg.DropBehavior_DROP_CASCADE
	a.add(off, act)
}

func (a *analyser) addColumn(s *pg.AlterTableStmt, c *pg.AlterTableCmd, off int) {
	col := c.Def.GetColumnDef()
	act := Action{
		Verb: Add, Object: "column", Part: col.Colname, Type: deparseType(a.g, col.TypeName),
		Definition: deparseColumn(a.g, col), IfNotExists: c.MissingOk, Default: deparseExpr(a.g, col.RawDefault),
	}
	if s.Objtype == pg.ObjectType_OBJECT_TYPE {
		act.Object = "attribute"
	}
	a.rel(&act, s.Relation)
	for _, n := range col.Constraints {
		switch k := n.GetConstraint(); k.GetContype() {
		case pg.ConstrType_CONSTR_DEFAULT:
			act.Default = deparseExpr(a.g, k.RawExpr)
		case pg.ConstrType_CONSTR_NOTNULL, pg.ConstrType_CONSTR_PRIMARY:
			act.NotNull = true
		case pg.ConstrType_CONSTR_IDENTITY:
			act.Generated = "identity"
		case pg.ConstrType_CONSTR_GENERATED:
			act.Generated = "stored"
		}
	}
	a.add(off, act)
	a.columnConstraints(s.Relation, col)
}
