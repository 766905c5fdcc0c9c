package lazy_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/migration-gate/migration-gate/snapshot/internal/lazy"
)

// TestPatterns: each pattern that is given to Compile is one. No start of the
// program would find out.
func TestPatterns(t *testing.T) {
	for _, dir := range []string{"../../postgres", "../../mysql"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s (%v)", dir, err)
		}
		fset := token.NewFileSet()
		var parsed []*ast.File
		consts := map[string]ast.Expr{}
		for _, name := range files {
			f, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
			for _, d := range f.Decls {
				if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
					for _, s := range g.Specs {
						for i, v := range s.(*ast.ValueSpec).Values {
							consts[s.(*ast.ValueSpec).Names[i].Name] = v
						}
					}
				}
			}
		}
		n := 0
		for _, f := range parsed {
			ast.Inspect(f, func(node ast.Node) bool {
				call, ok := node.(*ast.CallExpr)
				if !ok {
					return true
				}
				if to, ok := call.Fun.(*ast.SelectorExpr); !ok || to.Sel.Name != "Compile" {
					return true
				} else if pkg, ok := to.X.(*ast.Ident); !ok || pkg.Name != "lazy" {
					return true
				}
				n++
				pattern, ok := text(call.Args[0], consts)
				if !ok {
					t.Errorf("%s: the pattern is put together in a way that this test cannot follow", fset.Position(call.Pos()))
				} else if _, err := regexp.Compile(pattern); err != nil {
					t.Errorf("%s: %v", fset.Position(call.Pos()), err)
				}
				return true
			})
		}
		if n == 0 {
			t.Errorf("no call in %s", dir)
		}
	}
}

// text is a constant text's value.
func text(e ast.Expr, consts map[string]ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.Ident:
		c, ok := consts[e.Name]
		if !ok {
			return "", false
		}
		return text(c, consts)
	case *ast.ParenExpr:
		return text(e.X, consts)
	case *ast.BinaryExpr:
		a, okA := text(e.X, consts)
		b, okB := text(e.Y, consts)
		return a + b, okA && okB && e.Op == token.ADD
	}
	return "", false
}

func TestCompiledOnce(t *testing.T) {
	r := lazy.Compile(`(a+)(b?)`)
	for range 2 {
		if m := r.FindStringSubmatch("xaab"); len(m) != 3 || m[1] != "aa" {
			t.Errorf("got %q", m)
		}
	}
}
