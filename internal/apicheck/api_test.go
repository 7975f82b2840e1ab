package apicheck

import (
	"flag"
	"fmt"
	"go/types"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/api.txt anew")

// api returns one line for each exported feature of a package, sorted.
func api(tp *types.Package) []string {
	var lines []string
	path := strings.TrimPrefix(tp.Path(), module+"/")
	// Names of other packages are written with their last element, of this one
	// without.
	qualify := func(p *types.Package) string {
		if p == tp {
			return ""
		}
		return p.Name()
	}
	text := func(t types.Type) string { return types.TypeString(t, qualify) }
	add := func(format string, args ...any) {
		lines = append(lines, "pkg "+path+", "+fmt.Sprintf(format, args...))
	}
	// Without the names of parameters: they may change.
	unnamed := func(vars *types.Tuple) *types.Tuple {
		var list []*types.Var
		for v := range vars.Variables() {
			list = append(list, types.NewParam(0, nil, "", v.Type()))
		}
		return types.NewTuple(list...)
	}
	signature := func(t types.Type) string {
		s := t.(*types.Signature)
		return strings.TrimPrefix(text(types.NewSignatureType(nil, nil, nil, unnamed(s.Params()), unnamed(s.Results()), s.Variadic())), "func")
	}
	for _, name := range tp.Scope().Names() {
		obj := tp.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.Const:
			add("const %s %s = %s", name, text(obj.Type()), obj.Val())
		case *types.Var:
			add("var %s %s", name, text(obj.Type()))
		case *types.Func:
			add("func %s%s", name, signature(obj.Type()))
		case *types.TypeName:
			switch u := obj.Type().Underlying().(type) {
			case *types.Struct:
				add("type %s struct", name)
				for f := range u.Fields() {
					if f.Exported() {
						if f.Embedded() {
							add("type %s struct, embedded %s", name, text(f.Type()))
						} else {
							add("type %s struct, %s %s", name, f.Name(), text(f.Type()))
						}
					}
				}
			case *types.Interface:
				add("type %s interface", name)
				sealed := false
				for m := range u.Methods() {
					if m.Exported() {
						add("type %s interface, %s%s", name, m.Name(), signature(m.Type()))
					} else {
						sealed = true
					}
				}
				if sealed {
					add("type %s interface, unexported methods", name)
				}
				continue
			default:
				add("type %s %s", name, text(u))
			}
			// The methods of *T include those of T.
			value := types.NewMethodSet(obj.Type())
			for sel := range types.NewMethodSet(types.NewPointer(obj.Type())).Methods() {
				if !sel.Obj().Exported() {
					continue
				}
				recv := "*" + name
				if value.Lookup(tp, sel.Obj().Name()) != nil {
					recv = name
				}
				add("method (%s) %s%s", recv, sel.Obj().Name(), signature(sel.Type()))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// TestAPI holds the exported API to testdata/api.txt, so that nobody changes it
// by accident.
func TestAPI(t *testing.T) {
	t.Parallel()
	pkgs := packages(t)
	var lines []string
	for _, p := range pkgs {
		if public(p) {
			lines = append(lines, api(typecheck(t, pkgs, p).types)...)
		}
	}
	slices.Sort(lines)
	const golden = "testdata/api.txt"
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	}
	data, err := os.ReadFile(golden)
	require.NoError(t, err)
	want := strings.Split(strings.TrimSpace(string(data)), "\n")
	var diff []string
	for _, l := range want {
		if _, ok := slices.BinarySearch(lines, l); !ok {
			diff = append(diff, "- "+l)
		}
	}
	for _, l := range lines {
		if !slices.Contains(want, l) {
			diff = append(diff, "+ "+l)
		}
	}
	require.Empty(t, strings.Join(diff, "\n"), "the exported API has changed; if that is meant, run: go test ./internal/apicheck -run TestAPI -update")
}

// TestAPICatches sees the lines of a small package.
func TestAPICatches(t *testing.T) {
	t.Parallel()
	c := newChecked(&pkg{ImportPath: module + "/p"})
	c.parse(t, "p.go", `package p
		type ID string
		func (ID) Stem() ID { return "" }
		func (*ID) Set(string) {}
		type S struct { A int; b int; ID }
		type I interface { M(x int) error; hidden() }
		const C ID = "c"
		var ErrX error
		func F(s *S, more ...string) (I, error) { return nil, nil }
		func unseen() {}
	`)
	c.check(t, packages(t))
	require.Equal(t, []string{
		"pkg p, const C ID = \"c\"",
		"pkg p, func F(*S, ...string) (I, error)",
		"pkg p, method (*ID) Set(string)",
		"pkg p, method (*S) Set(string)",
		"pkg p, method (ID) Stem() ID",
		"pkg p, method (S) Stem() ID",
		"pkg p, type I interface",
		"pkg p, type I interface, M(int) error",
		"pkg p, type I interface, unexported methods",
		"pkg p, type ID string",
		"pkg p, type S struct",
		"pkg p, type S struct, A int",
		"pkg p, type S struct, embedded ID",
		"pkg p, var ErrX error",
	}, api(c.types))
}
