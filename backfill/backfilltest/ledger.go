package backfilltest

import (
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// lease is the longest time after which the claim of a killed handle has ended.
const lease = 2 * time.Minute

// RunLedger checks ledgers against the contracts of [backfill.Ledger] and
// [backfill.Claim]. A new state must be empty.
func RunLedger(t *testing.T, h Harness[backfill.Ledger]) {
	run(t, h, []clause[*ledgerTest]{
		{"Empty", 0, (*ledgerTest).empty},
		{"Order", 0, (*ledgerTest).order},
		{"Fields", 0, (*ledgerTest).fields},
		{"Replace", 0, (*ledgerTest).replace},
		{"Overlap", 0, (*ledgerTest).overlap},
		{"Invalid", 0, (*ledgerTest).invalid},
		{"CallersChunk", 0, (*ledgerTest).callersChunk},
		{"Users", 0, (*ledgerTest).users},
		{"Recent", 0, (*ledgerTest).recent},
		{"Arrived", 0, (*ledgerTest).arrived},
		{"ArrivalsStay", 0, (*ledgerTest).arrivalsStay},
		{"Claim", 0, (*ledgerTest).claim},
		{"ReleasedClaimSavesNothing", 0, (*ledgerTest).released},
		{"ForgetRemovesAll", 0, (*ledgerTest).forget},
		{"ForgetEndsTheClaim", 0, (*ledgerTest).forgetClaim},
		{"ForgetDuringSaves", 0, (*ledgerTest).forgetDuring},
		{"Concurrent", 0, (*ledgerTest).concurrent},

		{"SavesSurviveAKill", kills, (*ledgerTest).savesSurvive},
		{"ArrivalsSurviveAKill", kills, (*ledgerTest).arrivalsSurvive},
		{"ForgetSurvivesAKill", kills, (*ledgerTest).forgetSurvives},
		{"ClaimEndsAfterAKill", kills, (*ledgerTest).claimEnds},
		{"LostClaimSavesNothing", kills, (*ledgerTest).fenced},
		{"HandlesSeeEachOther", sharing, (*ledgerTest).seen},
		{"ClaimKeepsOtherHandlesOff", sharing, (*ledgerTest).busy},
		{"ClaimIsKept", sharing, (*ledgerTest).kept},
		{"ForgetByAnotherHandle", sharing, (*ledgerTest).forgetAcross},
		{"ConcurrentHandles", sharing, (*ledgerTest).race},
	}, func(t *testing.T, b *bench[backfill.Ledger]) *ledgerTest {
		return &ledgerTest{T: t, b: b, l: b.open()}
	})
}

type ledgerTest struct {
	*testing.T
	b *bench[backfill.Ledger]
	l backfill.Ledger
}

// again kills the ledger's handle and opens another, if the harness can: what
// was saved must be there.
func (t *ledgerTest) again() { t.l = t.b.again(t.l) }

var epoch = time.Date(2024, 2, 20, 0, 0, 0, 0, time.UTC)

// days returns the window from day a up to day b after the epoch.
func days(a, b int) types.Window {
	return types.Window{Start: epoch.AddDate(0, 0, a), End: epoch.AddDate(0, 0, b)}
}

func chunk(user types.UserID, kind types.Kind, w types.Window, s backfill.State) *backfill.Chunk {
	c := &backfill.Chunk{UserID: user, Kind: kind, Window: w, State: s}
	if s != backfill.StatePlanned {
		c.Attempts = 1
		c.Requested = epoch.AddDate(1, 0, 0)
	}
	return c
}

// try saves chunks of a user under a claim of its own.
func (t *ledgerTest) try(user types.UserID, chunks ...*backfill.Chunk) error {
	t.Helper()
	c := t.claimed(t.l, user)
	defer c.Release()
	return c.Save(t.Context(), chunks...)
}

func (t *ledgerTest) save(chunks ...*backfill.Chunk) {
	t.Helper()
	if err := t.try(chunks[0].UserID, chunks...); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

func (t *ledgerTest) claimed(l backfill.Ledger, user types.UserID) backfill.Claim {
	t.Helper()
	c, err := l.Claim(t.Context(), user)
	if err != nil {
		t.Fatalf("Claim of %s: %v", user, err)
	}
	return c
}

func (t *ledgerTest) all(user types.UserID) []*backfill.Chunk {
	t.Helper()
	return collect(t, t.l.Chunks(t.Context(), user))
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
func (t *ledgerTest) want(user types.UserID, chunks ...*backfill.Chunk) {
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
	if err := t.try("nobody"); err != nil {
		t.Errorf("Save of no chunks: %v", err)
	}
	if err := t.l.Forget(t.Context(), "nobody"); err != nil {
		t.Errorf("Forget of an unknown user: %v", err)
	}
	if got := collect(t, t.l.Users(t.Context())); len(got) != 0 {
		t.Errorf("users of an empty ledger: %q", got)
	}
	if err := t.l.Arrived(t.Context(), "nobody", types.KindActivities, epoch); err != nil {
		t.Errorf("Arrived for an unknown user: %v, want no error", err)
	}
}

func (t *ledgerTest) order() {
	a := chunk("u", types.KindActivities, days(0, 10), backfill.StatePlanned)
	b := chunk("u", types.KindActivities, days(10, 20), backfill.StatePlanned)
	c := chunk("u", types.KindMoveIQ, days(0, 5), backfill.StatePlanned)
	t.save(c, b)
	t.save(a)
	t.again()
	t.want("u", a, b, c)
	for _, err := range t.l.Chunks(t.Context(), "u") {
		if err != nil {
			t.Errorf("Chunks: %v", err)
		}
		break // leaving early is allowed
	}
}

func (t *ledgerTest) fields() {
	full := &backfill.Chunk{
		UserID: "u/ü 1", Kind: types.KindActivityDetails, Window: days(0, 25), State: backfill.StateHole,
		Reason: "some reason", Detail: "some \"text\"\n", Earlier: days(-5, 3), Attempts: 3,
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
	t.save(chunk("v", types.KindActivities, days(0, 1), backfill.StatePlanned))
	t.again()
	if g := t.all("v")[0]; !g.Requested.IsZero() || !g.Answered.IsZero() || !g.Earlier.Start.IsZero() {
		t.Errorf("times that were not set: %+v", *g)
	} else if g.Attempts != 0 {
		t.Errorf("Attempts = %d, want 0", g.Attempts)
	}
	// Each of the fields that few chunks have, alone.
	for i, only := range []backfill.Chunk{
		{Reason: "another reason"}, {Detail: "text"}, {Earlier: days(-5, 3)}, {InDoubt: epoch},
	} {
		c := chunk("w", types.KindActivities, days(i, i+1), backfill.StateRefused)
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
	whole := chunk("u", types.KindActivities, days(0, 30), backfill.StateRequested)
	t.save(whole)
	early := chunk("u", types.KindActivities, days(0, 12), backfill.StateRefused)
	early.Reason = backfill.ReasonMinStart
	rest := chunk("u", types.KindActivities, days(12, 30), backfill.StatePlanned)
	t.save(early, rest)
	t.again()
	t.want("u", early, rest)
	rest.State = backfill.StateAccepted
	t.save(rest)
	t.again()
	t.want("u", early, rest)
}

// overlaps reports whether err may say that chunks overlap.
func overlaps(err error) bool { return err != nil && !errors.Is(err, backfill.ErrBusy) }

func (t *ledgerTest) overlap() {
	a := chunk("u", types.KindActivities, days(10, 20), backfill.StatePlanned)
	t.save(a)
	for _, w := range []types.Window{days(5, 11), days(11, 12), days(19, 25), days(5, 25)} {
		c := chunk("u", types.KindActivities, w, backfill.StatePlanned)
		free := chunk("u", types.KindActivities, days(100, 101), backfill.StatePlanned)
		if err := t.try("u", free, c); !overlaps(err) {
			t.Errorf("Save(%s) beside %s: %v, want an error that is not ErrBusy", w, a.Window, err)
		}
	}
	twice := chunk("u", types.KindActivities, days(40, 50), backfill.StatePlanned)
	if err := t.try("u", twice, chunk("u", types.KindActivities, days(45, 55), backfill.StatePlanned)); !overlaps(err) {
		t.Errorf("Save of two that overlap: %v, want an error that is not ErrBusy", err)
	}
	// A chunk of another kind does not take the place of a, though it begins with it.
	other := chunk("u", types.KindMoveIQ, a.Window, backfill.StatePlanned)
	if err := t.try("u", other, chunk("u", types.KindActivities, days(15, 25), backfill.StatePlanned)); !overlaps(err) {
		t.Errorf("Save of another kind at %s and an overlap: %v, want an error that is not ErrBusy", a.Window, err)
	}
	t.again()
	t.want("u", a) // of a failed Save, nothing stays

	// Neighbours, other kinds and other users do not overlap.
	b := chunk("u", types.KindActivities, days(20, 30), backfill.StatePlanned)
	c := chunk("u", types.KindActivities, days(0, 10), backfill.StatePlanned)
	d := chunk("u", types.KindMoveIQ, days(5, 25), backfill.StatePlanned)
	t.save(b, c, d)
	t.save(chunk("v", types.KindActivities, days(5, 25), backfill.StatePlanned))
	t.want("u", c, a, b, d)
}

func (t *ledgerTest) invalid() {
	good := chunk("u", types.KindActivities, days(0, 1), backfill.StatePlanned)
	for name, spoil := range map[string]func(*backfill.Chunk){
		"no user":       func(c *backfill.Chunk) { c.UserID = "" },
		"no kind":       func(c *backfill.Chunk) { c.Kind = "" },
		"other kind":    func(c *backfill.Chunk) { c.Kind = types.KindActivityFiles },
		"unknown kind":  func(c *backfill.Chunk) { c.Kind = "moveiq" },
		"no state":      func(c *backfill.Chunk) { c.State = 0 },
		"unknown state": func(c *backfill.Chunk) { c.State = backfill.StateRefused + 1 },
		"no window":     func(c *backfill.Chunk) { c.Window = types.Window{} },
		"backward":      func(c *backfill.Chunk) { c.Window = types.Window{Start: c.Window.End, End: c.Window.Start} },
		"another user":  func(c *backfill.Chunk) { c.UserID = "v" },
	} {
		bad := *good
		bad.Window = days(5, 6)
		spoil(&bad)
		if err := t.try("u", good, &bad); err == nil {
			t.Errorf("Save of a chunk with %s succeeded", name)
		}
		if err := t.try("u", &bad); err == nil {
			t.Errorf("Save of one chunk with %s succeeded", name)
		}
	}
	t.again()
	t.want("u")
	t.want("v")
}

func (t *ledgerTest) callersChunk() {
	c := chunk("u", types.KindActivities, days(0, 1), backfill.StatePlanned)
	was := *c
	t.save(c)
	c.State = backfill.StateAccepted
	t.want("u", &was)
	t.all("u")[0].State = backfill.StateAccepted
	t.want("u", &was)
}

func (t *ledgerTest) users() {
	for _, u := range []types.UserID{"b", "a", "c"} {
		t.save(chunk(u, types.KindMoveIQ, days(0, 1), backfill.StatePlanned))
	}
	t.again()
	got := collect(t, t.l.Users(t.Context()))
	slices.Sort(got)
	if want := []types.UserID{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("users %q, want %q", got, want)
	}
}

func (t *ledgerTest) recent() {
	at := epoch.AddDate(1, 0, 0)
	planned := chunk("u", types.KindActivities, days(0, 1), backfill.StatePlanned)
	old := chunk("u", types.KindActivities, days(1, 2), backfill.StateAccepted)
	old.Requested, old.Answered = at.Add(-2*time.Minute), at.Add(-time.Second)
	sent := chunk("u", types.KindActivities, days(2, 3), backfill.StateRequested)
	sent.Requested = at
	answered := chunk("v", types.KindMoveIQ, days(3, 4), backfill.StatePlanned)
	answered.Requested, answered.Answered = at.Add(-time.Minute), at
	t.save(planned, old, sent)
	t.save(answered)
	t.again()
	var got []string
	for _, c := range collect(t, t.l.Recent(t.Context(), at)) {
		got = append(got, c.String())
	}
	slices.Sort(got)
	if want := []string{sent.String(), answered.String()}; !slices.Equal(got, want) {
		t.Errorf("Recent:\n got %q\nwant %q", got, want)
	}
}

func (t *ledgerTest) arrive(user types.UserID, kind types.Kind, at time.Time) {
	t.Helper()
	if err := t.l.Arrived(t.Context(), user, kind, at); err != nil {
		t.Fatalf("Arrived: %v", err)
	}
}

func (t *ledgerTest) arrived() {
	w := days(10, 20)
	t.save(
		chunk("u", types.KindActivities, w, backfill.StateAccepted),
		chunk("u", types.KindActivities, days(20, 30), backfill.StatePlanned),
		chunk("u", types.KindMoveIQ, w, backfill.StateRequested),
	)
	in := []time.Time{w.Start, w.Start.Add(time.Hour), w.End.Add(-time.Second)}
	for _, at := range slices.Backward(in) {
		t.arrive("u", types.KindActivities, at)
		t.arrive("u", types.KindActivities, at.Add(300*time.Millisecond)) // the same second: a repeat
	}
	t.arrive("u", types.KindActivities, w.Start.Add(-time.Second)) // before
	t.arrive("u", types.KindActivities, w.End)                     // in a chunk not asked for
	t.arrive("u", types.KindMoveIQ, w.Start)
	t.arrive("u", types.KindMoveIQ, w.End) // after the last
	t.arrive("u", "", w.Start)
	t.arrive("u", types.KindActivityFiles, w.Start)
	t.arrive("v", types.KindActivities, w.Start)
	t.again()
	var counts []int
	for _, c := range t.all("u") {
		counts = append(counts, c.Arrived)
	}
	if want := []int{3, 0, 1}; !slices.Equal(counts, want) {
		t.Errorf("Arrived counts %v, want %v", counts, want)
	}
	got := collect(t, t.l.Arrivals(t.Context(), "u", types.KindActivities, days(0, 100)))
	if !slices.EqualFunc(got, in, time.Time.Equal) {
		t.Errorf("Arrivals %v, want %v", got, in)
	}
	part := types.Window{Start: in[1], End: in[2]}
	if got := collect(t, t.l.Arrivals(t.Context(), "u", types.KindActivities, part)); len(got) != 1 || !got[0].Equal(in[1]) {
		t.Errorf("Arrivals in %s: %v, want %v", part, got, in[1])
	}
}

func (t *ledgerTest) arrivalsStay() {
	c := chunk("u", types.KindActivities, days(0, 20), backfill.StateRequested)
	t.save(c)
	t.arrive("u", types.KindActivities, epoch.AddDate(0, 0, 5))
	t.arrive("u", types.KindActivities, epoch.AddDate(0, 0, 15))
	c.State = backfill.StateAccepted
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
