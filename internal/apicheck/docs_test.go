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

// brokenLinks returns the links of the documents to files that are not there.
func brokenLinks(files map[string][]byte) (lines []string) {
	names := slices.Collect(maps.Keys(files))
	for name, data := range files {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, m := range link.FindAllSubmatch(data, -1) {
			to := path.Join(path.Dir(name), string(m[1]))
			if !slices.ContainsFunc(names, func(f string) bool { return f == to || strings.HasPrefix(f, to+"/") }) {
				lines = append(lines, fmt.Sprintf("%s links to %s", name, m[1]))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	t.Parallel()
	require.Empty(t, strings.Join(brokenLinks(tree(t)), "\n"))
}

func TestDocumentsLinkToWhatIsThereCatches(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string][]string{
		"[a](../a/a.go)":                        nil,
		"[a](../a/a.go#L7) and [b](b.md#title)": nil,
		"[a folder](../a)":                      nil,
		"[elsewhere](https://example.com/x.md)": nil,
		"[here](#title)":                        nil,
		"[gone](gone.md)":                       {"docs/d.md links to gone.md"},
		"[a](a/a.go)":                           {"docs/d.md links to a/a.go"}, // it is relative to the document
		"[gone](gone.md#title) [b](b.md)":       {"docs/d.md links to gone.md"},
		"[half a name](../a/a)":                 {"docs/d.md links to ../a/a"},
		"[x](x.md)\n\n[y](../y.md)":             {"docs/d.md links to ../y.md", "docs/d.md links to x.md"},
	} {
		files := map[string][]byte{"a/a.go": nil, "docs/b.md": nil, "docs/d.md": []byte(doc)}
		require.Equal(t, want, brokenLinks(files), doc)
	}
	require.Empty(t, brokenLinks(map[string][]byte{"a.go": []byte("// [x](x.md)\n")}), "only documents count")
}

var (
	declaredTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w*)\(`)
	namedTest    = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
)

// missingTests returns the tests that documents and .ci/run name and that are not there.
// "go test -run TestFile" runs all that begin so: a beginning is enough.
func missingTests(files map[string][]byte) (lines []string) {
	var exist []string
	for name, data := range files {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range declaredTest.FindAllSubmatch(data, -1) {
				exist = append(exist, string(m[1]))
			}
		}
	}
	for name, data := range files {
		if path.Ext(name) != ".md" && name != ".ci/run" {
			continue
		}
		for _, m := range namedTest.FindAll(data, -1) {
			if !slices.ContainsFunc(exist, func(f string) bool { return strings.HasPrefix(f, string(m)) }) {
				lines = append(lines, fmt.Sprintf("%s names %s, which is not there", name, m))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// TestDocumentsNameTestsThatExist holds that a test named in a document is there
// to be run.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	t.Parallel()
	require.Empty(t, strings.Join(missingTests(tree(t)), "\n"))
}

func TestDocumentsNameTestsThatExistCatches(t *testing.T) {
	t.Parallel()
	const tests = "func TestFile(t *testing.T) {}\n\nfunc FuzzFile(f *testing.F) {}\n\nfunc BenchmarkFile(b *testing.B) {}\n// func TestGone(t *testing.T)\n\tfunc TestInner(\n"
	for doc, want := range map[string][]string{
		"`TestFile`, `FuzzFile` and BenchmarkFile": nil,
		"`TestFile/a_case`":                        nil,
		"go test -run TestFil":                     nil,
		"a Test, Testing, and Fuzzing":             nil,
		"`MyTestGone`":                             nil,
		"`TestFileToo`":                            {"d.md names TestFileToo, which is not there"},
		"`TestGone`":                               {"d.md names TestGone, which is not there"},
		"`TestInner`":                              {"d.md names TestInner, which is not there"},
		"`FuzzGone`, `BenchmarkGone`":              {"d.md names BenchmarkGone, which is not there", "d.md names FuzzGone, which is not there"},
	} {
		require.Equal(t, want, missingTests(map[string][]byte{"a/a_test.go": []byte(tests), "d.md": []byte(doc)}), doc)
	}
	require.NotEmpty(t, missingTests(map[string][]byte{"a/a.go": []byte(tests), "d.md": []byte("`TestFile`")}), "a test stands in a _test.go file")
	require.NotEmpty(t, missingTests(map[string][]byte{"a/a_test.go": []byte(tests), ".ci/run": []byte("'^(TestFile|TestGone)$'")}), "so do those that a step leaves out")
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
	var want []string
	for _, r := range mod.Require {
		if !r.Indirect {
			want = append(want, r.Path)
		}
	}
	got := rowsOfDependencies(tree(t)["docs/dependencies.md"])
	require.ElementsMatch(t, want, got)
}

var dependencyRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]+ \\| [^|]+ \\| [^|]+ \\| [0-9,]+ \\|$")

// rowsOfDependencies returns the modules that the document gives all reasons for.
func rowsOfDependencies(doc []byte) (modules []string) {
	for _, m := range dependencyRow.FindAllSubmatch(doc, -1) {
		modules = append(modules, string(m[1]))
	}
	return modules
}

func TestDependenciesHaveReasonsCatches(t *testing.T) {
	t.Parallel()
	for row, want := range map[string][]string{
		"| `a.com/b` | why | MIT | who | 1,234 |": {"a.com/b"},
		"| `a.com/b` | | MIT | who | 1,234 |":     nil,
		"| `a.com/b` | why | MIT | who | many |":  nil,
		"| a.com/b | why | MIT | who | 1,234 |":   nil,
		"| `a.com/b` | why | MIT | 1,234 |":       nil,
	} {
		require.Equal(t, want, rowsOfDependencies([]byte("| module | ... |\n"+row+"\n")), row)
	}
}
