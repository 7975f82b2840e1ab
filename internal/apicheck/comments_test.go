package apicheck

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tables are the code blocks of doc comments that are no code, by their
// beginning.
var tables = []string{
	"GET    /state", // the fake's control API
	"GET  overview", // the addresses of package admin
	"400  the body ended early",
	"LOCK  ", // the spool's files
	"0  4  \"spo2\"",
	"0  4  kind",
}

// eachComment calls f with each doc comment of a package, as "go doc" shows it,
// and the name that it explains.
func eachComment(t *testing.T, importPath string, fset *token.FileSet, files []*ast.File, f func(name string, d *comment.Doc)) {
	t.Helper()
	p, err := doc.NewFromFiles(fset, files, importPath, doc.PreserveAST)
	require.NoError(t, err)
	add := func(name, text string) { f(name, p.Parser().Parse(text)) }
	values := func(list []*doc.Value) {
		for _, v := range list {
			add(v.Names[0], v.Doc)
		}
	}
	funcs := func(of string, list []*doc.Func) {
		for _, fn := range list {
			add(of+fn.Name, fn.Doc)
		}
	}
	add("package "+p.Name, p.Doc)
	values(p.Consts)
	values(p.Vars)
	funcs("", p.Funcs)
	for _, typ := range p.Types {
		add(typ.Name, typ.Doc)
		values(typ.Consts)
		values(typ.Vars)
		funcs("", typ.Funcs)
		funcs(typ.Name+".", typ.Methods)
	}
}

// commentBlocks returns the code blocks of a package's doc comments, with the
// name that each explains.
func commentBlocks(t *testing.T, importPath string, fset *token.FileSet, files []*ast.File) (blocks [][2]string) {
	t.Helper()
	eachComment(t, importPath, fset, files, func(name string, d *comment.Doc) {
		for _, b := range d.Content {
			if code, ok := b.(*comment.Code); ok {
				blocks = append(blocks, [2]string{name, code.Text})
			}
		}
	})
	return blocks
}

// deadLink is what is left in brackets where they name nothing, or where a
// program prints [REDACTED].
var deadLink = regexp.MustCompile(`\[\*?[A-Za-z]\w*(?:\.\w+)*\]`)

// deadLinks returns the names in brackets that are no links, since nothing has
// that name.
func deadLinks(t *testing.T, importPath string, fset *token.FileSet, files []*ast.File) (lines []string) {
	t.Helper()
	eachComment(t, importPath, fset, files, func(name string, d *comment.Doc) {
		var text func(list []comment.Text) //nolint:staticcheck // it calls itself
		text = func(list []comment.Text) {
			for _, x := range list {
				if plain, ok := x.(comment.Plain); ok {
					for _, dead := range deadLink.FindAllString(string(plain), -1) {
						if dead != "[REDACTED]" {
							lines = append(lines, name+": "+dead)
						}
					}
				}
			}
		}
		var blocks func(list []comment.Block)
		blocks = func(list []comment.Block) {
			for _, b := range list {
				switch b := b.(type) {
				case *comment.Paragraph:
					text(b.Text)
				case *comment.Heading:
					text(b.Text)
				case *comment.List:
					for _, item := range b.Items {
						blocks(item.Content)
					}
				}
			}
		}
		blocks(d.Content)
	})
	return lines
}

// compiledCode returns what "go vet ./..." compiles and users are to copy: test
// files and example programs.
func compiledCode(files map[string][]byte) (code []string) {
	for name, data := range files {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "examples/") && path.Ext(name) == ".go" {
			code = append(code, flatten(string(data)))
		}
	}
	return code
}

// stray returns the blocks that stand nowhere in code and are no tables.
func stray(blocks [][2]string, code []string) (lines []string) {
	for _, b := range blocks {
		block := flatten(b[1])
		if slices.ContainsFunc(tables, func(start string) bool { return strings.HasPrefix(block, "\n"+start) }) ||
			slices.ContainsFunc(code, func(c string) bool { return strings.Contains(c, block) }) {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: this block is compiled nowhere:%s", b[0], block))
	}
	return lines
}

// TestCommentsCompile holds that each code block in a doc comment stands, line
// by line, in a test file or an example program, where the compiler sees it,
// and that each name in brackets is one.
func TestCommentsCompile(t *testing.T) {
	t.Parallel()
	code := compiledCode(tree(t))
	for _, p := range packages(t) {
		if !public(p) {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			require.NoError(t, err)
			files = append(files, f)
		}
		for _, line := range stray(commentBlocks(t, p.ImportPath, fset, files), code) {
			t.Errorf("%s: %s", p.rel(), line)
		}
		for _, line := range deadLinks(t, p.ImportPath, fset, files) {
			t.Errorf("%s: %s is not there", p.rel(), line)
		}
	}
}

func TestCommentsCompileCatches(t *testing.T) {
	t.Parallel()
	const source = `// Package p does.
//
//	in.Package()
package p

// V is a variable:
//
//	in.Variable()
var V int

// T is a type:
//
//	if in.Type() {
//		good()
//	}
//
// and a table:
//
//	GET    /state    tells
type T int

// M is a method:
//
//	in.Method()
func (T) M() {}

// New makes one:
//
//	in.Constructor()
func New() T { return 0 }

// F is a function, as [New] and [T.M] are, and [T.N] and [G] are not:
//
//	in.Function()
//
// Nor is one of these, [REDACTED] apart:
//
//   - [*T] is
//   - [H] is not
func F() {}
`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", source, parser.ParseComments)
	require.NoError(t, err)
	blocks := commentBlocks(t, "example.com/p", fset, []*ast.File{f})
	require.Len(t, blocks, 7)
	code := compiledCode(map[string][]byte{
		"p/p_test.go": []byte("package p\n\nfunc Test() {\n\t\tif in.Type() {\n\t\t\tgood()\n\t\t}\n}\n"),
		"p/p.go":      []byte(source),
	})
	var names []string
	for _, line := range stray(blocks, code) {
		names = append(names, strings.SplitN(line, ":", 2)[0])
	}
	require.ElementsMatch(t, []string{"package p", "V", "T.M", "New", "F"}, names)
	require.Equal(t, []string{"F: [T.N]", "F: [G]", "F: [H]"}, deadLinks(t, "example.com/p", fset, []*ast.File{f}))
}
