package apicheck

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// state returns one line for each place where a package keeps state or runs
// code by being imported: an init function, an exported variable that is no
// error, and any package variable that is written to after its declaration.
func state(c *checked) []string {
	var lines []string
	report := func(pos token.Pos, format string, args ...any) {
		lines = append(lines, fmt.Sprintf("%s: %s", c.fset.Position(pos), fmt.Sprintf(format, args...)))
	}
	global := func(e ast.Expr) *types.Var {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				if v, ok := c.info.Uses[x.Sel].(*types.Var); ok && v.Parent() == v.Pkg().Scope() {
					return v // a variable of another package
				}
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			case *ast.SliceExpr:
				e = x.X
			case *ast.Ident:
				if v, ok := c.info.Uses[x].(*types.Var); ok && v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
					return v
				}
				return nil
			default:
				return nil
			}
		}
	}
	written := func(e ast.Expr) {
		if v := global(e); v != nil {
			report(e.Pos(), "package variable %s is changed", v.Name())
		}
	}
	for _, f := range c.files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					report(d.Pos(), "init function")
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					v, ok := s.(*ast.ValueSpec)
					if !ok || d.Tok != token.VAR {
						continue
					}
					for _, name := range v.Names {
						isError := strings.HasPrefix(name.Name, "Err") && types.Identical(c.info.Defs[name].Type(), types.Universe.Lookup("error").Type())
						if name.IsExported() && !isError {
							report(name.Pos(), "exported variable %s", name.Name)
						}
					}
				}
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, e := range n.Lhs {
					written(e)
				}
			case *ast.IncDecStmt:
				written(n.X)
			case *ast.RangeStmt:
				if n.Tok == token.ASSIGN {
					written(n.Key)
					written(n.Value)
				}
			case *ast.CallExpr:
				if name, ok := n.Fun.(*ast.Ident); ok && (name.Name == "delete" || name.Name == "clear") {
					written(n.Args[0])
				}
			case *ast.UnaryExpr:
				// A pointer to a table's row may be taken to read it; a pointer
				// to a plain variable is taken to write it.
				if _, row := n.X.(*ast.IndexExpr); n.Op == token.AND && !row {
					written(n.X)
				}
			}
			return true
		})
	}
	return lines
}

func TestNoPackageState(t *testing.T) {
	t.Parallel()
	pkgs := packages(t)
	for _, p := range pkgs {
		if p.ours() && p.Name != "main" { // a program may do with its process what it likes
			require.Empty(t, strings.Join(state(typecheck(t, pkgs, p)), "\n"))
		}
	}
}

func TestNoPackageStateCatches(t *testing.T) {
	t.Parallel()
	pkgs := packages(t)
	for src, want := range map[string]string{
		`var ErrGone = errors.New("gone")`:                               "",
		`var table = [...]int{1, 2}; func f() int { return table[0] }`:   "",
		`var table = [...]int{1, 2}; func f() *int { return &table[0] }`: "",
		`func f() { x := 1; x++; p := &x; *p = 2 }`:                      "",
		`func init() {}`:                                          "init function",
		`var Debug bool`:                                          "exported variable Debug",
		`var ErrCount int`:                                        "exported variable ErrCount",
		`var n int; func f() { n++ }`:                             "package variable n is changed",
		`var n int; func f() { n = 2 }`:                           "package variable n is changed",
		`var n int; func f() *int { return &n }`:                  "package variable n is changed",
		`var m = map[int]int{}; func f() { m[1] = 2 }`:            "package variable m is changed",
		`var m = map[int]int{}; func f() { delete(m, 1) }`:        "package variable m is changed",
		`var s struct{ a [2]int }; func f() { s.a[0] += 2 }`:      "package variable s is changed",
		`var p = new(int); func f() { *p = 3 }`:                   "package variable p is changed",
		`var n int; func f() { for n = range 3 {} }`:              "package variable n is changed",
		`func f() { errors.ErrUnsupported = nil }`:                "package variable ErrUnsupported is changed",
		`var ErrX = errors.New("x"); func f() { ErrX = nil }`:     "package variable ErrX is changed",
		`var n = 1; func f() { n := 2; n++ }; var _ = errors.New`: "",
	} {
		c := newChecked(&pkg{ImportPath: "p"})
		c.parse(t, "p.go", "package p; import \"errors\"; var _ = errors.Is; "+src)
		c.check(t, pkgs)
		got := strings.Join(state(c), "\n")
		if want == "" {
			require.Empty(t, got, src)
		} else {
			require.Contains(t, got, want, src)
		}
	}
}
