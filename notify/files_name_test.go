package notify

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/types"
)

// fold is what a disk makes of a name that knows no case, with the letters of
// Unicode too, and Windows, which drops dots and spaces at an element's end.
func fold(name string) string {
	elements := strings.Split(strings.ToUpper(strings.ToLower(name)), "/")
	for i, e := range elements {
		elements[i] = strings.TrimRight(e, ". ")
	}
	return strings.Join(elements, "/")
}

// checkedName makes the name of a file and checks what holds for every one.
func checkedName(t *testing.T, user, summary, activity, fileType string) string {
	t.Helper()
	name := fileName(announced(user, summary, activity, fileType))
	require.NoError(t, checkName(name))
	require.Equal(t, 1, strings.Count(name, "/"), name)
	for _, n := range []string{name, name + sidecarEnd, revised(name, strings.Repeat("a", 64)) + sidecarEnd} {
		require.True(t, utf8.ValidString(n))
		require.Equal(t, strings.ToLower(n), n)
		for e := range strings.SplitSeq(n, "/") {
			require.LessOrEqual(t, len(e), 120, e)
			require.NotEmpty(t, e)
			require.Empty(t, strings.Trim(e, "abcdefghijklmnopqrstuvwxyz0123456789-_%~."), e)
			require.NotContains(t, ". ", e[len(e)-1:], e)
			require.NotEqual(t, byte('.'), e[0], e)
			base, _, _ := strings.Cut(e, ".")
			require.False(t, reserved(base), e)
		}
	}
	return name
}

func announced(user, summary, activity, fileType string) *types.ActivityFile {
	f := &types.ActivityFile{SummaryID: types.ID(summary), ActivityID: types.ID(activity), FileType: fileType}
	f.UserID = types.UserID(user)
	return f
}

func TestFileName(t *testing.T) {
	t.Parallel()
	for want, f := range map[string][4]string{
		"4aacafe82427c251df9c9592d0c06768/19940666749-file_19940666749.fit": {"4aacafe82427c251df9c9592d0c06768", "19940666749-file", "19940666749", "FIT"},
		"u/7-file.tcx":                    {"u", "7-file", "", "TCX"},
		"%55/a%5fb_.fit":                  {"U", "a_b", "", "FIT"}, // see below
		"_/_":                             {"", "", "", ""},
		"_/_7.gpx":                        {"", "", "7", "GPX"},
		"%63on/%6eul.fit":                 {"con", "nul", "", "FIT"},
		"%43%4f%4e/%6cpt1_2":              {"CON", "lpt1", "2", ""},
		"%2e%2e/x%2f%2e%2e%2fy.%66%69%74": {"..", "x/../y", "", "fit"},
		"%c3%a9/%00%5c%3a%2a.%2e%2e%2fX":  {"é", "\x00\\:*", "", "../x"},
	} {
		if f[1] == "a_b" {
			want = "%55/a%5fb.fit"
		}
		if f[3] == "../x" {
			want = "%c3%a9/%00%5c%3a%2a.%2e%2e%2f%78"
		}
		require.Equal(t, want, checkedName(t, f[0], f[1], f[2], f[3]))
	}
}

// TestFileNamesDiffer holds names of hostile ids against each other, and
// against the sidecars of all.
func TestFileNamesDiffer(t *testing.T) {
	t.Parallel()
	odd := []string{
		"", "a", "A", "b", "_", "a_b", "a/b", "a_", "_a", "a.json", "json", ".", "..", "a.", "a ", "con", "CON", "Con", "%63on", "com1", "a~1",
		"é", "É", "e\u0301", "K", "\u212a", "ß", "SS", "%41", strings.Repeat("a", 200), strings.Repeat("a", 201), strings.Repeat("A", 200), "\x00", "\xff", "\ufffd",
	}
	seen := map[string]string{}
	add := func(what, name string) {
		if other, ok := seen[fold(name)]; ok {
			t.Errorf("%s and %s are one name: %s", what, other, name)
		}
		seen[fold(name)] = what
	}
	for _, user := range []string{"u", "U", "a", "a_b", "con", "", strings.Repeat("a", 200)} {
		for _, summary := range odd {
			for _, activity := range odd {
				for _, fileType := range []string{"FIT", "fit", "Fit", "", "JSON", "FIT.JSON", "T_1", strings.Repeat("T", 300)} {
					what := fmt.Sprintf("%q", []string{user, summary, activity, fileType})
					name := fileName(announced(user, summary, activity, fileType))
					add(what, name)
					add(what+" sidecar", name+sidecarEnd)
				}
			}
		}
	}
	for _, fileType := range []string{"FIT", ""} {
		for _, s := range odd {
			checkedName(t, s, s, s, fileType)
			checkedName(t, s, s, "", s)
		}
	}
}

// FuzzFileName: two different files have two names, and so have their
// sidecars.
func FuzzFileName(f *testing.F) {
	f.Add("u", "a_b", "", "FIT", "u", "a", "b", "FIT")
	f.Add("CON", "A", "1", "", "con", "a", "1", "")
	f.Add("u", strings.Repeat("x", 99), "", "FIT", "u", strings.Repeat("x", 100), "", "FIT")
	f.Fuzz(func(t *testing.T, user1, summary1, activity1, type1, user2, summary2, activity2, type2 string) {
		one := checkedName(t, user1, summary1, activity1, type1)
		two := checkedName(t, user2, summary2, activity2, type2)
		same := user1 == user2 && summary1 == summary2 && activity1 == activity2 && type1 == type2
		if same != (fold(one) == fold(two)) {
			t.Fatalf("%q and %q", one, two)
		}
		if fold(one) == fold(two+sidecarEnd) || fold(one+sidecarEnd) == fold(two) {
			t.Fatalf("a sidecar is a file: %q and %q", one, two)
		}
	})
}

func TestForeignFileNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("d", 250)
	for given, want := range map[string]string{
		"a/b.fit":                       "a/b.fit",
		"./a//b.fit":                    "a/b.fit",
		long + ".fit":                   "", // shortened
		long + "/" + long:               "",
		"a/b\x00":                       "!",
		"":                              "!",
		"..":                            "!",
		"../a":                          "!",
		"/etc/a":                        "!",
		".downloads/a":                  "!",
		".Downloads/a":                  "!",
		strings.Repeat("d/", 600) + "e": "!",
	} {
		s := &fileStore{opts: Files{Name: func(*types.ActivityFile) string { return given }}}
		name, err := s.name(&types.ActivityFile{})
		switch want {
		case "!":
			require.Error(t, err, "%.40q", given)
		case "":
			require.NoError(t, err)
			for e := range strings.SplitSeq(name, "/") {
				require.LessOrEqual(t, len(e), 200)
			}
			require.Equal(t, path.Ext(given), path.Ext(name))
		default:
			require.NoError(t, err)
			require.Equal(t, want, name)
		}
	}
}
