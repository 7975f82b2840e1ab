package apicheck

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// command is a "go test" or "go run" of a document, with the variables set
// before it.
var command = regexp.MustCompile("((?:[A-Z][A-Z_]+=\\S+ )*)go (test|run) ([^`#\n]*)")

// word is a word of a command, quoted or not.
var word = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)

// ofGo are the flags of "go test" itself that documents use; true is one with
// a value.
var ofGo = map[string]bool{
	"run": true, "bench": true, "fuzz": true, "benchtime": true, "fuzztime": true, "count": true, "timeout": true,
	"cpu": true, "coverpkg": true, "coverprofile": true, "parallel": true, "skip": true, "tags": true, "exec": true,
	"v": false, "race": false, "short": false, "benchmem": false, "cover": false, "json": false,
}

// testFiles are the test files that a package pattern of a command means. A
// command that names none, or ".", is run in a directory that the text around
// it tells.
func testFiles(files map[string][]byte, patterns []string) (found map[string][]byte) {
	found = map[string][]byte{}
	for name, data := range files {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		dir := path.Dir(name)
		here := func(pattern string) bool {
			pattern = strings.TrimPrefix(pattern, "./")
			below, all := strings.CutSuffix(pattern, "...")
			below = strings.TrimSuffix(below, "/")
			return pattern == "." || dir == pattern || all && (below == "" || dir == below || strings.HasPrefix(dir, below+"/"))
		}
		if len(patterns) == 0 || slices.ContainsFunc(patterns, here) {
			found[name] = data
		}
	}
	return found
}

// declared tells whether a function of one of the kinds, whose name the pattern
// of a -run, -bench or -fuzz matches, is in the files.
func declared(files map[string][]byte, pattern, kinds string) bool {
	first, _, _ := strings.Cut(pattern, "/")
	match, err := regexp.Compile(first)
	if err != nil {
		return false
	}
	name := regexp.MustCompile(`(?m)^func ((?:` + kinds + `)(?:[A-Z0-9_]\w*)?)\(`)
	for _, data := range files {
		for _, m := range name.FindAllSubmatch(data, -1) {
			if match.Match(m[1]) {
				return true
			}
		}
	}
	return false
}

// checkTest returns what is wrong with the words after "go test".
func checkTest(files map[string][]byte, words []string) (wrong []string) {
	values := map[string]string{}
	var patterns, own []string
	for i := 0; i < len(words); i++ {
		w := strings.Trim(words[i], `'"`)
		name, isFlag := strings.CutPrefix(w, "-")
		name, value, given := strings.Cut(strings.TrimPrefix(name, "-"), "=")
		takes, known := ofGo[name]
		switch {
		case !isFlag && (w == "." || strings.HasPrefix(w, "./")):
			patterns = append(patterns, w)
		case !isFlag:
		case !known:
			own = append(own, name)
		case takes && !given && i+1 < len(words):
			i++
			value = strings.Trim(words[i], `'"`)
			fallthrough
		default:
			values[name] = value
		}
	}
	in := testFiles(files, patterns)
	if len(in) == 0 {
		wrong = append(wrong, fmt.Sprintf("no tests in %v", patterns))
	}
	kinds := map[string]string{"run": "Test|Example|Fuzz", "bench": "Benchmark", "fuzz": "Fuzz"}
	for name, kind := range kinds {
		pattern, given := values[name]
		nothing := name == "run" && (values["bench"] != "" || values["fuzz"] != "") // -run '^$' -bench X
		if given && !nothing && !declared(in, pattern, kind) {
			wrong = append(wrong, fmt.Sprintf("-%s %s matches nothing", name, pattern))
		}
	}
	for _, name := range own {
		flag := regexp.MustCompile(`flag\.\w+\((?:&\w+, )?"` + regexp.QuoteMeta(name) + `"`)
		has := func(data []byte) bool { return flag.Match(data) }
		if !anyFile(in, has) {
			wrong = append(wrong, fmt.Sprintf("no flag -%s", name))
		}
	}
	return wrong
}

func anyFile(files map[string][]byte, has func([]byte) bool) bool {
	for _, data := range files {
		if has(data) {
			return true
		}
	}
	return false
}

// brokenCommands returns the commands in documents that cannot do what the
// document says: their tests, flags, programs or variables are not there. They
// are read and not run.
func brokenCommands(files map[string][]byte) (lines []string) {
	code := map[string][]byte{}
	for name, data := range files {
		if path.Ext(name) == ".go" || strings.HasPrefix(name, ".ci/") {
			code[name] = data
		}
	}
	for name, data := range files {
		if path.Ext(name) != ".md" {
			continue
		}
		text := strings.ReplaceAll(string(data), `\|`, "|")
		text = strings.ReplaceAll(text, "\\\n", " ")
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			words := word.FindAllString(m[3], -1)
			var wrong []string
			for v := range strings.FieldsSeq(m[1]) {
				v, _, _ = strings.Cut(v, "=")
				if !anyFile(code, func(data []byte) bool { return strings.Contains(string(data), `"`+v+`"`) }) {
					wrong = append(wrong, "nothing reads "+v)
				}
			}
			switch {
			case m[2] == "test":
				wrong = append(wrong, checkTest(files, words)...)
			case len(words) > 0 && strings.HasPrefix(words[0], "./"):
				if files[path.Join(words[0], "main.go")] == nil {
					wrong = append(wrong, "no program")
				}
			}
			for _, w := range wrong {
				lines = append(lines, fmt.Sprintf("%s: %s: %s", name, strings.TrimSpace(m[0]), w))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func TestDocumentsNameCommandsThatWork(t *testing.T) {
	t.Parallel()
	require.Empty(t, strings.Join(brokenCommands(tree(t)), "\n"))
}

func TestDocumentsNameCommandsCatches(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{
		"a/a_test.go":        []byte("package a\n\nvar n = flag.Int(\"a.n\", 1, \"\")\n\nvar u = os.Getenv(\"A_USERS\")\n\nfunc TestKill(t *testing.T) {}\n\nfunc BenchmarkPut(b *testing.B) {}\n"),
		"a/b/b_test.go":      []byte("package b\n\nfunc FuzzRead(f *testing.F) {}\n"),
		"examples/c/main.go": []byte("package main\n"),
	}
	for text, want := range map[string]int{
		"`go test ./a -run Kill -a.n 100 -v`":                    0,
		"    go test -race -timeout=5m -run 'Kil|Nothing' ./...": 0,
		"go test ./a -run '^$' -bench Put/64 -benchtime 5x":      0,
		"go test ./a/... -run XXX -fuzz FuzzRead":                0,
		"A_USERS=5 go test . -run Kill # comment -x":             0,
		"go run ./examples/c -listen x":                          0,
		"go run example.com/tool@v1 ./...":                       0,
		"go test ./a -run Killed":                                1,
		"| `go test ./a -run 'Killed\\|Gone'` |":                 1,
		"go test ./a/b -run Kill":                                1,
		"go test ./a -run Kill -b.n 100":                         1,
		"go test ./a/b -a.n 1":                                   1,
		"go test ./a -bench Get":                                 1,
		"go test ./a -fuzz FuzzRead":                             1,
		"go test ./d":                                            1,
		"B_USERS=5 go test ./a":                                  1,
		"go run ./examples/d":                                    1,
	} {
		files["README.md"] = []byte(text + "\n")
		require.Len(t, brokenCommands(files), want, text)
	}
}
