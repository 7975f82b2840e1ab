package apicheck

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// losses are the ids under which losses were reported.
var losses = strings.Fields(`K1 K2 K3 K4 K5 K6 K7 K8 K9 D1 F1–F14 C2 C3 C5 H1 H2 H3 H4
	M1 M2 M3 M4 M5 M6 M7 M8 L1 L2 L3 L4 L5 L6 L7 again config claims bodies tokens answers verify`)

var (
	lossRow     = regexp.MustCompile(`(?m)^\| ([A-Za-z0-9–]+) \| [^|\n]+ \| [^|\n]+ \| ([^|\n]+) \|$`)
	quoted      = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)(?:/[^`]*)?`")
	declaration = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
)

// wrongLosses returns the ids without a row of their own, and the rows whose
// tests are not there, whole name for name.
func wrongLosses(doc []byte, files map[string][]byte) (wrong []string) {
	_, chapter, _ := strings.Cut(string(doc), "\n## Losses, row by row\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	rows := map[string][]string{}
	for _, m := range lossRow.FindAllStringSubmatch(chapter, -1) {
		for _, name := range quoted.FindAllStringSubmatch(m[2], -1) {
			rows[m[1]] = append(rows[m[1]], name[1])
		}
	}
	declared := map[string]bool{}
	for _, data := range files {
		for _, m := range declaration.FindAllSubmatch(data, -1) {
			declared[string(m[1])] = true
		}
	}
	for _, id := range losses {
		if len(rows[id]) == 0 {
			wrong = append(wrong, id+" has no test")
		}
		for _, name := range rows[id] {
			if !declared[name] {
				wrong = append(wrong, id+": no "+name)
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// TestLossesHaveTests holds that each loss that was reported has a row in
// docs/reliability.md, and each row a test.
func TestLossesHaveTests(t *testing.T) {
	t.Parallel()
	files := tree(t)
	require.Empty(t, strings.Join(wrongLosses(files["docs/reliability.md"], testFiles(files, nil)), "\n"))
}

func TestLossesHaveTestsCatches(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{"a/a_test.go": []byte("func TestA(t *testing.T) {}\n")}
	doc := "\n## Losses, row by row\n\n"
	for _, id := range losses {
		doc += "| " + id + " | fault | done | `TestA/x` |\n"
	}
	require.Empty(t, wrongLosses([]byte(doc+"\n## Next\n"), files))
	for old, now := range map[string]string{
		"| K3 |":                          "| K33 |",
		"| L7 | fault | done | `TestA/x`": "| L7 | fault | done | ",
		"| M5 | fault | done | `TestA/x`": "| M5 | fault | done | `TestB`",
	} {
		require.Len(t, wrongLosses([]byte(strings.Replace(doc, old, now, 1)), files), 1, old)
	}
	require.Len(t, wrongLosses([]byte("\n## Next\n"+doc[len("\n## Losses, row by row\n"):]), files), len(losses), "another chapter")
}

var (
	fuzzRow = regexp.MustCompile("(?m)^\\| `[^`|]+` `Fuzz\\w+` \\|[^|\n]*\\| ([0-9,]+) \\|")
	fuzzSum = regexp.MustCompile(`(?m)^Together: ([0-9,]+) executions`)
)

// TestFuzzTableAddsUp holds that the sum below the table of fuzz targets in
// docs/reliability.md is that of its rows.
func TestFuzzTableAddsUp(t *testing.T) {
	t.Parallel()
	number := func(m [][]byte) int {
		n, err := strconv.Atoi(strings.ReplaceAll(string(m[1]), ",", ""))
		require.NoError(t, err)
		return n
	}
	doc := tree(t)["docs/reliability.md"]
	sum := 0
	for _, m := range fuzzRow.FindAllSubmatch(doc, -1) {
		sum += number(m)
	}
	require.NotZero(t, sum)
	require.Equal(t, sum, number(fuzzSum.FindSubmatch(doc)))
}
