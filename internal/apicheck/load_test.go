package apicheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	root   = "../.."
	module = "github.com/garminkit/activityapi"
)

// pkg is what the rules need to know of a package, as "go list" tells it.
type pkg struct {
	ImportPath string
	Name       string
	Dir        string
	Export     string // file with the compiled package's types
	Standard   bool
	GoFiles    []string
	Imports    []string
	Deps       []string
}

// rel returns the path inside the module, such as "notify/spool".
func (p *pkg) rel() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func (p *pkg) ours() bool {
	return p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/")
}

// list runs "go list" once and returns every package the module is built from,
// by import path. Test files do not count.
var list = sync.OnceValues(func() (map[string]*pkg, error) {
	cmd := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Name,Dir,Export,Standard,GoFiles,Imports,Deps", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	pkgs := map[string]*pkg{}
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		p := new(pkg)
		if err := dec.Decode(p); err == io.EOF {
			return pkgs, nil
		} else if err != nil {
			return nil, err
		}
		pkgs[p.ImportPath] = p
	}
})

func packages(t *testing.T) map[string]*pkg {
	t.Helper()
	pkgs, err := list()
	require.NoError(t, err)
	require.Contains(t, pkgs, module+"/types")
	return pkgs
}

// checked is a package of ours with its types.
type checked struct {
	*pkg
	files []*ast.File
	fset  *token.FileSet
	types *types.Package
	info  *types.Info
}

// newChecked returns a package of ours without its types yet.
func newChecked(p *pkg) *checked {
	return &checked{pkg: p, fset: token.NewFileSet(), info: &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}}
}

// typecheck reads the sources of p; what it imports comes compiled.
func typecheck(t *testing.T, pkgs map[string]*pkg, p *pkg) *checked {
	t.Helper()
	c := newChecked(p)
	for _, name := range p.GoFiles {
		c.parse(t, filepath.Join(p.Dir, name), nil)
	}
	c.check(t, pkgs)
	return c
}

// parse adds a file, whose text is src or, if that is nil, on disk.
func (c *checked) parse(t *testing.T, name string, src any) {
	t.Helper()
	f, err := parser.ParseFile(c.fset, name, src, parser.SkipObjectResolution)
	require.NoError(t, err)
	c.files = append(c.files, f)
}

func (c *checked) check(t *testing.T, pkgs map[string]*pkg) {
	t.Helper()
	conf := types.Config{Importer: importer.ForCompiler(c.fset, "gc", func(path string) (io.ReadCloser, error) {
		if d := pkgs[path]; d != nil {
			return os.Open(d.Export)
		}
		return nil, fmt.Errorf("%s is not imported by the module", path)
	})}
	var err error
	c.types, err = conf.Check(c.ImportPath, c.fset, c.files, c.info)
	require.NoError(t, err)
}

// public tells whether other modules can import the package and should.
func public(p *pkg) bool {
	return p.ours() && p.Name != "main" && !matches(p.rel(), []string{"internal/...", "examples/..."})
}
