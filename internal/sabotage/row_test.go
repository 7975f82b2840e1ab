package sabotage

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// tableName is the table of a package's rows, in the package's directory. See the
// package documentation for its form.
const tableName = "testdata/sabotage.txt"

// row is one defence, how it is switched off, and the test that must notice.
type row struct {
	place   string // file and line of the row
	defence string
	edits   []edit
	// The test that must fail: "./notify", "TestOrigin/case" as for go test -run,
	// and further flags of go test.
	pkg, test string
	flags     []string
}

// edit replaces whole lines of a file.
type edit struct {
	file     string // from the repository's root
	old, new string // each line with its line feed
}

// rows returns all defences.
var rows = sync.OnceValues(func() ([]row, error) {
	var all []row
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || len(d.Name()) > 2 && d.Name()[0] == '.'):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(filepath.ToSlash(name), "/"+tableName):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		name, err = filepath.Rel(root, name)
		if err != nil {
			return err
		}
		some, err := parse(filepath.ToSlash(name), string(text))
		all = append(all, some...)
		return err
	})
	return all, err
})

func allRows(t *testing.T) []row {
	t.Helper()
	all, err := rows()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// parse reads a table.
func parse(name, text string) (all []row, err error) {
	dir := path.Dir(path.Dir(name))
	var r *row  // the last
	var e *edit // its last
	empty := 0  // lines
	for i, line := range strings.Split(text, "\n") {
		at := fmt.Sprintf("%s:%d", name, i+1)
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(line, "#"):
		case word == "defence:":
			all = append(all, row{place: at, defence: rest})
			r, e, empty = &all[len(all)-1], nil, 0
		case word == "test:" && r != nil && e == nil:
			r.pkg = "./" + dir
			for _, f := range strings.Fields(rest) {
				switch {
				case strings.HasPrefix(f, "./"):
					r.pkg = f
				case strings.HasPrefix(f, "-"):
					r.flags = append(r.flags, f)
				default:
					r.test = f
				}
			}
		case word == "file:" && r != nil:
			r.edits = append(r.edits, edit{file: path.Join(dir, rest)})
			e, empty = &r.edits[len(r.edits)-1], 0
		case line == "":
			empty++ // it is between rows, or stands for itself
		case e != nil && strings.ContainsRune(" -+", rune(line[0])):
			if e.old+e.new != "" {
				e.old, e.new = e.old+strings.Repeat("\n", empty), e.new+strings.Repeat("\n", empty)
			}
			if line[0] != '+' {
				e.old += line[1:] + "\n"
			}
			if line[0] != '-' {
				e.new += line[1:] + "\n"
			}
			empty = 0
		default:
			return nil, fmt.Errorf("%s: not understood: %q", at, line)
		}
	}
	for i := range all {
		if r := all[i]; r.test == "" || len(r.edits) == 0 {
			return nil, fmt.Errorf("%s: no test or no file", r.place)
		}
	}
	return all, nil
}

// changed returns the files of the row without the defence, by their paths
// from the root.
func (r *row) changed() (map[string]string, error) {
	files, names := map[string]string{}, map[string][]string{}
	for _, e := range r.edits {
		text, ok := files[e.file]
		if !ok {
			data, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.place, err)
			}
			text = string(data)
			names[e.file] = receivers(text)
		}
		next, n := e.apply(text, names[e.file])
		if n != 1 || next == text {
			return nil, fmt.Errorf("%s: %w", r.place, &editError{e, n})
		}
		files[e.file] = next
	}
	return files, nil
}

// apply returns the text without the defence, and how often the old lines stand in
// it. In a row, @ is the receiver of a method, which the code calls by one of the
// names.
func (e *edit) apply(text string, names []string) (next string, n int) {
	text = "\n" + text // so that each line is behind another
	next = text
	for _, name := range append([]string{"@"}, names...) {
		old, with := "\n"+strings.ReplaceAll(e.old, "@", name), "\n"+strings.ReplaceAll(e.new, "@", name)
		for i := strings.Index(text, old); i >= 0; {
			n++
			next = text[:i] + with + text[i+len(old):]
			k := strings.Index(text[i+1:], old)
			if k < 0 {
				break
			}
			i += 1 + k
		}
		if !strings.Contains(e.old, "@") {
			break
		}
	}
	return next[1:], n
}

var receiver = regexp.MustCompile(`(?m)^func \((\w+) `)

// receivers returns what the methods of a file call their receivers.
func receivers(text string) (names []string) {
	for _, m := range receiver.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

type editError struct {
	edit
	n int
}

func (e *editError) Error() string {
	if e.n == 1 {
		return e.file + ": nothing is changed"
	}
	return e.file + ": does not hold once:\n" + e.old
}

// TestRows holds that each row fits the code as it is now.
func TestRows(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	tests := map[string]map[string]bool{} // by package
	for _, r := range allRows(t) {
		t.Run(r.defence, func(t *testing.T) {
			require.False(t, names[r.defence], "two rows of one name")
			names[r.defence] = true
			files, err := r.changed()
			require.NoError(t, err)
			for name, text := range files {
				if filepath.Ext(name) != ".go" {
					continue
				}
				_, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
				require.NoError(t, err)
			}
			if tests[r.pkg] == nil {
				tests[r.pkg] = declared(t, r.pkg)
			}
			test, _, _ := strings.Cut(r.test, "/")
			require.True(t, tests[r.pkg][test], "%s: %s has no %s", r.place, r.pkg, test)
		})
	}
}

// declared returns the names of a package's tests.
func declared(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	require.True(t, strings.HasPrefix(pkg, "./"), pkg)
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	require.NoError(t, err)
	decl := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	found := map[string]bool{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range decl.FindAllSubmatch(data, -1) {
			found[string(m[1])] = true
		}
	}
	return found
}

func TestParse(t *testing.T) {
	t.Parallel()
	all, err := parse("a/b/testdata/sabotage.txt", `# A comment.

defence: F1 one
test: TestOne/a_case -race
file: one.go
 before

-old
+new
 after

file: ../two.go
-old

defence: two
test: ./c TestTwo
file: testdata/x
+new
`)
	require.NoError(t, err)
	require.Equal(t, []row{
		{
			place: "a/b/testdata/sabotage.txt:3", defence: "F1 one", pkg: "./a/b", test: "TestOne/a_case", flags: []string{"-race"},
			edits: []edit{{"a/b/one.go", "before\n\nold\nafter\n", "before\n\nnew\nafter\n"}, {"a/two.go", "old\n", ""}},
		},
		{
			place: "a/b/testdata/sabotage.txt:15", defence: "two", pkg: "./c", test: "TestTwo",
			edits: []edit{{"a/b/testdata/x", "", "new\n"}},
		},
	}, all)
	for _, bad := range []string{
		"test: TestOne\n", "file: x\n", "-x\n", "defence: one\ntest: TestOne\n", "defence: one\nfile: x\n-x\n", "defence: one\nsomething\n",
	} {
		_, err := parse("a/testdata/sabotage.txt", bad)
		require.Error(t, err, bad)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	const code = "package p\n\nfunc (x *t) m() {\n\tx.n++\n\tx.k++\n}\n\nfunc (y *t) n() {\n\ty.k++\n\ty.k++\n}\n"
	for _, tt := range []struct {
		old, new, want string
		n              int
	}{
		{"\t@.n++\n", "", strings.Replace(code, "\tx.n++\n", "", 1), 1},
		{"\tx.n++\n", "\tx.n--\n", strings.Replace(code, "x.n++", "x.n--", 1), 1},
		{"package p\n", "package q\n", strings.Replace(code, "package p", "package q", 1), 1},
		{"\t@.k++\n", "", "", 3},
		{"\t@.none++\n", "", code, 0},
		{"x.n++\n", "", code, 0}, // not the whole line
	} {
		e := edit{file: "x.go", old: tt.old, new: tt.new}
		next, n := e.apply(code, receivers(code))
		require.Equal(t, tt.n, n, tt.old)
		if n < 2 {
			require.Equal(t, tt.want, next, tt.old)
		}
	}
	e := edit{file: "x.sql", old: "a @ b\n", new: "c @ d\n"}
	next, n := e.apply("a @ b\n", nil)
	require.Equal(t, 1, n)
	require.Equal(t, "c @ d\n", next)
}

// TestRenamedReceivers renames the receivers of all methods: the rows still fit.
func TestRenamedReceivers(t *testing.T) {
	t.Parallel()
	asIs, renamed := map[string]string{}, map[string]string{}
	for _, r := range allRows(t) {
		texts := map[string]string{}
		for _, e := range r.edits {
			if path.Ext(e.file) != ".go" {
				continue
			}
			if renamed[e.file] == "" {
				asIs[e.file], renamed[e.file] = renameReceivers(t, e.file)
			}
			if texts[e.file] == "" {
				texts[e.file] = renamed[e.file]
			}
			if !strings.Contains(e.old, "@") || strings.Contains(asIs[e.file], e.old) {
				continue // an edit of an edit, of a function, or one that means the character
			}
			next, n := e.apply(texts[e.file], receivers(renamed[e.file]))
			require.Equal(t, 1, n, "%s: %s", r.place, e.old)
			texts[e.file] = next
		}
	}
}

func renameReceivers(t *testing.T, name string) (asIs, renamed string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, filepath.Join(root, name), nil, parser.ParseComments)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	var ends []int // of each use of a receiver
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil || len(f.Recv.List[0].Names) != 1 {
			continue
		}
		recv := f.Recv.List[0].Names[0]
		// The parser resolves names within one file, which is enough.
		keys := map[ast.Expr]bool{} // of composite literals: names of fields
		ast.Inspect(f, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				keys[kv.Key] = true
			}
			if id, ok := n.(*ast.Ident); ok && !keys[id] && id.Obj != nil && id.Obj == recv.Obj {
				ends = append(ends, files.Position(id.End()).Offset)
			}
			return true
		})
	}
	slices.Sort(ends)
	var out strings.Builder
	last := 0
	for _, end := range slices.Compact(ends) {
		out.Write(text[last:end])
		out.WriteString("Renamed")
		last = end
	}
	out.Write(text[last:])
	return string(text), out.String()
}

func TestRowCatches(t *testing.T) {
	t.Parallel()
	const file = "internal/sabotage/doc.go"
	for want, e := range map[string]edit{
		"no such file":         {file: "internal/sabotage/none.go"},
		"does not hold once":   {file: file, old: "no such words\n"},
		"nothing is changed":   {file: file, old: "package sabotage\n", new: "package sabotage\n"},
		"not hold once:\n//\n": {file: file, old: "//\n"},
	} {
		_, err := (&row{edits: []edit{e}}).changed()
		require.ErrorContains(t, err, want)
	}
	r := row{edits: []edit{{file, "package sabotage\n", "package a\n"}, {file, "package a\n", "package b\n"}}}
	files, err := r.changed()
	require.NoError(t, err)
	require.Contains(t, files[file], "\npackage b\n")
}
