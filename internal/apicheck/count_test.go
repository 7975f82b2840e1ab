package apicheck

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// identifiers counts the exported identifiers of each package in lines of
// api.txt. It leaves out struct fields, the line that says that an interface is
// sealed, and the constants of activitytype, which are Garmin's names.
func identifiers(lines string) map[string]int {
	all := map[string]int{}
	for line := range strings.Lines(lines) {
		pkg, feature, ok := strings.Cut(strings.TrimPrefix(line, "pkg "), ", ")
		if !ok || strings.Contains(feature, " struct, ") || strings.HasSuffix(strings.TrimSpace(feature), ", unexported methods") || pkg == "activitytype" && strings.HasPrefix(feature, "const ") {
			continue
		}
		all[pkg]++
	}
	return all
}

// TestAPICount prints the table of CONTRIBUTING.md, with -v.
func TestAPICount(t *testing.T) {
	t.Parallel()
	require.Equal(t, map[string]int{"p": 5, "activitytype": 1}, identifiers(`pkg activitytype, const Running Type = "RUNNING"
pkg activitytype, type Type string
pkg p, func F()
pkg p, type I interface
pkg p, type I interface, Get()
pkg p, type I interface, unexported methods
pkg p, method (T) M()
pkg p, type T struct
pkg p, type T struct, Field int
`))
	data, err := os.ReadFile("testdata/api.txt")
	require.NoError(t, err)
	count, sum := identifiers(string(data)), 0
	for _, pkg := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%4d  %s", count[pkg], pkg)
		sum += count[pkg]
	}
	t.Logf("%4d", sum)
}
