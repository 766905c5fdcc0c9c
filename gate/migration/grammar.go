package migration

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// grammar is PostgreSQL's own, in one of two builds.
type grammar interface {
	Parse(sql string) (*pg.ParseResult, error)
	Deparse(tree *pg.ParseResult) (string, error)
	// ParsePlPgSQL takes a whole CREATE FUNCTION, CREATE PROCEDURE or DO. One
	// without a body would end the process: the C code asserts it.
	ParsePlPgSQL(routine string) (string, error)
}

// dialect is a grammar that stamps the trees it deparses with the version of
// those it parsed, which the C code insists on.
type dialect struct {
	grammar
	version int32
}

func newDialect() *dialect { return &dialect{grammar: newGrammar()} }

func (d *dialect) Parse(sql string) (*pg.ParseResult, error) {
	tree, err := d.grammar.Parse(sql)
	if err == nil {
		d.version = tree.Version
	}
	return tree, err
}

// deparse spells a statement in the grammar's own way; "" where it cannot.
func deparse(g *dialect, node *pg.Node) string {
	s, err := g.Deparse(&pg.ParseResult{Version: g.version, Stmts: []*pg.RawStmt{{Stmt: node}}})
	if err != nil {
		return ""
	}
	return s
}

// deparseExpr spells an expression.
func deparseExpr(g *dialect, expr *pg.Node) string {
	if expr == nil {
		return ""
	}
	s := deparse(g, &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: &pg.SelectStmt{
		TargetList:  []*pg.Node{{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Val: expr}}}},
		LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT,
		Op:          pg.SetOperation_SETOP_NONE,
	}}})
	return strings.TrimPrefix(s, "SELECT ")
}

// deparseCmd spells one subcommand of ALTER TABLE.
func deparseCmd(g *dialect, cmd *pg.AlterTableCmd) string {
	s := deparse(g, &pg.Node{Node: &pg.Node_AlterTableStmt{AlterTableStmt: &pg.AlterTableStmt{
		Relation: &pg.RangeVar{Relname: "t", Inh: true, Relpersistence: "p"},
		Cmds:     []*pg.Node{{Node: &pg.Node_AlterTableCmd{AlterTableCmd: cmd}}},
		Objtype:  pg.ObjectType_OBJECT_TABLE,
	}}})
	return strings.TrimPrefix(s, "ALTER TABLE t ")
}

// deparseColumn spells a column as it stands in ADD COLUMN, its name first.
func deparseColumn(g *dialect, col *pg.ColumnDef) string {
	s := deparseCmd(g, &pg.AlterTableCmd{
		Subtype:  pg.AlterTableType_AT_AddColumn,
		Def:      &pg.Node{Node: &pg.Node_ColumnDef{ColumnDef: col}},
		Behavior: pg.DropBehavior_DROP_RESTRICT,
	})
	return strings.TrimPrefix(s, "ADD COLUMN ")
}

// deparseType spells a type: "numeric(12, 2)", "text[]".
func deparseType(g *dialect, t *pg.TypeName) string {
	if t == nil {
		return ""
	}
	return strings.TrimPrefix(deparseColumn(g, &pg.ColumnDef{Colname: "c", TypeName: t}), "c ")
}

// deparseConstraint spells a table constraint without its name and without
// NOT VALID.
func deparseConstraint(g *dialect, c *pg.Constraint) string {
	bare := clone(c)
	bare.Conname, bare.SkipValidation, bare.InitiallyValid = "", false, true
	s := deparseCmd(g, &pg.AlterTableCmd{
		Subtype:  pg.AlterTableType_AT_AddConstraint,
		Def:      &pg.Node{Node: &pg.Node_Constraint{Constraint: bare}},
		Behavior: pg.DropBehavior_DROP_RESTRICT,
	})
	return strings.TrimPrefix(s, "ADD ")
}
