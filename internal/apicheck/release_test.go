package apicheck

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var releaseHead = regexp.MustCompile(`(?m)^## \[([^\]]+)\].*$`)

// release returns the section of a version in the changelog.
func release(changelog, version string) string {
	_, section, _ := strings.Cut(changelog, "\n## ["+version+"]")
	section, _, _ = strings.Cut(section, "\n## [")
	return section
}

// wrongRelease returns what is wrong with the newest release in the changelog: the
// versions fall, the parts of the section have their order, and what it says was
// added is in the API.
func wrongRelease(changelog, list string) (lines []string) {
	var versions []string
	for _, m := range releaseHead.FindAllStringSubmatch(changelog, -1) {
		versions = append(versions, m[1])
	}
	if len(versions) < 2 || versions[0] != "Unreleased" {
		return []string{"the changelog begins with Unreleased, and a version follows"}
	}
	released := versions[1:]
	falling := slices.Clone(released)
	slices.Sort(falling)
	slices.Reverse(falling)
	if !slices.Equal(falling, released) {
		lines = append(lines, fmt.Sprintf("the versions do not fall: %v", released))
	}
	section := release(changelog, released[0])
	at := -1
	for _, part := range []string{"### From 0.1, name by name", "### Added", "### Changed", "### Removed", "### Fixed"} {
		i := strings.Index(section, "\n"+part+"\n")
		if i <= at {
			lines = append(lines, fmt.Sprintf("%s has no %q in its place", released[0], part))
		}
		at = i
	}
	_, added, _ := strings.Cut(section, "\n### Added\n")
	added, _, _ = strings.Cut(added, "\n### ")
	return append(lines, wrongNames(list, map[string][]byte{"Added in " + released[0] + ".md": []byte(added)})...)
}

func TestRelease(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("testdata/api.txt")
	require.NoError(t, err)
	require.Empty(t, strings.Join(wrongRelease(string(tree(t)["CHANGELOG.md"]), string(list)), "\n"))
}

func TestReleaseCatches(t *testing.T) {
	t.Parallel()
	const list = "pkg a/b, func New() error\n"
	const good = "\n## [Unreleased]\n\n## [0.2.0]\n\n### From 0.1, name by name\n\n### Added\n\n`b.New`\n\n### Changed\n\n### Removed\n\n### Fixed\n\n## [0.1.0]\n"
	require.Empty(t, wrongRelease(good, list))
	for _, bad := range []string{
		strings.Replace(good, "Unreleased", "0.3.0", 1),
		strings.Replace(good, "0.1.0", "0.4.0", 1),
		strings.Replace(good, "### Changed\n", "", 1),
		strings.Replace(good, "### Removed\n\n### Fixed\n", "### Fixed\n\n### Removed\n", 1),
		strings.Replace(good, "b.New", "b.Gone", 1),
	} {
		require.Len(t, wrongRelease(bad, list), 1, bad)
	}
}
