package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// series are the labels, with their values, of each metric that Prometheus reads from
// the example.
type series map[string]map[string]map[string]bool

// read runs the example once.
var read = sync.OnceValues(func() (series, error) {
	var out bytes.Buffer
	if err := run(context.Background(), &out, "", true); err != nil {
		return nil, err
	}
	http.DefaultClient.CloseIdleConnections()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(&out)
	all := series{}
	for name, f := range families {
		has := map[string]map[string]bool{"job": nil, "instance": nil} // Prometheus adds these
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if has[l.GetName()] == nil {
					has[l.GetName()] = map[string]bool{}
				}
				has[l.GetName()][l.GetValue()] = true
			}
		}
		names := []string{name}
		if f.GetType().String() == "HISTOGRAM" {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
			has["le"] = nil
		}
		for _, n := range names {
			all[n] = has
		}
	}
	return all, err
})

// check parses an expression as Prometheus does, and finds each metric and label that
// it names in what the example gives.
func check(t *testing.T, where, expr string) {
	t.Helper()
	all, err := read()
	require.NoError(t, err)
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	require.NoError(t, err, where)
	named := 0
	var known map[string]map[string]bool // labels of what was named
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			named++
			require.Contains(t, all, v.Name, where)
			known = all[v.Name]
			for _, m := range v.LabelMatchers {
				if m.Name == model.MetricNameLabel {
					continue
				}
				require.Contains(t, known, m.Name, "%s: %s has no such label", where, v.Name)
				if values := known[m.Name]; m.Type == labels.MatchEqual && values != nil {
					require.Contains(t, values, m.Value, "%s: %s of %s", where, m.Name, v.Name)
				}
			}
		}
		return nil
	})
	require.Positive(t, named, where)
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, l := range a.Grouping {
				require.Contains(t, known, l, "%s: there is no label to group by", where)
			}
		}
		return nil
	})
}

// TestAlerts: Prometheus loads the rules, and each asks for something that is there.
func TestAlerts(t *testing.T) {
	data, err := os.ReadFile("alerts.yaml")
	require.NoError(t, err)
	groups, errs := rulefmt.Parse(data, false, model.UTF8Validation, parser.NewParser(parser.Options{}), nil)
	require.Empty(t, errs)
	seen := map[string]bool{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			require.False(t, seen[r.Alert], "%s twice", r.Alert)
			seen[r.Alert] = true
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			require.NotEmpty(t, r.Annotations["description"], r.Alert)
			require.Contains(t, []string{"critical", "warning", "info"}, r.Labels["severity"], r.Alert)
			check(t, r.Alert, r.Expr)
		}
	}
	require.Len(t, seen, 13)
}

// TestBoard: the board is one that Grafana imports, and each panel shows something
// that is there.
func TestBoard(t *testing.T) {
	data, err := os.ReadFile("board.json")
	require.NoError(t, err)
	var board struct {
		Title, UID    string
		SchemaVersion int
		Templating    struct {
			List []struct{ Name, Type, Query string }
		}
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ H, W, X, Y int }
			Datasource  struct{ Type, UID string }
			Targets     []struct{ RefID, Expr, LegendFormat string }
		}
	}
	require.NoError(t, json.Unmarshal(data, &board))
	require.NotEmpty(t, board.UID)
	require.NotEmpty(t, board.Title)
	require.Positive(t, board.SchemaVersion)
	variables := map[string]bool{"__rate_interval": true}
	for _, v := range board.Templating.List {
		variables[v.Name] = true
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range board.Panels {
		require.False(t, ids[p.ID], p.Title)
		ids[p.ID] = true
		require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			require.Less(t, x, 24, p.Title)
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, cells[[2]int{x, y}], "%s lies over another", p.Title)
				cells[[2]int{x, y}] = p.Title
			}
		}
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			for _, v := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				require.True(t, variables[v[1]], "%s: $%s is no variable", p.Title, v[1])
			}
			expr := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*").Replace(target.Expr)
			check(t, p.Title, expr)
			for _, l := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				require.Contains(t, target.Expr, l[1], "%s: the legend names a label that is gone", p.Title)
			}
		}
	}
}

// TestEverythingIsShown: each metric is on the board.
func TestEverythingIsShown(t *testing.T) {
	all, err := read()
	require.NoError(t, err)
	data, err := os.ReadFile("board.json")
	require.NoError(t, err)
	for name := range all {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		switch base {
		case "target_info", "garmin_processor_shares", "garmin_spool_puts_total":
			continue
		}
		require.Contains(t, string(data), base)
	}
}

// TestServes: Prometheus reads over the network, until the program is told to end.
func TestServes(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	r, w, err := os.Pipe()
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- run(ctx, w, "127.0.0.1:0", false) }()
	line := make([]byte, 200)
	n, err := r.Read(line)
	require.NoError(t, err)
	_, url, _ := strings.Cut(strings.TrimSpace(string(line[:n])), "metrics at ")
	require.Eventually(t, func() bool {
		resp, err := http.Get(url)
		require.NoError(t, err)
		defer resp.Body.Close()
		var b bytes.Buffer
		_, err = b.ReadFrom(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.NotContains(t, b.String(), secret)
		return strings.Contains(b.String(), `garmin_result="done"`)
	}, time.Minute, 10*time.Millisecond)
	stop()
	require.NoError(t, <-done)
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, r.Close())
	require.NoError(t, w.Close())
}
