package apicheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rule says what some packages may not reach, directly or through others, and
// why. Paths of this module are relative to it.
type rule struct {
	// in names the packages the rule is for; "x/..." is x and all below.
	in []string
	// not takes packages out of in.
	not []string
	// reach are the packages that may not be reached. The words ours and
	// theirs stand for all of this module and for all third parties.
	reach  []string
	except []string
	why    string
}

func (r *rule) String() string {
	return fmt.Sprintf("%s must not reach %s: %s", strings.Join(r.in, ", "), strings.Join(r.reach, ", "), r.why)
}

const (
	ours   = "(ours)"
	theirs = "(theirs)"
)

var heavy = []string{
	"github.com/dghubble/oauth1/...",
	"golang.org/x/oauth2/...",
	"github.com/hashicorp/go-retryablehttp/...",
	"github.com/google/go-querystring/...",
}

// whole are the packages that join receiving, calling and history.
var whole = []string{"activity/service/..."}

// suites are the fakes and the tests of contracts that users import in tests.
var suites = []string{"activity/activitytest/...", "activity/auth/authtest", "activity/auth/oauth1/oauth1test", "activity/join/jointest", "backfill/backfilltest", "notify/notifytest"}

var rules = []rule{
	{
		in: []string{"activitytype"}, reach: []string{ours, theirs}, except: []string{"activitytype"},
		why: "it is a list of names; everything else stands on it",
	},
	{
		in: []string{"types"}, reach: []string{ours, theirs, "net/...", "os/exec"}, except: []string{"types", "activitytype", "internal/...", "net/netip", "net/url"},
		why: "it is data without I/O, free for anybody to import",
	},
	{
		in: []string{"types", "activitytype", "notify/...", "internal/..."}, reach: []string{theirs},
		why: "a service that only receives notifications links no OAuth, no HTTP client and no third party's code",
	},
	{
		in: []string{"..."}, not: []string{"activity/...", "backfill/...", "examples/..."}, reach: heavy,
		why: "only what calls Garmin needs the libraries for calling",
	},
	{
		in: []string{"..."}, not: []string{"activity/auth/oauth1/...", "examples/..."}, reach: []string{"github.com/dghubble/oauth1/...", "activity/auth/oauth1/..."},
		why: "OAuth 1.0a ends on 2026-12-31: package oauth1 is then deleted, and nothing else changes",
	},
	{
		in: []string{"notify/..."}, reach: []string{"activity/...", "backfill/..."},
		why: "receiving must not depend on calling; the partner's code joins them",
	},
	{
		in: []string{"activity/..."}, not: slices.Concat([]string{"activity/activitytest/..."}, whole), reach: []string{"notify/...", "backfill/..."},
		why: "calling must not depend on receiving; the partner's code joins them, or package service",
	},
	{
		in: []string{"..."}, not: slices.Concat([]string{"examples/..."}, whole), reach: whole,
		why: "what joins all parts stands on them, and nothing but programs on it",
	},
	{
		in: []string{"..."}, not: slices.Concat(suites, []string{"examples/...", "internal/..."}), reach: slices.Concat(suites, []string{"testing/..."}),
		why: "no fake and no test suite gets into a partner's program",
	},
	{
		in: []string{"..."}, not: []string{"examples/..."}, reach: []string{"examples/..."},
		why: "an example is the end of the road",
	},
	{
		in: []string{"..."}, not: []string{"examples/..."}, reach: []string{"os/exec", "plugin"},
		why: "a library that keeps tokens starts no program and loads no code, nor does what it stands on",
	},
	{
		in: []string{"..."}, reach: []string{"github.com/stretchr/testify/...", "go.uber.org/goleak/..."},
		why: "they are for _test.go files, which this check does not see",
	},
}

// matches tells whether path is one of the patterns.
func matches(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		base, all := strings.CutSuffix(p, "/...")
		return p == "..." || path == base || all && strings.HasPrefix(path, base+"/")
	})
}

// broken returns one line for each rule a package of ours breaks.
func broken(pkgs map[string]*pkg, rules []rule) []string {
	var lines []string
	for _, p := range pkgs {
		if !p.ours() {
			continue
		}
		for _, r := range rules {
			if !matches(p.rel(), r.in) || matches(p.rel(), r.not) {
				continue
			}
			for _, dep := range p.Deps {
				if d := pkgs[dep]; d != nil && forbids(&r, d) {
					lines = append(lines, fmt.Sprintf("%s reaches %s. %s", p.rel(), dep, &r))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func forbids(r *rule, d *pkg) bool {
	path := d.ImportPath
	if d.ours() {
		path = d.rel()
	}
	return !matches(path, r.except) &&
		(d.ours() && slices.Contains(r.reach, ours) ||
			!d.ours() && !d.Standard && slices.Contains(r.reach, theirs) ||
			matches(path, r.reach))
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	require.Empty(t, strings.Join(broken(packages(t), rules), "\n"))
}

// TestImportRulesCatch breaks each rule once.
func TestImportRulesCatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ from, to string }{
		{"activitytype", "types"},
		{"activitytype", "golang.org/x/sync/errgroup"},
		{"types", "net/http"},
		{"types", "notify"},
		{"notify", "golang.org/x/sync/errgroup"},
		{"notify/spool", "github.com/dghubble/oauth1"},
		{"activity", "github.com/dghubble/oauth1"},
		{"activity/auth", "activity/auth/oauth1"},
		{"activity/activitytest", "activity/auth/oauth1/oauth1test"},
		{"notify", "activity"},
		{"notify/spool", "activity/auth"},
		{"activity", "notify"},
		{"activity/auth", "notify/spool"},
		{"activity", "activity/service"},
		{"backfill", "activity/service/admin"},
		{"activity/service", "notify/notifytest"},
		{"activity", "activity/activitytest"},
		{"backfill", "notify/notifytest"},
		{"backfill", "testing"},
		{"backfill", "examples/quickstart"},
		{"activity", "github.com/stretchr/testify/require"},
		{"examples/quickstart", "go.uber.org/goleak"},
		{"internal/jsonseq", "golang.org/x/oauth2"},
		{"somewhere", "golang.org/x/oauth2"},
	} {
		require.NotEmpty(t, breakWith(tt.from, tt.to), "%s reaching %s breaks no rule", tt.from, tt.to)
	}
	for _, tt := range []struct{ from, to string }{
		{"types", "activitytype"},
		{"types", "net/url"},
		{"notify", "net/http"},
		{"notify/spool", "notify"},
		{"activity", "golang.org/x/oauth2"},
		{"activity/auth/oauth1", "github.com/dghubble/oauth1"},
		{"activity/activitytest", "notify"},
		{"backfill", "activity"},
		{"activity/service", "notify"},
		{"activity/service/admin", "activity/service"},
		{"notify/notifytest", "testing"},
		{"examples/quickstart", "activity/activitytest"},
	} {
		require.Empty(t, breakWith(tt.from, tt.to), "%s reaching %s", tt.from, tt.to)
	}
}

// breakWith checks a module of two packages.
func breakWith(from, to string) []string {
	p := &pkg{ImportPath: module + "/" + from}
	d := &pkg{ImportPath: to}
	first, _, _ := strings.Cut(to, "/")
	switch {
	case first == "net" || first == "testing":
		d.Standard = true
	case !strings.Contains(first, "."):
		d.ImportPath = module + "/" + to
	}
	p.Deps = []string{d.ImportPath}
	return broken(map[string]*pkg{p.ImportPath: p, d.ImportPath: d}, rules)
}
