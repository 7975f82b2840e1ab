package apicheck

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// missingExamples returns the functions of a package that no Example calls.
// Functions that take a testing.TB are for tests and cannot have one. Examples
// without output are reported too: they are not run.
func missingExamples(files []*ast.File, examples []*doc.Example) []string {
	var lines []string
	called := map[string]bool{}
	for _, e := range examples {
		if e.Output == "" && !e.EmptyOutput {
			lines = append(lines, "Example"+e.Name+" has no output")
		}
		// Play is the whole file, with the helpers an Example calls.
		for _, code := range []ast.Node{e.Code, e.Play} {
			if code == nil || code == (*ast.File)(nil) {
				continue
			}
			ast.Inspect(code, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					called[sel.Sel.Name] = true
				}
				return true
			})
		}
	}
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && fn.Name.IsExported() && !forTests(fn) && !called[fn.Name.Name] {
				lines = append(lines, "func "+fn.Name.Name+" is in no Example")
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// forTests tells whether a parameter is of package testing.
func forTests(fn *ast.FuncDecl) bool {
	found := false
	ast.Inspect(fn.Type.Params, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if p, ok := sel.X.(*ast.Ident); ok && p.Name == "testing" {
				found = true
			}
		}
		return true
	})
	return found
}

func TestExamples(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if !public(p) {
			continue
		}
		fset := token.NewFileSet()
		parse := func(name string) *ast.File {
			f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
			require.NoError(t, err)
			return f
		}
		var files, tests []*ast.File
		for _, name := range p.GoFiles {
			files = append(files, parse(filepath.Join(p.Dir, name)))
		}
		names, err := filepath.Glob(filepath.Join(p.Dir, "*_test.go"))
		require.NoError(t, err)
		for _, name := range names {
			tests = append(tests, parse(name))
		}
		for _, line := range missingExamples(files, doc.Examples(tests...)) {
			t.Errorf("%s: %s", p.rel(), line)
		}
	}
}

func TestExamplesCatches(t *testing.T) {
	t.Parallel()
	parse := func(src string) *ast.File {
		f, err := parser.ParseFile(token.NewFileSet(), "x_test.go", src, parser.ParseComments)
		require.NoError(t, err)
		return f
	}
	code := parse(`package p
		import "testing"
		func Shown() {}
		func Forgotten() {}
		func Silent() {}
		func (t T) Method() {}
		func hidden() {}
		func Suite(t *testing.T, n int) {}
	`)
	examples := doc.Examples(parse("package p_test\n\nimport \"p\"\n\nfunc Example() {\n\tp.Shown()\n\t// Output: x\n}\n\nfunc ExampleSilent() {\n\tp.Silent()\n}\n"))
	require.Equal(t, []string{
		"ExampleSilent has no output",
		"func Forgotten is in no Example",
	}, missingExamples([]*ast.File{code}, examples))
}

// TestDocumented holds that every exported name has a comment, its own or that
// of its group.
func TestDocumented(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if !public(p) {
			continue
		}
		fset := token.NewFileSet()
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			require.NoError(t, err)
			for _, d := range f.Decls {
				for _, id := range undocumented(d) {
					t.Errorf("%s: %s has no comment", fset.Position(id.Pos()), id.Name)
				}
			}
		}
	}
}

func undocumented(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || receiver(d).IsExported()) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		if d.Doc != nil {
			return nil
		}
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Doc == nil && s.Name.IsExported() {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				if s.Doc == nil && s.Comment == nil {
					names = append(names, slices.DeleteFunc(slices.Clone(s.Names), func(id *ast.Ident) bool { return !id.IsExported() })...)
				}
			}
		}
	}
	return names
}

func receiver(d *ast.FuncDecl) *ast.Ident {
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.Ident:
			return x
		default:
			return ast.NewIdent("_")
		}
	}
}
