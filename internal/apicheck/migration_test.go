package apicheck

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	apiLine      = regexp.MustCompile(`^pkg (?:\S*/)?(\w+), (?:const|func|var|type|method) (?:\(\*?(\w+)\) )?(\w+)(?:.* (?:struct|interface), (\w+))?`)
	migrationRow = regexp.MustCompile("(?m)^\\| (`[^|\n]+) \\| ([^|\n]+) \\|$")
	codeName     = regexp.MustCompile("`(\\w+\\.[A-Z][\\w.*]*)`")
)

// names returns the identifiers of lines of api.txt, such as
// "notify.Delivery.Key".
func names(lines string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(lines) {
		m := apiLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		name := m[1]
		if m[2] != "" {
			name += "." + m[2]
		}
		name += "." + m[3]
		all[name] = true
		if m[4] != "" {
			all[name+"."+m[4]] = true
		}
	}
	return all
}

// wrongMigrations returns the old names that are gone and that the table does not
// have on its left, and the names on its right that are not there.
func wrongMigrations(changelog string, old []string, now map[string]bool) (wrong []string) {
	_, table, _ := strings.Cut(changelog, "\n### From 0.1, name by name\n")
	table, _, _ = strings.Cut(table, "\n### ")
	var left []string
	for _, row := range migrationRow.FindAllStringSubmatch(table, -1) {
		for _, m := range codeName.FindAllStringSubmatch(row[1], -1) {
			left = append(left, m[1])
		}
		for _, m := range codeName.FindAllStringSubmatch(row[2], -1) {
			if !now[m[1]] && !strings.HasPrefix(m[1], "http.") {
				wrong = append(wrong, "the table leads to "+m[1]+", which is not there")
			}
		}
	}
	for _, name := range old {
		told := slices.ContainsFunc(left, func(l string) bool {
			prefix, open := strings.CutSuffix(l, "*")
			return name == l || strings.HasPrefix(name, l+".") || open && strings.HasPrefix(name, prefix)
		})
		if !now[name] && !told {
			wrong = append(wrong, name+" is gone and not in the table")
		}
	}
	slices.Sort(wrong)
	return wrong
}

// TestMigrationTable holds that the table of the changelog leads from every name of
// 0.1 that is gone to names that exist.
func TestMigrationTable(t *testing.T) {
	t.Parallel()
	old, err := os.ReadFile("testdata/names-0.1.txt")
	require.NoError(t, err)
	now, err := os.ReadFile("testdata/api.txt")
	require.NoError(t, err)
	changelog := string(tree(t)["CHANGELOG.md"])
	require.Empty(t, strings.Join(wrongMigrations(changelog, strings.Fields(string(old)), names(string(now))), "\n"))
}

func TestMigrationTableCatches(t *testing.T) {
	t.Parallel()
	const head = "\n### From 0.1, name by name\n\n| 0.1 | now |\n|---|---|\n"
	now := names("pkg a/b, func New() error\npkg b, type T struct\npkg b, type T struct, F int\npkg b, method (*T) M() error\n")
	require.Equal(t, map[string]bool{"b.New": true, "b.T": true, "b.T.F": true, "b.T.M": true}, now)
	for table, want := range map[string]int{
		"| `b.Old` | `b.New` |\n":              0,
		"| `b.O*` | `b.T.M` and `b.T.F` |\n":   0,
		"| `b.Old` | an `http.Server` |\n":     0,
		"| `b.Old` | `b.Gone` |\n":             1,
		"| `b.Other` | `b.New` |\n":            1,
		"\n### Added\n\n| `b.Old` | `b.New` |": 1,
	} {
		require.Len(t, wrongMigrations(head+table, []string{"b.Old", "b.T"}, now), want, table)
	}
	require.Empty(t, wrongMigrations(head+"| `b.Old` | nothing |\n", []string{"b.Old.Field"}, now))
}
