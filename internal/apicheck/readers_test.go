package apicheck

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// calledByOthers are the methods that the standard library calls, and those that a
// package of ours calls through an interface of its own, since it must not import
// the other.
var calledByOthers = map[string]string{
	"Error": "error", "Unwrap": "package errors",
	"String": "package fmt", "Format": "package fmt", "LogValue": "package log/slog",
	"MarshalJSON": "package encoding/json", "UnmarshalJSON": "package encoding/json",
	"Fault": "packages notify and backfill", "RetryAfter": "package notify",
}

// withoutReader are the other identifiers that need no reader, and why.
var withoutReader = map[string]string{
	"notify/notifytest.RunFileStore": "it is for a partner's own store; ours has its test in that package",
}

// reading is what files read of the packages of ours. Without types, a method is
// known by its name alone: a file reads it if it imports the package and selects
// that name of anything.
type reading struct {
	names, members, own map[string]bool // "notify.NewHandler", "notify.Close"
}

// read adds a file to what is read. Of the package's own tests the examples count.
func (r *reading) read(name string, data []byte) error {
	dir := path.Dir(name)
	test := strings.HasSuffix(name, "_test.go")
	if !bytes.Contains(data, []byte(module)) && test {
		return nil
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, data, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	imports := map[string]string{} // by the name in the file
	for _, i := range f.Imports {
		p, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module+"/")
		if !ok {
			continue
		}
		as := path.Base(p)
		if i.Name != nil {
			as = i.Name.Name
		}
		imports[as] = p
	}
	for _, d := range f.Decls {
		fn, _ := d.(*ast.FuncDecl)
		example := test && fn != nil && strings.HasPrefix(fn.Name.Name, "Example") || strings.Contains(path.Base(name), "example")
		if fn != nil && fn.Recv != nil { // it may be for an interface
			for _, p := range imports {
				r.own[p+"."+fn.Name.Name] = true
			}
		}
		ast.Inspect(d, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if !test {
				r.own[dir+"."+s.Sel.Name] = true
			}
			x, _ := s.X.(*ast.Ident)
			for as, p := range imports {
				switch {
				case p == dir && !example:
				case x == nil || x.Name != as:
					r.members[p+"."+s.Sel.Name] = true
				default:
					r.names[p+"."+s.Sel.Name] = true
				}
			}
			return true
		})
	}
	return nil
}

var (
	topFeature    = regexp.MustCompile(`^(const|var|func|type) (\w+)(?:(\(| )(.*))?$`)
	methodFeature = regexp.MustCompile(`^method \(\*?(\w+)\) (\w+)`)
	memberFeature = regexp.MustCompile(`^type (\w+) interface, (\w+)\(`)
)

// unread returns the exported identifiers of a list like api.txt that nothing in
// files reads. A type has a reader if another feature of the list names it, and a
// constant if it is of an exported type, whose constants are a set.
func unread(list string, files map[string][]byte) (lines []string, err error) {
	r := &reading{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for name, data := range files {
		if path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
			continue
		}
		if err := r.read(name, data); err != nil {
			return nil, err
		}
	}
	features := map[string][]string{}
	contracts := map[string]bool{} // names of methods of interfaces
	for line := range strings.Lines(list) {
		if p, feature, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "pkg "), ", "); ok {
			features[p] = append(features[p], feature)
			if m := memberFeature.FindStringSubmatch(feature); m != nil {
				contracts[m[2]] = true
			}
		}
	}
	for p, all := range features {
		for _, feature := range all {
			id, has := "", true
			if m := methodFeature.FindStringSubmatch(feature); m != nil {
				id, has = m[1]+"."+m[2], r.members[p+"."+m[2]] || contracts[m[2]] || calledByOthers[m[2]] != ""
			} else if m := memberFeature.FindStringSubmatch(feature); m != nil {
				id, has = m[1]+"."+m[2], r.members[p+"."+m[2]] || r.own[p+"."+m[2]]
			} else if strings.Contains(feature, " struct, ") || strings.Contains(feature, " interface, ") {
				continue // fields, and what seals an interface
			} else if m := topFeature.FindStringSubmatch(feature); m != nil {
				id, has = m[2], r.names[p+"."+m[2]]
				switch kind, _, _ := strings.Cut(m[4], " "); {
				case m[1] == "const" && kind != "untyped" && token.IsExported(kind):
					has = true
				case m[1] == "type" && !has:
					named := regexp.MustCompile(`\b` + m[2] + `\b`)
					itself := regexp.MustCompile(`^type ` + m[2] + `\b|^method \(\*?` + m[2] + `\)`)
					has = slices.ContainsFunc(all, func(other string) bool { return named.MatchString(other) && !itself.MatchString(other) })
				}
			}
			if !has && withoutReader[p+"."+id] == "" {
				lines = append(lines, fmt.Sprintf("%s.%s has no reader: not in an example, a program, a nested module, another package or its tests", p, id))
			}
		}
	}
	slices.Sort(lines)
	return lines, nil
}

// TestReaders holds that each exported identifier is read by somebody else.
func TestReaders(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("testdata/api.txt")
	require.NoError(t, err)
	lines, err := unread(string(list), tree(t))
	require.NoError(t, err)
	require.Empty(t, strings.Join(lines, "\n"))
}

func TestReadersCatches(t *testing.T) {
	t.Parallel()
	const list = `pkg a, const Much untyped int = 1
pkg a, const StateOne State = 1
pkg a, func New() *T
pkg a, method (*T) Close() error
pkg a, method (*T) Error() string
pkg a, method (*T) Run()
pkg a, type Alone struct
pkg a, type Alone struct, Field int
pkg a, type Store interface
pkg a, type Store interface, Close() error
pkg a, type Store interface, Get(int) (Store, error)
pkg a, type State uint8
pkg a, type T struct
pkg a, var ErrGone error
`
	const imports = "import \"" + module + "/a\"\n\n"
	left := []string{"Alone", "ErrGone", "Much", "New", "Store", "Store.Close", "Store.Get", "T.Run"}
	for _, tt := range []struct {
		name, text string
		read       []string
	}{
		{"b/b.go", imports + "func F() { a.New().Run() }", []string{"New", "T.Run"}},
		{"b/b_test.go", imports + "var _, _ = a.Much, a.ErrGone", []string{"Much", "ErrGone"}},
		{"b/b.go", imports + "type s struct{ a.Alone }\n\nfunc (s) Get(int) {}", []string{"Alone", "Store.Get"}},
		{"b/b.go", "import o \"" + module + "/a\"\n\nvar _ = o.New()", []string{"New"}},
		{"b/b.go", "import \"other/a\"\n\nvar _ = a.New()", nil},
		{"a/a.go", "func (t *T) Run() { t.s.Close(); New() }", []string{"Store.Close"}},
		{"a/a_test.go", imports + "func TestNew() { a.New().Run() }", nil},
		{"a/a_test.go", imports + "func ExampleNew() { a.New().Run() }", []string{"New", "T.Run"}},
		{"b/testdata/b.go", imports + "var _ = a.New()", nil},
	} {
		lines, err := unread(list, map[string][]byte{tt.name: []byte("package p\n\n" + tt.text)})
		require.NoError(t, err)
		var got []string
		for _, line := range lines {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, "a."), " ")
			got = append(got, id)
		}
		want := slices.DeleteFunc(slices.Clone(left), func(id string) bool { return slices.Contains(tt.read, id) })
		require.Equal(t, want, got, "%s: %s", tt.name, tt.text)
	}
}
