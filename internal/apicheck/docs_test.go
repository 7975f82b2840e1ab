package apicheck

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// flatten strips the indentation, which differs between a document and the
// function a block stands in.
func flatten(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return "\n" + strings.Join(lines, "\n") + "\n"
}

// goBlock is a fenced block of Go, indented or not.
var goBlock = regexp.MustCompile("(?ms)^[ \t]*```go\n(.*?)^[ \t]*```")

// uncompiled returns the Go blocks of the documents that stand, line by line,
// in no Example and in no example program: those are compiled and run.
func uncompiled(files map[string][]byte) []string {
	var compiled []string
	for name, data := range files {
		base := path.Base(name)
		if strings.HasPrefix(base, "example") && strings.HasSuffix(base, "_test.go") || strings.HasPrefix(name, "examples/") && path.Ext(name) == ".go" {
			compiled = append(compiled, flatten(string(data)))
		}
	}
	var lines []string
	for name, data := range files {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, m := range goBlock.FindAllSubmatch(data, -1) {
			block := flatten(string(m[1]))
			if !slices.ContainsFunc(compiled, func(code string) bool { return strings.Contains(code, block) }) {
				lines = append(lines, fmt.Sprintf("%s: this block is in no Example:%s", name, block))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func TestDocumentsCompile(t *testing.T) {
	t.Parallel()
	require.Empty(t, strings.Join(uncompiled(tree(t)), "\n"))
}

func TestDocumentsCompileCatches(t *testing.T) {
	t.Parallel()
	example := []byte("package a_test\n\nfunc Example() {\n\tif x {\n\t\ty()\n\t}\n}\n")
	for doc, want := range map[string]int{
		"text\n```go\nif x {\n\ty()\n}\n```\n":                  0,
		"- item\n  ```go\n  y()\n  ```\n":                       0,
		"```go\nif x {\n\tz()\n}\n```\n":                        1,
		"```go\n}\n```\n\n```go\nz()\n```\n\n```go\nw()\n```\n": 2,
		"```sh\nif x\n```\n":                                    0,
		"```go\ny(\n```\n":                                      1,
	} {
		require.Len(t, uncompiled(map[string][]byte{"a/example_test.go": example, "docs/a.md": []byte(doc)}), want, doc)
	}
	require.NotEmpty(t, uncompiled(map[string][]byte{"a/a_test.go": example, "README.md": []byte("```go\ny()\n```\n")}), "only Examples count")
}

// link is a link of a document to a file of the repository.
var link = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	files := tree(t)
	names := slices.Collect(maps.Keys(files))
	for name, data := range files {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, m := range link.FindAllSubmatch(data, -1) {
			to := path.Join(path.Dir(name), string(m[1]))
			require.True(t, slices.ContainsFunc(names, func(f string) bool { return f == to || strings.HasPrefix(f, to+"/") }), "%s links to %s", name, m[1])
		}
	}
}

// TestDocumentsNameTestsThatExist holds that a test named in a document is there
// to be run.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	files := tree(t)
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w*)\(`)
	named := regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	exist := map[string]bool{}
	for name, data := range files {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range declared.FindAllSubmatch(data, -1) {
				exist[string(m[1])] = true
			}
		}
	}
	for name, data := range files {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, m := range named.FindAll(data, -1) {
			// "go test -run TestFile" runs all that begin so.
			found := slices.ContainsFunc(slices.Collect(maps.Keys(exist)), func(f string) bool { return strings.HasPrefix(f, string(m)) })
			require.True(t, found, "%s names %s, which is not there", name, m)
		}
	}
}

// TestDependenciesHaveReasons holds that docs/dependencies.md has a row for
// each direct dependency and for no other.
func TestDependenciesHaveReasons(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	require.NoError(t, json.Unmarshal(out, &mod))
	var want, got []string
	for _, r := range mod.Require {
		if !r.Indirect {
			want = append(want, r.Path)
		}
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]+ \\| [^|]+ \\| [^|]+ \\| [0-9,]+ \\|$")
	for _, m := range row.FindAllSubmatch(tree(t)["docs/dependencies.md"], -1) {
		got = append(got, string(m[1]))
	}
	require.ElementsMatch(t, want, got)
}
