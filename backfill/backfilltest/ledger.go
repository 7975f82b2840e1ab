package backfilltest

import (
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// LedgerOptions change how [TestLedger] runs. nil means the zero value.
type LedgerOptions struct {
	// Reopen closes a ledger and opens the same one anew. nil leaves out the
	// tests of durability.
	Reopen func(t *testing.T, l backfill.Ledger) backfill.Ledger
}

// TestLedger checks that the ledgers which newLedger returns keep the contract
// of [backfill.Ledger]. newLedger is called once for each subtest and must
// return an empty one.
func TestLedger(t *testing.T, newLedger func(t *testing.T) backfill.Ledger, opts *LedgerOptions) {
	if opts == nil {
		opts = &LedgerOptions{}
	}
	for _, c := range []struct {
		name string
		test func(*ledgerTest)
	}{
		{"Empty", (*ledgerTest).empty},
		{"Order", (*ledgerTest).order},
		{"Fields", (*ledgerTest).fields},
		{"Replace", (*ledgerTest).replace},
		{"Overlap", (*ledgerTest).overlap},
		{"Invalid", (*ledgerTest).invalid},
		{"CallersChunk", (*ledgerTest).callersChunk},
		{"Users", (*ledgerTest).users},
		{"Recent", (*ledgerTest).recent},
		{"Arrived", (*ledgerTest).arrived},
		{"ArrivalsStay", (*ledgerTest).arrivalsStay},
		{"Claim", (*ledgerTest).claim},
		{"Concurrent", (*ledgerTest).concurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			lt := &ledgerTest{T: t, Ledger: newLedger(t), again: func() {}}
			if opts.Reopen != nil {
				lt.again = func() { lt.Ledger = opts.Reopen(t, lt.Ledger) }
			}
			c.test(lt)
		})
	}
}

type ledgerTest struct {
	*testing.T
	backfill.Ledger
	again func()
}

var epoch = time.Date(2024, 2, 20, 0, 0, 0, 0, time.UTC)

// days returns the window from day a up to day b after the epoch.
func days(a, b int) types.Window {
	return types.Window{Start: epoch.AddDate(0, 0, a), End: epoch.AddDate(0, 0, b)}
}

func chunk(user string, kind backfill.Kind, w types.Window, s backfill.State) *backfill.Chunk {
	c := &backfill.Chunk{UserID: user, Kind: kind, Window: w, State: s}
	if s != backfill.Planned {
		c.Attempts = 1
		c.Requested = epoch.AddDate(1, 0, 0)
	}
	return c
}

func (t *ledgerTest) save(chunks ...*backfill.Chunk) {
	t.Helper()
	if err := t.Save(t.T.Context(), chunks...); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

func (t *ledgerTest) all(user string) []*backfill.Chunk {
	t.Helper()
	return collect(t, t.Chunks(t.T.Context(), user))
}

func collect[T any](t *ledgerTest, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var out []T
	for x, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

// want compares the chunks of a user with their one-line texts.
func (t *ledgerTest) want(user string, chunks ...*backfill.Chunk) {
	t.Helper()
	var got, want []string
	for _, c := range t.all(user) {
		got = append(got, c.String())
	}
	for _, c := range chunks {
		want = append(want, c.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("chunks of %s:\n got %q\nwant %q", user, got, want)
	}
}

func (t *ledgerTest) empty() {
	t.want("nobody")
	t.save()
	if got := collect(t, t.Users(t.T.Context())); len(got) != 0 {
		t.Errorf("users of an empty ledger: %q", got)
	}
	if err := t.Arrived(t.T.Context(), "nobody", backfill.Activities, epoch); err != nil {
		t.Errorf("Arrived for an unknown user: %v, want no error", err)
	}
}

func (t *ledgerTest) order() {
	a := chunk("u", backfill.Activities, days(0, 10), backfill.Planned)
	b := chunk("u", backfill.Activities, days(10, 20), backfill.Planned)
	c := chunk("u", backfill.MoveIQ, days(0, 5), backfill.Planned)
	t.save(c, b)
	t.save(a)
	t.again()
	t.want("u", a, b, c)
	for _, err := range t.Chunks(t.T.Context(), "u") {
		if err != nil {
			t.Errorf("Chunks: %v", err)
		}
		break // leaving early is allowed
	}
}

func (t *ledgerTest) fields() {
	full := &backfill.Chunk{
		UserID: "u/ü 1", Kind: backfill.ActivityDetails, Window: days(0, 25), State: backfill.Hole,
		Reason: backfill.ReasonDuplicate, Detail: "some \"text\"\n", Earlier: days(-5, 3), Attempts: 3,
		Requested: epoch.Add(time.Hour + 123*time.Millisecond), Answered: epoch.Add(2 * time.Hour), InDoubt: epoch.Add(30 * time.Minute),
	}
	t.save(full)
	t.again()
	got := t.all("u/ü 1")
	if len(got) != 1 {
		t.Fatalf("%d chunks, want 1", len(got))
	}
	g := got[0]
	if !g.Requested.Equal(full.Requested) || !g.Answered.Equal(full.Answered) || !g.InDoubt.Equal(full.InDoubt) ||
		!g.Earlier.Start.Equal(full.Earlier.Start) || !g.Earlier.End.Equal(full.Earlier.End) ||
		!g.Window.Start.Equal(full.Window.Start) || !g.Window.End.Equal(full.Window.End) {
		t.Errorf("times changed:\n got %+v\nwant %+v", *g, *full)
	}
	g.Requested, g.Answered, g.InDoubt, g.Earlier, g.Window = full.Requested, full.Answered, full.InDoubt, full.Earlier, full.Window
	if *g != *full {
		t.Errorf("got %+v\nwant %+v", *g, *full)
	}
	// Times that are not set stay so.
	t.save(chunk("v", backfill.Activities, days(0, 1), backfill.Planned))
	t.again()
	if g := t.all("v")[0]; !g.Requested.IsZero() || !g.Answered.IsZero() || !g.Earlier.Start.IsZero() {
		t.Errorf("times that were not set: %+v", *g)
	} else if g.Attempts != 0 {
		t.Errorf("Attempts = %d, want 0", g.Attempts)
	}
	// Each of the fields that few chunks have, alone.
	for i, only := range []backfill.Chunk{
		{Reason: backfill.ReasonOther}, {Detail: "text"}, {Earlier: days(-5, 3)}, {InDoubt: epoch},
	} {
		c := chunk("w", backfill.Activities, days(i, i+1), backfill.Refused)
		c.Reason, c.Detail, c.Earlier, c.InDoubt = only.Reason, only.Detail, only.Earlier, only.InDoubt
		t.save(c)
		t.again()
		g := t.all("w")[i]
		if g.Reason != c.Reason || g.Detail != c.Detail || !g.InDoubt.Equal(c.InDoubt) ||
			!g.Earlier.Start.Equal(c.Earlier.Start) || !g.Earlier.End.Equal(c.Earlier.End) {
			t.Errorf("got %+v\nwant %+v", *g, *c)
		}
	}
}

func (t *ledgerTest) replace() {
	whole := chunk("u", backfill.Activities, days(0, 30), backfill.Requested)
	t.save(whole)
	early := chunk("u", backfill.Activities, days(0, 12), backfill.Refused)
	early.Reason = backfill.ReasonMinStart
	rest := chunk("u", backfill.Activities, days(12, 30), backfill.Planned)
	t.save(early, rest)
	t.again()
	t.want("u", early, rest)
	rest.State = backfill.Accepted
	t.save(rest)
	t.again()
	t.want("u", early, rest)
}

func (t *ledgerTest) overlap() {
	a := chunk("u", backfill.Activities, days(10, 20), backfill.Planned)
	t.save(a)
	for _, w := range []types.Window{days(5, 11), days(11, 12), days(19, 25), days(5, 25)} {
		c := chunk("u", backfill.Activities, w, backfill.Planned)
		free := chunk("u", backfill.Activities, days(100, 101), backfill.Planned)
		if err := t.Save(t.T.Context(), free, c); !errors.Is(err, backfill.ErrOverlap) {
			t.Errorf("Save(%s) beside %s: %v, want ErrOverlap", w, a.Window, err)
		}
	}
	twice := chunk("u", backfill.Activities, days(40, 50), backfill.Planned)
	if err := t.Save(t.T.Context(), twice, chunk("u", backfill.Activities, days(45, 55), backfill.Planned)); !errors.Is(err, backfill.ErrOverlap) {
		t.Errorf("Save of two that overlap: %v, want ErrOverlap", err)
	}
	// A chunk of another kind does not take the place of a, though it begins with it.
	other := chunk("u", backfill.MoveIQ, a.Window, backfill.Planned)
	if err := t.Save(t.T.Context(), other, chunk("u", backfill.Activities, days(15, 25), backfill.Planned)); !errors.Is(err, backfill.ErrOverlap) {
		t.Errorf("Save of another kind at %s and an overlap: %v, want ErrOverlap", a.Window, err)
	}
	t.again()
	t.want("u", a) // of a failed Save, nothing stays

	// Neighbours, other kinds and other users do not overlap.
	b := chunk("u", backfill.Activities, days(20, 30), backfill.Planned)
	c := chunk("u", backfill.Activities, days(0, 10), backfill.Planned)
	d := chunk("u", backfill.MoveIQ, days(5, 25), backfill.Planned)
	t.save(b, c, d)
	t.save(chunk("v", backfill.Activities, days(5, 25), backfill.Planned))
	t.want("u", c, a, b, d)
}

func (t *ledgerTest) invalid() {
	good := chunk("u", backfill.Activities, days(0, 1), backfill.Planned)
	for name, spoil := range map[string]func(*backfill.Chunk){
		"no user":       func(c *backfill.Chunk) { c.UserID = "" },
		"no kind":       func(c *backfill.Chunk) { c.Kind = 0 },
		"unknown kind":  func(c *backfill.Chunk) { c.Kind = 99 },
		"no state":      func(c *backfill.Chunk) { c.State = 0 },
		"unknown state": func(c *backfill.Chunk) { c.State = backfill.Refused + 1 },
		"no window":     func(c *backfill.Chunk) { c.Window = types.Window{} },
		"backward":      func(c *backfill.Chunk) { c.Window = types.Window{Start: c.Window.End, End: c.Window.Start} },
		"two users":     func(c *backfill.Chunk) { c.UserID = "v" },
	} {
		bad := *good
		bad.Window = days(5, 6)
		spoil(&bad)
		if err := t.Save(t.T.Context(), good, &bad); err == nil {
			t.Errorf("Save of a chunk with %s succeeded", name)
		}
		if name == "two users" {
			continue
		}
		if err := t.Save(t.T.Context(), &bad); err == nil {
			t.Errorf("Save of one chunk with %s succeeded", name)
		}
	}
	t.again()
	t.want("u")
	t.want("v")
}

func (t *ledgerTest) callersChunk() {
	c := chunk("u", backfill.Activities, days(0, 1), backfill.Planned)
	was := *c
	t.save(c)
	c.State = backfill.Accepted
	t.want("u", &was)
	t.all("u")[0].State = backfill.Accepted
	t.want("u", &was)
}

func (t *ledgerTest) users() {
	for _, u := range []string{"b", "a", "c"} {
		t.save(chunk(u, backfill.MoveIQ, days(0, 1), backfill.Planned))
	}
	t.again()
	got := collect(t, t.Users(t.T.Context()))
	slices.Sort(got)
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("users %q, want %q", got, want)
	}
}

func (t *ledgerTest) recent() {
	at := epoch.AddDate(1, 0, 0)
	planned := chunk("u", backfill.Activities, days(0, 1), backfill.Planned)
	old := chunk("u", backfill.Activities, days(1, 2), backfill.Accepted)
	old.Requested, old.Answered = at.Add(-2*time.Minute), at.Add(-time.Second)
	sent := chunk("u", backfill.Activities, days(2, 3), backfill.Requested)
	sent.Requested = at
	answered := chunk("v", backfill.MoveIQ, days(3, 4), backfill.Planned)
	answered.Requested, answered.Answered = at.Add(-time.Minute), at
	t.save(planned, old, sent)
	t.save(answered)
	t.again()
	var got []string
	for _, c := range collect(t, t.Recent(t.T.Context(), at)) {
		got = append(got, c.String())
	}
	slices.Sort(got)
	if want := []string{sent.String(), answered.String()}; !slices.Equal(got, want) {
		t.Errorf("Recent:\n got %q\nwant %q", got, want)
	}
}

func (t *ledgerTest) arrive(user string, kind backfill.Kind, at time.Time) {
	t.Helper()
	if err := t.Arrived(t.T.Context(), user, kind, at); err != nil {
		t.Fatalf("Arrived: %v", err)
	}
}

func (t *ledgerTest) arrived() {
	w := days(10, 20)
	t.save(
		chunk("u", backfill.Activities, w, backfill.Accepted),
		chunk("u", backfill.Activities, days(20, 30), backfill.Planned),
		chunk("u", backfill.MoveIQ, w, backfill.Requested),
	)
	in := []time.Time{w.Start, w.Start.Add(time.Hour), w.End.Add(-time.Second)}
	for _, at := range slices.Backward(in) {
		t.arrive("u", backfill.Activities, at)
		t.arrive("u", backfill.Activities, at.Add(300*time.Millisecond)) // the same second: a repeat
	}
	t.arrive("u", backfill.Activities, w.Start.Add(-time.Second)) // before
	t.arrive("u", backfill.Activities, w.End)                     // in a chunk not asked for
	t.arrive("u", backfill.MoveIQ, w.Start)
	t.arrive("u", backfill.MoveIQ, w.End) // after the last
	t.arrive("u", 0, w.Start)
	t.arrive("u", backfill.MoveIQ+1, w.Start)
	t.arrive("v", backfill.Activities, w.Start)
	t.again()
	var counts []int
	for _, c := range t.all("u") {
		counts = append(counts, c.Arrived)
	}
	if want := []int{3, 0, 1}; !slices.Equal(counts, want) {
		t.Errorf("Arrived counts %v, want %v", counts, want)
	}
	got := collect(t, t.Arrivals(t.T.Context(), "u", backfill.Activities, days(0, 100)))
	if !slices.EqualFunc(got, in, time.Time.Equal) {
		t.Errorf("Arrivals %v, want %v", got, in)
	}
	part := types.Window{Start: in[1], End: in[2]}
	if got := collect(t, t.Arrivals(t.T.Context(), "u", backfill.Activities, part)); len(got) != 1 || !got[0].Equal(in[1]) {
		t.Errorf("Arrivals in %s: %v, want %v", part, got, in[1])
	}
}

func (t *ledgerTest) arrivalsStay() {
	c := chunk("u", backfill.Activities, days(0, 20), backfill.Requested)
	t.save(c)
	t.arrive("u", backfill.Activities, epoch.AddDate(0, 0, 5))
	t.arrive("u", backfill.Activities, epoch.AddDate(0, 0, 15))
	c.State = backfill.Accepted
	t.save(c)
	t.again()
	if got := t.all("u")[0].Arrived; got != 2 {
		t.Errorf("a new state leaves %d arrivals, want 2", got)
	}
	a, b := *c, *c
	a.Window, b.Window = days(0, 10), days(10, 20)
	t.save(&b, &a)
	t.again()
	if got := t.all("u"); len(got) != 2 || got[0].Arrived != 1 || got[1].Arrived != 1 {
		t.Errorf("after a split: %v, want one arrival in each half", got)
	}
}

func (t *ledgerTest) claim() {
	release, err := t.Claim(t.T.Context(), "u")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := t.Claim(t.T.Context(), "u"); !errors.Is(err, backfill.ErrBusy) {
		t.Errorf("second claim: %v, want ErrBusy", err)
	}
	other, err := t.Claim(t.T.Context(), "v")
	if err != nil {
		t.Errorf("claim of another user: %v", err)
	} else {
		other()
	}
	release()
	release() // does nothing
	again, err := t.Claim(t.T.Context(), "u")
	if err != nil {
		t.Fatalf("claim after release: %v", err)
	}
	release() // of the first claim: does nothing
	if _, err := t.Claim(t.T.Context(), "u"); !errors.Is(err, backfill.ErrBusy) {
		t.Errorf("an old release ended a new claim")
	}
	again()
}

func (t *ledgerTest) concurrent() {
	const users, chunks = 8, 20
	var wg sync.WaitGroup
	for u := range users {
		user := string(rune('a' + u))
		wg.Go(func() {
			for i := range chunks {
				c := chunk(user, backfill.Activities, days(i, i+1), backfill.Accepted)
				if err := t.Save(t.T.Context(), c); err != nil {
					t.Error(err)
				}
				if err := t.Arrived(t.T.Context(), user, backfill.Activities, c.Window.Start); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for _, err := range t.Chunks(t.T.Context(), user) {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	t.again()
	for u := range users {
		n, arrived := 0, 0
		for _, c := range t.all(string(rune('a' + u))) {
			n++
			arrived += c.Arrived
		}
		if n != chunks || arrived != chunks {
			t.Errorf("%d chunks with %d arrivals, want %d and %d", n, arrived, chunks, chunks)
		}
	}
}
