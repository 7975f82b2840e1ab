package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestSoak runs for a moment, with all chaos, over sockets.
func TestSoak(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), &out, options{length: 1500 * time.Millisecond, seed: 1, rate: 200, dir: t.TempDir(), chaos: true})
	require.NoError(t, err, out.String())
	require.Contains(t, out.String(), "balanced\n")
	require.Contains(t, out.String(), "The balance closes, and nothing grows.")
	require.NotRegexp(t, `token=|Bearer`, out.String(), "a secret is shown")
}

// TestInterrupt: what is under way is let to its end, and accounted for.
func TestInterrupt(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out bytes.Buffer
	err := run(ctx, &out, options{length: time.Hour, seed: 1, rate: 100, dir: t.TempDir(), chaos: true, tamper: func(s *soak) {
		s.receiver.observe = func(o notify.Outcome) {
			s.books.observe(o)
			interrupt()
		}
	}})
	require.NoError(t, err, out.String())
	require.Contains(t, out.String(), " round 1: ")
	require.Contains(t, out.String(), "The balance closes")
}

// spoiled are ways to lose something, each once, and what the balance says then.
var spoiled = map[string]struct {
	tamper func(s *soak, first *sync.Once)
	want   string
}{
	"a callback that forgets": {func(s *soak, first *sync.Once) {
		save := s.receiver.calls.Save
		var id types.ID // an edit would make up for it: it is forgotten too
		s.receiver.calls.Save = func(ctx context.Context, d *notify.Delivery, sum types.Summary) error {
			first.Do(func() { id = sum.ID() })
			if sum.ID() == id {
				return nil
			}
			return save(ctx, d, sum)
		}
	}, "ctivities: 1 lost"},
	"a table that loses a row": {func(s *soak, first *sync.Once) {
		save := s.receiver.calls.Save
		var id types.ID
		s.receiver.calls.Save = func(ctx context.Context, d *notify.Delivery, sum types.Summary) error {
			defer func() {
				first.Do(func() { id = sum.ID() })
				s.partner.mu.Lock()
				defer s.partner.mu.Unlock()
				maps.DeleteFunc(s.partner.tables, func(t thing, _ row) bool { return t.id == id })
			}()
			return save(ctx, d, sum)
		}
	}, "ctivities: 1 lost"},
	"a table that makes up a row": {func(s *soak, first *sync.Once) {
		s.receiver.observe = func(o notify.Outcome) {
			s.books.observe(o)
			first.Do(func() {
				s.partner.mu.Lock()
				defer s.partner.mu.Unlock()
				s.partner.tables[thing{types.KindActivities, "nobody", "1"}] = row{version: 1}
			})
		}
	}, "activities: 1 made up"},
	"a file with other bytes": {func(s *soak, first *sync.Once) {
		file := s.receiver.calls.File
		s.receiver.calls.File = func(ctx context.Context, d *notify.Delivery, f *notify.File) error {
			first.Do(func() { os.WriteFile(f.Path, []byte("other"), 0o600) })
			return file(ctx, d, f)
		}
	}, "activityFiles: 1 lost"},
	"an acknowledgement without storing": {func(s *soak, first *sync.Once) {
		s.receiver.around = around(s.receiver.around, func(next put, ctx context.Context, r io.Reader) (err error) {
			called := false
			first.Do(func() { _, err = io.Copy(io.Discard, r); called = true })
			if called {
				return err
			}
			return next(ctx, r)
		})
	}, "1 bodies acknowledged and not stored"},
	"a store that changes a body": {func(s *soak, first *sync.Once) {
		s.receiver.around = around(s.receiver.around, func(next put, ctx context.Context, r io.Reader) error {
			first.Do(func() { r = io.MultiReader(r, strings.NewReader(" ")) })
			return next(ctx, r)
		})
	}, "1 bodies stored that were not sent"},
	"an item that never ends": {func(s *soak, first *sync.Once) {
		s.receiver.observe = func(o notify.Outcome) {
			skipped := false
			first.Do(func() { skipped = true })
			if !skipped {
				s.books.observe(o)
			}
		}
	}, ": 1 stored without an end"},
	"an item that ends twice": {func(s *soak, first *sync.Once) {
		s.receiver.observe = func(o notify.Outcome) {
			s.books.observe(o)
			first.Do(func() { s.books.observe(o) })
		}
	}, "1 items came to an end twice"},
}

// around puts f between the handler and the store.
func around(store func(put) put, f func(put, context.Context, io.Reader) error) func(put) put {
	return func(next put) put {
		return func(ctx context.Context, r io.Reader) error { return f(store(next), ctx, r) }
	}
}

// TestLossIsSeen spoils the integration in one place: the balance must not close
// then.
func TestLossIsSeen(t *testing.T) {
	for name, test := range spoiled {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := run(t.Context(), &out, options{
				length: 400 * time.Millisecond, seed: 1, rate: 100, dir: t.TempDir(),
				tamper: func(s *soak) {
					s.gauge.patience = 0 // the others' goroutines run
					test.tamper(s, new(sync.Once))
				},
			})
			require.ErrorContains(t, err, test.want, out.String())
			require.Contains(t, out.String(), "NOT BALANCED: ")
			require.NotContains(t, out.String(), "The balance closes")
		})
	}
}

// TestFates holds what may become of a thing, of each kind.
func TestFates(t *testing.T) {
	t.Parallel()
	for _, kind := range listKeys() {
		at := thing{kind, "u", "1"}
		if !kind.Known() {
			at.id = ""
		}
		dead := &letter{&notify.DeadLetter{}, fmt.Appendf(nil, `{%q:[{"userId":"u","summaryId":"1"}]}`, kind)}
		forged := &letter{&notify.DeadLetter{Reason: "Follow: callback URL refused"}, dead.body}
		closed := func(letters []*letter, ends int, with func(w *world, p *partner)) (fates, error) {
			p := newPartner(newChaos(1, false))
			w := &world{partner: p, want: map[thing]int64{at: 2}, gone: map[types.UserID]bool{}}
			with(w, p)
			b := newBalance()
			b.close(w, letters, ends)
			return *b.things[kind], b.err(newBooks())
		}
		for name, test := range map[string]struct {
			letters []*letter
			ends    int
			with    func(*world, *partner)
			want    fates
			err     string
		}{
			"never came":         {nil, 0, func(*world, *partner) {}, fates{lost: 1}, string(kind) + ": 1 lost"},
			"only an old one":    {nil, 0, func(_ *world, p *partner) { p.tables[at] = row{version: 1, newest: 1} }, fates{lost: 1}, string(kind) + ": 1 lost"},
			"the newest":         {nil, 0, func(_ *world, p *partner) { p.tables[at] = row{version: 2, newest: 2} }, fates{arrived: 1}, ""},
			"the newest no more": {nil, 0, func(_ *world, p *partner) { p.tables[at] = row{version: 1, newest: 2} }, fates{overwritten: 1}, string(kind) + ": 1 overwritten by an older version"},
			"refused":            {nil, 0, func(_ *world, p *partner) { p.refused[at] = 2 }, fates{refused: 1}, ""},
			"refused an old one": {nil, 0, func(_ *world, p *partner) { p.refused[at] = 1 }, fates{lost: 1}, string(kind) + ": 1 lost"},
			"dead":               {[]*letter{dead}, 1, func(*world, *partner) {}, fates{dead: 1}, ""},
			"forged":             {[]*letter{forged}, 1, func(*world, *partner) {}, fates{lost: 1}, string(kind) + ": 1 lost"},
			"no letter":          {nil, 1, func(_ *world, p *partner) { p.tables[at] = row{version: 2, newest: 2} }, fates{arrived: 1}, "1 dead letters too few or too many"},
			"a letter too many":  {[]*letter{dead}, 0, func(_ *world, p *partner) { p.tables[at] = row{version: 2, newest: 2} }, fates{arrived: 1}, "1 dead letters too few or too many"},
			"made up":            {nil, 0, func(w *world, p *partner) { clear(w.want); p.tables[at] = row{version: 2, newest: 2} }, fates{uploaded: -1, madeUp: 1}, string(kind) + ": 1 made up"},
		} {
			got, err := closed(test.letters, test.ends, test.with)
			test.want.uploaded++
			require.Equal(t, test.want, got, "%s %s", kind, name)
			if test.err == "" {
				require.NoError(t, err, "%s %s", kind, name)
			} else {
				require.EqualError(t, err, test.err, "%s %s", kind, name)
			}
		}
		left, err := closed(nil, 0, func(w *world, _ *partner) { w.gone["u"] = true })
		if kind == types.KindDeregistrations {
			require.EqualError(t, err, "deregistrations: 1 lost", "who has left must be known to have left")
		} else {
			require.NoError(t, err)
			require.Equal(t, 1, left.left)
		}
	}
}

// TestStaleRepeat: an old version that comes late does not replace the last, and
// the balance would see it.
func TestStaleRepeat(t *testing.T) {
	t.Parallel()
	at := thing{types.KindActivities, "u", "1"}
	p := newPartner(newChaos(1, false))
	deliver := func(order uint64, number int64) {
		require.NoError(t, p.store(&notify.Delivery{Kind: at.kind, Order: order, Revision: fmt.Sprint(number)}, at, number, nil))
	}
	deliver(1, 100)
	deliver(2, 101)
	deliver(1, 100)
	b := newBalance()
	b.close(&world{partner: p, want: map[thing]int64{at: 101}, gone: map[types.UserID]bool{}}, nil, 0)
	require.NoError(t, b.err(newBooks()))
	require.Equal(t, fates{uploaded: 1, arrived: 1}, *b.things[at.kind])
}

// TestGrowthIsSeen holds what counts as flat.
func TestGrowthIsSeen(t *testing.T) {
	for name, test := range map[string]struct {
		grow func(minute int, r *reading)
		want string
	}{
		"flat":             {func(int, *reading) {}, ""},
		"noise":            {func(m int, r *reading) { r.heap += int64(m%2) << 20; r.rss += int64(m%3) << 22 }, ""},
		"only the warm-up": {func(m int, r *reading) { r.rss = min(r.rss, int64(m)*20<<20) }, ""},
		"heap":             {func(m int, r *reading) { r.heap += int64(m) << 17 }, "heap grows: by 7.1 MB in 54m0s"},
		"RSS":              {func(m int, r *reading) { r.rss += int64(m) << 20 }, "RSS grows: by 56.6 MB in 54m0s"},
		"goroutines":       {func(m int, r *reading) { r.goroutines += m / 60 }, "after 1h0m0s at rest there are 10 goroutines and 15 descriptors, 9 and 15 at first"},
		"descriptors":      {func(m int, r *reading) { r.fds += m / 12 }, "after 1h0m0s at rest there are 9 goroutines and 20 descriptors, 9 and 15 at first"},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gauge{idle: reading{goroutines: 9, fds: 15}}
			for minute := 1; minute <= 60; minute++ {
				r := reading{time.Duration(minute) * time.Minute, 100 << 20, 10 << 20, 9, 15}
				test.grow(minute, &r)
				g.quiet = append(g.quiet, r)
			}
			err := g.verdict(io.Discard)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.want)
			}
		})
	}
}

// TestBrokenAgain: no body without JSON is sent twice. The spool knows it in a later
// round, and the books, which begin anew with each round, would miss its end.
func TestBrokenAgain(t *testing.T) {
	t.Parallel()
	c, seen := newChaos(1, true), map[string]bool{}
	for range 3 * len(broken) {
		seen[string(c.broken())] = true
	}
	require.Len(t, seen, 3*len(broken))
}

// TestLate: a push that Garmin sends after a later version is late, also if a pull had
// brought what it says. The same push again is not: that must not be delivered.
func TestLate(t *testing.T) {
	t.Parallel()
	at := thing{types.KindMoveIQ, "u", "1"}
	for name, test := range map[string]struct {
		first bool // it was pulled
		late  bool
	}{"pulled before": {true, true}, "pushed before": {false, false}} {
		p := newPartner(newChaos(1, false))
		for n, d := range []*notify.Delivery{
			{Kind: at.kind, Order: 10, Revision: "a", Pulled: test.first},
			{Kind: at.kind, Order: 20, Revision: "b", Pulled: true},
			{Kind: at.kind, Order: 30, Revision: "a"},
		} {
			require.NoError(t, p.store(d, at, int64(1+n%2), nil))
		}
		got := p.tables[at]
		require.EqualValues(t, 1, got.version, name)
		require.Equal(t, test.late, p.isLate(at, got, 2), name)
	}
}

// TestOnDisk: the claims of a long run are no remains.
func TestOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"claims", "log"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "file of "+name), []byte("12345"), 0o600))
	}
	size, files, err := onDiskOf(dir)
	require.NoError(t, err)
	require.EqualValues(t, 5, size)
	require.Equal(t, []string{"file of log"}, files)
}

// TestCount holds the reader of bodies that the balance rests on.
func TestCount(t *testing.T) {
	for body, want := range map[string]map[types.Kind]int{
		`{}`:                   {},
		`{"activities": [{}]}`: {},
		`{"activities": [{"a":1},{"b":[{}]}], "file": [1], "activities": [{"c":2}]}`: {"activities": 3, "activityFiles": 1},
		`{"dailies": [{"a":1}], "moveIQActivities": []}`:                             {"": 1},
		broken[0] + " 1":               {"": 1},
		broken[1] + " 1":               {"": 1},
		broken[2] + " 1":               {"": 1},
		broken[3] + " 1":               {"": 1},
		broken[4] + " 1":               {"": 1},
		`{"activities": [{"a":1}]} {}`: {"activities": 1, "": 1},
	} {
		require.Equal(t, want, count([]byte(body)), body)
	}
}
