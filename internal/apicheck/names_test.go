package apicheck

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// inTicks finds `pkg.Name`, `Type.Member` and `pkg.Type.Member`.
var inTicks = regexp.MustCompile("`(\\w+(?:\\.[A-Z]\\w*)+)`")

// wrongNames returns the names in documents that the API does not have. What is
// of a package that is not ours is left alone.
func wrongNames(list string, docs map[string][]byte) (lines []string) {
	all, ours := map[string]bool{}, map[string]bool{}
	for name := range names(list) {
		pkg, rest, _ := strings.Cut(name, ".")
		all[name], all[rest], ours[pkg] = true, true, true
	}
	for name, data := range docs {
		if path.Ext(name) != ".md" || name == "CHANGELOG.md" || name == "docs/scaling.md" { // that is of module postgres
			continue
		}
		for _, m := range inTicks.FindAllSubmatch(data, -1) {
			named := string(m[1])
			pkg, _, _ := strings.Cut(named, ".")
			if !all[named] && (ours[pkg] || pkg[0] < 'a') {
				lines = append(lines, fmt.Sprintf("%s names %s, which is not there", name, named))
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// TestDocumentsNameWhatTheAPIHas holds that a function, type, field or method that
// a document names between backticks is in the API.
func TestDocumentsNameWhatTheAPIHas(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("testdata/api.txt")
	require.NoError(t, err)
	require.Empty(t, strings.Join(wrongNames(string(list), tree(t)), "\n"))
}

func TestDocumentsNameWhatTheAPIHasCatches(t *testing.T) {
	t.Parallel()
	const list = `pkg a/b, func Open(string) error
pkg a/b, method (*File) Close() error
pkg a/b, type File struct
pkg a/b, type File struct, Name string
`
	for doc, want := range map[string]string{
		"`b.Open`, `b.File`, `b.File.Name`, `File.Close`": "",
		"`http.Server`, `Open`, b.Gone, `a.md`":           "",
		"`b.Gone`":                                        "b.Gone",
		"`File.Gone`":                                     "File.Gone",
		"`b.File.Gone`":                                   "b.File.Gone",
		"`Gone.Name`":                                     "Gone.Name",
		"`b.Gone.Name`":                                   "b.Gone.Name",
	} {
		if want != "" {
			want = "d.md names " + want + ", which is not there"
		}
		require.Equal(t, want, strings.Join(wrongNames(list, map[string][]byte{"d.md": []byte(doc)}), "\n"), doc)
	}
}
