package apicheck

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree returns every file of the repository, by path from its root.
func tree(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (d.Name() == ".git" || d.Name() == ".cache"):
			return fs.SkipDir
		case !d.Type().IsRegular() || d.Name() == ".git":
			return nil
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(root, path)
		files[filepath.ToSlash(rel)] = data
		return err
	})
	require.NoError(t, err)
	require.Contains(t, files, "go.mod")
	return files
}

// longest is how many lines a file may have. A table of cases is longer than
// what it tests.
func longest(path string) int {
	if strings.HasSuffix(path, "_test.go") {
		return 1000
	}
	return 700
}

// A home directory, or the folder a machine keeps its checkouts in.
var machinePath = regexp.MustCompile(`(?:^|[\s"'=(:` + "`" + `])/(?:work|home|Users|root)/[a-z.]`)

func TestTree(t *testing.T) {
	t.Parallel()
	for path, data := range tree(t) {
		if n := bytes.Count(data, []byte("\n")); strings.HasSuffix(path, ".go") && n > longest(path) {
			t.Errorf("%s has %d lines; above %d it is more than one noun", path, n, longest(path))
		}
		if m := machinePath.Find(data); m != nil {
			t.Errorf("%s names a path of somebody's machine: %q", path, m)
		}
	}
}

func TestTreeCatches(t *testing.T) {
	t.Parallel()
	sep := "/"
	require.True(t, machinePath.MatchString("see "+sep+"work/main"))
	require.True(t, machinePath.MatchString(`"`+sep+`home/ann/x"`))
	require.False(t, machinePath.MatchString("https://example.com/work/main"))
	require.False(t, machinePath.MatchString("the work/main"))
}
