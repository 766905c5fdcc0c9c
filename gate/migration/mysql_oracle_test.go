package migration

import (
	"fmt"
	"go/ast"
	goparser "go/parser"
	gotoken "go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	tidb "github.com/pingcap/tidb/pkg/parser"
	tast "github.com/pingcap/tidb/pkg/parser/ast"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver"
)

// The oracle is TiDB's grammar of MySQL, over the statements that its own
// tests hold (some 4,000 that it takes) and this package's.

// oracleStatements are what TiDB's tests expect its parser to take.
func oracleStatements(t testing.TB) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pingcap/tidb/pkg/parser").Output()
	if err != nil {
		t.Fatalf("find the parser's tests: %v", err)
	}
	file := filepath.Join(strings.TrimSpace(string(dir)), "parser_test.go")
	tree, err := goparser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(tree, func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok || len(lit.Elts) < 2 {
			return true
		}
		text, isText := lit.Elts[0].(*ast.BasicLit)
		good, isBool := lit.Elts[1].(*ast.Ident)
		if isText && text.Kind == gotoken.STRING && isBool && good.Name == "true" {
			if s, err := strconv.Unquote(text.Value); err == nil {
				out = append(out, s)
			}
		}
		return true
	})
	return out
}

func mySQLCorpus(t testing.TB) []string {
	texts := oracleStatements(t)
	files, err := filepath.Glob("testdata/mysql/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

func tidbParse(text string) (nodes []tast.StmtNode, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the parser panics: %v", r)
		}
	}()
	nodes, _, err = tidb.New().ParseSQL(text)
	return nodes, err
}

func TestMySQLSplitAsTheGrammar(t *testing.T) {
	compared := 0
	for _, text := range mySQLCorpus(t) {
		nodes, err := tidbParse(text)
		if err != nil || strings.ContainsRune(text, 0) {
			continue
		}
		src := &source{text: text, marks: lineMarks(text, 0)}
		pieces, err := splitMySQL(src, false, newModes(""))
		if err != nil {
			t.Errorf("the grammar takes it, the splitter says %v:\n%s", err, text)
			continue
		}
		var want []string
		for _, n := range nodes {
			if s := strings.Trim(n.OriginalText(), "; \t\r\n"); !blankMySQL(s) {
				want = append(want, s)
			}
		}
		if len(pieces) != len(want) {
			t.Errorf("got %d statements, the grammar has %d:\n%s", len(pieces), len(want), text)
			continue
		}
		for i, p := range pieces {
			sql := strings.TrimLeft(text[p.start:p.end], "; \n")
			at := strings.Index(want[i], sql)
			if at < 0 || !blankMySQL(want[i][:at]) || !blankMySQL(want[i][at+len(sql):]) {
				t.Errorf("statement %d:\n%s\nthe grammar has:\n%s", i, sql, want[i])
			}
			compared++
		}
	}
	t.Logf("%d statements compared", compared)
	if compared < 3000 {
		t.Errorf("only %d statements compared", compared)
	}
}

func blankMySQL(s string) bool {
	l := newMyLexer(s, 0, false)
	t, err := l.next()
	return err == nil && t.kind == tokEnd
}

// TestMySQLFactsAsTheGrammar compares what is read from tokens with what the
// grammar's tree says.
func TestMySQLFactsAsTheGrammar(t *testing.T) {
	compared := 0
	for _, text := range mySQLCorpus(t) {
		nodes, err := tidbParse(text)
		if err != nil || len(nodes) != 1 || strings.ContainsRune(text, 0) || onlyTiDB(text) {
			continue
		}
		want, known := actionsOfTree(nodes[0])
		if !known {
			continue
		}
		st, err := ParseScriptWith("f.sql", []byte(text), Options{Dialect: MySQL})
		if err != nil || len(st) != 1 {
			continue // not UTF-8; splitting has its own test
		}
		var got []string
		for _, a := range st[0].Facts.Actions {
			got = append(got, strings.ToLower(strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", a.Verb, a.Object, qualified(a.Schema, a.Name), a.Part, a.NewName))))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %q\nwant %q", text, got, want)
		}
		if !st[0].Facts.Analysed {
			t.Errorf("%s\n%s", text, st[0].Facts.NotAnalysed)
		}
		compared++
	}
	t.Logf("%d statements compared", compared)
	if compared < 1000 {
		t.Errorf("only %d statements compared", compared)
	}
}

// onlyTiDB: forms that no MySQL server has.
func onlyTiDB(text string) bool {
	text = strings.ToUpper(text)
	for _, s := range []string{
		"AUTO_RANDOM", "SHARD_ROW_ID_BITS", "PRE_SPLIT", "TIFLASH", "/*T!", "PLACEMENT", "TTL", "STATS_", "REGION", " CACHE", "NOCACHE", "GLOBAL TEMPORARY",
		"CLUSTERED", "AUTO_ID_CACHE", "BATCH ", "SEQUENCE", "ATTRIBUTES", "STATISTICS", "LAST PARTITION", "FIRST PARTITION", "ON COMMIT", "AFFINITY", "MASKING", "SOFTDELETE", "ACTIVE_ACTIVE",
		"COLUMNAR", "VECTOR<", ") WHERE", " LOCAL", " GLOBAL", "ANALYZE PARTITION",
	} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return text == "ALTER TABLE T1"
}

// actionsOfTree spells what a tree does as the test spells actions; known is
// false for kinds of statements that are not compared.
func actionsOfTree(n tast.StmtNode) (out []string, known bool) {
	say := func(verb Verb, object, name, part, newName string) {
		out = append(out, strings.ToLower(strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", verb, object, name, part, newName))))
	}
	name := func(t *tast.TableName) string { return qualified(t.Schema.O, t.Name.O) }
	switch s := n.(type) {
	case *tast.CreateTableStmt:
		say(Create, "table", name(s.Table), "", "")
		for _, c := range s.Cols {
			columnOfTree(say, name(s.Table), c)
		}
		for _, c := range s.Constraints {
			constraintOfTree(say, s.Table, c)
		}
	case *tast.DropTableStmt:
		for _, t := range s.Tables {
			say(Drop, map[bool]string{true: "view", false: "table"}[s.IsView], name(t), "", "")
		}
	case *tast.TruncateTableStmt:
		say(Truncate, "table", name(s.Table), "", "")
	case *tast.RenameTableStmt:
		for _, tt := range s.TableToTables {
			renameOfTree(say, tt.OldTable, tt.NewTable)
		}
	case *tast.CreateIndexStmt:
		say(Create, "index", qualified(s.Table.Schema.O, s.IndexName), "", "")
	case *tast.DropIndexStmt:
		say(Drop, "index", qualified(s.Table.Schema.O, s.IndexName), "", "")
		if strings.EqualFold(s.IndexName, "primary") {
			return nil, false
		}
	case *tast.CreateViewStmt:
		say(map[bool]Verb{true: Replace, false: Create}[s.OrReplace], "view", name(s.ViewName), "", "")
	case *tast.CreateDatabaseStmt:
		say(Create, "database", s.Name.O, "", "")
	case *tast.DropDatabaseStmt:
		say(Drop, "database", s.Name.O, "", "")
	case *tast.InsertStmt:
		verb := Insert
		if s.IsReplace || len(s.OnDuplicate) > 0 {
			verb = Upsert
		}
		for _, t := range tablesOfTree(s.Table.TableRefs) {
			say(verb, "table", name(t.name), "", "")
		}
	case *tast.UpdateStmt:
		tables := tablesOfTree(s.TableRefs.TableRefs)
		for _, t := range tables {
			set := len(tables) == 1
			for _, a := range s.List {
				set = set || a.Column.Table.L == "" || a.Column.Table.L == t.alias
			}
			if set {
				say(Update, "table", name(t.name), "", "")
			}
		}
	case *tast.DeleteStmt:
		tables := tablesOfTree(s.TableRefs.TableRefs)
		if !s.IsMultiTable {
			say(Delete, "table", name(tables[0].name), "", "")
			break
		}
		for _, target := range s.Tables.Tables {
			spelled := name(target)
			for _, t := range tables {
				if t.alias == target.Name.L && target.Schema.L == "" || name(t.name) == spelled {
					spelled = name(t.name)
				}
			}
			say(Delete, "table", spelled, "", "")
		}
	case *tast.AlterTableStmt:
		for _, spec := range s.Specs {
			if !specOfTree(say, s.Table, spec) {
				return nil, false
			}
		}
	case *tast.LockTablesStmt:
		for _, l := range s.TableLocks {
			say(Lock, "table", name(l.Table), "", "")
		}
	case *tast.OptimizeTableStmt:
		for _, t := range s.Tables {
			say(Rewrite, "table", name(t), "", "")
		}
	case *tast.SelectStmt, *tast.SetOprStmt, *tast.ShowStmt, *tast.SetStmt, *tast.UseStmt, *tast.BeginStmt, *tast.CommitStmt, *tast.RollbackStmt, *tast.GrantStmt, *tast.RevokeStmt, *tast.AnalyzeTableStmt:
		if t, ok := n.(*tast.AnalyzeTableStmt); ok && (t.NoWriteToBinLog || len(t.AnalyzeOpts) > 0 || t.Incremental) {
			return nil, false
		}
	default:
		return nil, false
	}
	return out, true
}

type sayAction func(verb Verb, object, name, part, newName string)

func columnOfTree(say sayAction, table string, c *tast.ColumnDef) {
	for _, o := range c.Options {
		switch o.Tp {
		case tast.ColumnOptionPrimaryKey:
			say(Add, "constraint", table, "PRIMARY", "")
		case tast.ColumnOptionUniqKey:
			say(Add, "constraint", table, "", "")
		case tast.ColumnOptionReference, tast.ColumnOptionCheck:
			say(Add, "constraint", table, o.ConstraintName, "")
		}
	}
}

func constraintOfTree(say sayAction, table *tast.TableName, c *tast.Constraint) {
	full := qualified(table.Schema.O, table.Name.O)
	switch c.Tp {
	case tast.ConstraintPrimaryKey:
		say(Add, "constraint", full, "PRIMARY", "")
	case tast.ConstraintUniq, tast.ConstraintUniqKey, tast.ConstraintUniqIndex, tast.ConstraintForeignKey, tast.ConstraintCheck:
		say(Add, "constraint", full, c.Name, "")
	default:
		say(Create, "index", qualified(table.Schema.O, c.Name), "", "")
	}
}

func renameOfTree(say sayAction, from, to *tast.TableName) {
	if from.Name.O != to.Name.O {
		say(Rename, "table", qualified(from.Schema.O, from.Name.O), "", to.Name.O)
	}
	if to.Schema.O != "" && to.Schema.O != from.Schema.O {
		say(SetSchema, "table", qualified(from.Schema.O, to.Name.O), "", to.Schema.O)
	}
}

type treeTable struct {
	name  *tast.TableName
	alias string
}

func tablesOfTree(n tast.ResultSetNode) []treeTable {
	switch s := n.(type) {
	case *tast.Join:
		if s == nil {
			return nil
		}
		return append(tablesOfTree(s.Left), tablesOfTree(s.Right)...)
	case *tast.TableSource:
		if t, ok := s.Source.(*tast.TableName); ok {
			alias := s.AsName.L
			if alias == "" {
				alias = t.Name.L
			}
			return []treeTable{{t, alias}}
		}
		if j, ok := s.Source.(*tast.Join); ok {
			return tablesOfTree(j)
		}
	}
	return nil
}

// specOfTree spells one clause of ALTER TABLE; false where it is not compared.
func specOfTree(say sayAction, table *tast.TableName, s *tast.AlterTableSpec) bool {
	full := qualified(table.Schema.O, table.Name.O)
	part := func(verb Verb, object, part, newName string) { say(verb, object, full, part, newName) }
	index := func(verb Verb, name, newName string) {
		say(verb, "index", qualified(table.Schema.O, name), "", newName)
	}
	switch s.Tp {
	case tast.AlterTableAddColumns:
		for _, c := range s.NewColumns {
			part(Add, "column", c.Name.Name.O, "")
			columnOfTree(say, full, c)
		}
		for _, c := range s.NewConstraints {
			constraintOfTree(say, table, c)
		}
	case tast.AlterTableAddConstraint:
		constraintOfTree(say, table, s.Constraint)
	case tast.AlterTableDropColumn:
		part(Drop, "column", s.OldColumnName.Name.O, "")
	case tast.AlterTableDropPrimaryKey:
		part(Drop, "constraint", "PRIMARY", "")
	case tast.AlterTableDropIndex:
		index(Drop, s.Name, "")
	case tast.AlterTableDropForeignKey:
		part(Drop, "constraint", s.Name, "")
	case tast.AlterTableDropCheck:
		part(Drop, "constraint", s.Constraint.Name, "")
	case tast.AlterTableModifyColumn:
		part(SetType, "column", s.NewColumns[0].Name.Name.O, "")
		columnOfTree(say, full, s.NewColumns[0])
	case tast.AlterTableChangeColumn:
		if s.OldColumnName.Name.O != s.NewColumns[0].Name.Name.O {
			part(Rename, "column", s.OldColumnName.Name.O, s.NewColumns[0].Name.Name.O)
		}
		part(SetType, "column", s.NewColumns[0].Name.Name.O, "")
		columnOfTree(say, full, s.NewColumns[0])
	case tast.AlterTableRenameColumn:
		part(Rename, "column", s.OldColumnName.Name.O, s.NewColumnName.Name.O)
	case tast.AlterTableRenameTable:
		renameOfTree(say, table, s.NewTable)
	case tast.AlterTableAlterColumn:
		verb := DropDefault
		if len(s.NewColumns[0].Options) > 0 {
			verb = SetDefault
		}
		part(verb, "column", s.NewColumns[0].Name.Name.O, "")
	case tast.AlterTableRenameIndex:
		index(Rename, s.FromKey.O, s.ToKey.O)
	case tast.AlterTableIndexInvisible:
		index(Alter, s.IndexName.O, "")
	case tast.AlterTableAlterCheck:
		part(Alter, "constraint", s.Constraint.Name, "")
	case tast.AlterTableLock, tast.AlterTableAlgorithm, tast.AlterTableWithValidation, tast.AlterTableWithoutValidation:
		return s.Tp == tast.AlterTableLock || s.Tp == tast.AlterTableAlgorithm
	case tast.AlterTableAddPartitions:
		for _, d := range s.PartDefinitions {
			part(Add, "partition", d.Name.O, "")
		}
		if len(s.PartDefinitions) == 0 {
			part(Add, "partition", "", "")
		}
	case tast.AlterTableDropPartition, tast.AlterTableTruncatePartition:
		verb := map[bool]Verb{true: Drop, false: Truncate}[s.Tp == tast.AlterTableDropPartition]
		for _, p := range s.PartitionNames {
			part(verb, "partition", p.O, "")
		}
		if len(s.PartitionNames) == 0 {
			part(verb, "partition", "", "")
		}
	case tast.AlterTableForce, tast.AlterTableEnableKeys, tast.AlterTableDisableKeys, tast.AlterTableOrderByColumns, tast.AlterTableImportTablespace,
		tast.AlterTablePartition, tast.AlterTableRemovePartitioning:
		part(Alter, "table", "", "")
	case tast.AlterTableDiscardTablespace:
		part(Truncate, "table", "", "")
	case tast.AlterTableOption:
		part(Alter, "table", "", "")
	default:
		return false
	}
	return true
}
