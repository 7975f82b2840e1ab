package sabotage

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// row is one defence, how it is switched off, and the test that must notice.
type row struct {
	// defence begins with the ids it stands for in the fault matrix (F1 to F46)
	// and the threat table (T1 to T20), if it is in one of them.
	defence  string
	file     string // from the repository's root
	old, new string // old stands in the file once; new is the code without the defence
	// also are further edits, where either of two layers alone holds.
	also      []edit
	pkg, test string   // the test that must fail: "./notify", "TestOrigin/case" as for go test -run
	flags     []string // further flags of go test, such as -race
}

// edit replaces one passage of a file.
type edit struct{ file, old, new string }

func (r *row) edits() []edit {
	return append([]edit{{r.file, r.old, r.new}}, r.also...)
}

// rows returns all defences.
func rows() []row {
	var all []row
	for _, part := range [][]row{notifyRows(), processorRows(), fileRows(), spoolRows(), sealRows(), eraseRows(), decodeRows(), activityRows(), authRows(), faultRows(), backfillRows(), sharedRows(), postgresRows(), riverRows(), productRows(), lossRows(), serviceRows(), adminRows(), garminctlRows(), appRows(), fakeRows(), simulatedRows()} {
		all = append(all, part...)
	}
	return all
}

// changed returns the files of the row without the defence, by their paths
// from the root.
func (r *row) changed() (map[string]string, error) {
	files := map[string]string{}
	for _, e := range r.edits() {
		text, ok := files[e.file]
		if !ok {
			data, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, err
			}
			text = string(data)
		}
		if n := strings.Count(text, e.old); n != 1 || e.old == e.new {
			return nil, &editError{e, n}
		}
		files[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	return files, nil
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
	for _, r := range rows() {
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
			require.True(t, tests[r.pkg][test], "%s has no %s", r.pkg, test)
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

func TestRowCatches(t *testing.T) {
	t.Parallel()
	const file = "internal/sabotage/doc.go"
	for want, r := range map[string]row{
		"no such file":       {file: "internal/sabotage/none.go"},
		"does not hold once": {file: file, old: "no such words"},
		"nothing is changed": {file: file, old: "package sabotage\n", new: "package sabotage\n"},
		"holds once:\nthe":   {file: file, old: "the"},
	} {
		_, err := r.changed()
		require.ErrorContains(t, err, strings.Replace(want, "holds once", "does not hold once", 1))
	}
	r := row{file: file, old: "package sabotage\n", new: "package a\n", also: []edit{{file, "package a\n", "package b\n"}}}
	files, err := r.changed()
	require.NoError(t, err)
	require.Contains(t, files[file], "\npackage b\n")
}
