package backfilltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

func (t *ledgerTest) claim() {
	c := t.claimed(t.l, "u")
	if err := c.Context().Err(); err != nil {
		t.Errorf("the context of a claim has ended: %v", context.Cause(c.Context()))
	}
	if _, err := t.l.Claim(t.Context(), "u"); !errors.Is(err, backfill.ErrBusy) {
		t.Errorf("second claim: %v, want ErrBusy", err)
	}
	t.claimed(t.l, "v").Release()
	c.Release()
	c.Release() // does nothing
	if c.Context().Err() == nil {
		t.Errorf("the context of a released claim has not ended")
	}
	again := t.claimed(t.l, "u")
	c.Release() // of the first claim: does nothing
	if _, err := t.l.Claim(t.Context(), "u"); !errors.Is(err, backfill.ErrBusy) {
		t.Errorf("an old Release ended a new claim")
	}
	if err := again.Save(t.Context(), chunk("u", types.KindMoveIQ, days(0, 1), backfill.StatePlanned)); err != nil {
		t.Errorf("an old Release ended a new claim: %v", err)
	}
	again.Release()

	// ctx is for the call and not for the claim.
	ctx, cancel := context.WithCancel(t.Context())
	c, err := t.l.Claim(ctx, "u")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	t.b.settle()
	if c.Context().Err() != nil {
		t.Errorf("the claim ends with the context of the call to Claim")
	}
	if err := c.Save(t.Context(), chunk("u", types.KindMoveIQ, days(1, 2), backfill.StatePlanned)); err != nil {
		t.Errorf("Save after the context of the call to Claim has ended: %v", err)
	}
	c.Release()
}

// fails checks that a claim saves nothing any more.
func (t *ledgerTest) fails(c backfill.Claim, what string) {
	t.Helper()
	err := c.Save(t.Context(), chunk("u", types.KindMoveIQ, days(500, 501), backfill.StateAccepted))
	if !errors.Is(err, backfill.ErrBusy) {
		t.Errorf("Save %s: %v, want ErrBusy", what, err)
	}
}

// lost checks that the context of a claim ends and says that it was lost.
func (t *ledgerTest) lost(c backfill.Claim, what string) {
	t.Helper()
	select {
	case <-c.Context().Done():
		if cause := context.Cause(c.Context()); !errors.Is(cause, backfill.ErrBusy) {
			t.Errorf("the context ends %s because of %v, want ErrBusy", what, cause)
		}
	case <-time.After(lease):
		t.Errorf("the context of the claim does not end %s", what)
	}
}

func (t *ledgerTest) released() {
	c := t.claimed(t.l, "u")
	keep := chunk("u", types.KindActivities, days(0, 1), backfill.StatePlanned)
	if err := c.Save(t.Context(), keep); err != nil {
		t.Fatal(err)
	}
	c.Release()
	t.fails(c, "after Release")
	next := t.claimed(t.l, "u")
	t.fails(c, "after Release and another claim")
	next.Release()
	t.want("u", keep)
}

func (t *ledgerTest) forget() {
	w := days(10, 20)
	other := chunk("v", types.KindActivities, w, backfill.StateAccepted)
	t.save(other)
	t.save(chunk("u", types.KindActivities, w, backfill.StateAccepted), chunk("u", types.KindMoveIQ, w, backfill.StateRequested))
	t.arrive("u", types.KindActivities, w.Start)
	t.arrive("v", types.KindActivities, w.Start)
	if err := t.l.Forget(t.Context(), "u"); err != nil {
		t.Fatalf("Forget: %v", err)
	}
	if err := t.l.Forget(t.Context(), "u"); err != nil {
		t.Errorf("second Forget: %v", err)
	}
	t.want("u")
	t.again()
	t.want("u")
	t.want("v", other)
	if got := collect(t, t.l.Users(t.Context())); !slices.Equal(got, []types.UserID{"v"}) {
		t.Errorf("users %q after Forget, want v alone", got)
	}
	if got := collect(t, t.l.Arrivals(t.Context(), "u", types.KindActivities, days(0, 100))); len(got) != 0 {
		t.Errorf("arrivals %v of a user who is forgotten", got)
	}
	if got := collect(t, t.l.Arrivals(t.Context(), "v", types.KindActivities, days(0, 100))); len(got) != 1 {
		t.Errorf("arrivals %v of another user, want one", got)
	}
	for _, c := range collect(t, t.l.Recent(t.Context(), epoch)) {
		if c.UserID == "u" {
			t.Errorf("Recent yields %s of a user who is forgotten", c)
		}
	}
	// The user is new, and what came before counts no more.
	fresh := chunk("u", types.KindActivities, days(0, 30), backfill.StateAccepted)
	t.save(fresh)
	t.again()
	t.want("u", fresh)
	if got := t.all("u")[0].Arrived; got != 0 {
		t.Errorf("%d arrivals from before Forget", got)
	}
}

func (t *ledgerTest) forgetClaim() { t.forgets(t.l) }

func (t *ledgerTest) forgetAcross() { t.forgets(t.b.open()) }

// forgets lets by forget a user whom t.l has claimed.
func (t *ledgerTest) forgets(by backfill.Ledger) {
	c := t.claimed(t.l, "u")
	other := t.claimed(t.l, "v")
	if err := c.Save(t.Context(), chunk("u", types.KindActivities, days(0, 1), backfill.StateRequested)); err != nil {
		t.Fatal(err)
	}
	if err := by.Forget(t.Context(), "u"); err != nil {
		t.Fatalf("Forget of a claimed user: %v", err)
	}
	t.fails(c, "after Forget")
	t.lost(c, "after Forget")
	t.want("u")
	next := t.claimed(by, "u")
	t.fails(c, "after Forget and another claim")
	c.Release() // does nothing to next
	if err := next.Save(t.Context(), chunk("u", types.KindActivities, days(0, 1), backfill.StatePlanned)); err != nil {
		t.Errorf("Save of the next claim: %v", err)
	}
	next.Release()
	if err := other.Save(t.Context(), chunk("v", types.KindActivities, days(0, 1), backfill.StatePlanned)); err != nil {
		t.Errorf("Forget ended the claim on another user: %v", err)
	}
	other.Release()
}

// forgetDuring: whatever a run is saving, nothing of it comes back.
func (t *ledgerTest) forgetDuring() {
	for i := range 10 {
		user := types.UserID(fmt.Sprint("u", i))
		c := t.claimed(t.l, user)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for j := range 25 {
					err := c.Save(t.Context(), chunk(user, types.KindActivities, days(g*25+j, g*25+j+1), backfill.StateAccepted))
					if errors.Is(err, backfill.ErrBusy) {
						return
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			if err := t.l.Forget(t.Context(), user); err != nil {
				t.Errorf("Forget: %v", err)
			}
		})
		wg.Wait()
		t.want(user)
	}
	t.again()
	for i := range 10 {
		t.want(types.UserID(fmt.Sprint("u", i)))
	}
}

// A kill.

func (t *ledgerTest) savesSurvive() {
	c := t.claimed(t.l, "u")
	var want []*backfill.Chunk
	for i := range 20 {
		x := chunk("u", types.KindActivities, days(i, i+1), backfill.StateRequested)
		if err := c.Save(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		want = append(want, x)
	}
	t.again()
	t.want("u", want...)
}

func (t *ledgerTest) arrivalsSurvive() {
	t.save(chunk("u", types.KindActivities, days(0, 10), backfill.StateAccepted))
	for i := range 10 {
		t.arrive("u", types.KindActivities, epoch.AddDate(0, 0, i))
	}
	t.again()
	if got := t.all("u")[0].Arrived; got != 10 {
		t.Errorf("%d arrivals after a kill, want 10", got)
	}
}

func (t *ledgerTest) forgetSurvives() {
	t.save(chunk("u", types.KindActivities, days(0, 10), backfill.StateAccepted))
	t.again()
	t.want("u", chunk("u", types.KindActivities, days(0, 10), backfill.StateAccepted))
	if err := t.l.Forget(t.Context(), "u"); err != nil {
		t.Fatal(err)
	}
	t.again()
	t.want("u")
	t.again()
	t.want("u")
}

func (t *ledgerTest) claimEnds() {
	t.claimed(t.l, "u")
	t.again()
	t.b.advance(lease)
	t.claimed(t.l, "u").Release()
}

// fenced: a process that was paused for long goes on, but its claim is
// another's.
func (t *ledgerTest) fenced() {
	old := t.claimed(t.l, "u")
	if err := old.Save(t.Context(), chunk("u", types.KindActivities, days(0, 1), backfill.StateRequested)); err != nil {
		t.Fatal(err)
	}
	t.again()
	t.b.advance(lease)
	next := t.claimed(t.l, "u")
	accepted := chunk("u", types.KindActivities, days(0, 1), backfill.StateAccepted)
	if err := next.Save(t.Context(), accepted); err != nil {
		t.Fatal(err)
	}
	stale := chunk("u", types.KindActivities, days(0, 1), backfill.StateRefused)
	if err := old.Save(t.Context(), stale); err == nil {
		t.Errorf("Save succeeds though another has the claim")
	}
	old.Release() // does nothing to next
	t.want("u", accepted)
	if err := next.Save(t.Context(), accepted); err != nil {
		t.Errorf("Save of the new claim: %v", err)
	}
	next.Release()
	if err := old.Save(t.Context(), stale); err == nil {
		t.Errorf("Save succeeds though another had the claim")
	}
	t.want("u", accepted)
}

// Several handles at work at once.

func (t *ledgerTest) seen() {
	other := t.b.open()
	x := chunk("u", types.KindActivities, days(0, 10), backfill.StateAccepted)
	t.save(x)
	swap := func() { t.l, other = other, t.l }
	swap()
	t.want("u", x)
	t.arrive("u", types.KindActivities, epoch)
	// The one that did not save it finds what would overlap.
	if err := t.try("u", chunk("u", types.KindActivities, days(5, 15), backfill.StatePlanned)); !overlaps(err) {
		t.Errorf("Save of what overlaps another handle's chunk: %v, want an error that is not ErrBusy", err)
	}
	swap()
	if got := t.all("u")[0].Arrived; got != 1 {
		t.Errorf("%d arrivals that another handle was told of, want 1", got)
	}
	if got := collect(t, t.l.Recent(t.Context(), epoch)); len(got) != 1 {
		t.Errorf("Recent yields %v, want one chunk", got)
	}
}

func (t *ledgerTest) busy() {
	other := t.b.open()
	c := t.claimed(t.l, "u")
	if _, err := other.Claim(t.Context(), "u"); !errors.Is(err, backfill.ErrBusy) {
		t.Errorf("claim of a user whom another handle has: %v, want ErrBusy", err)
	}
	c.Release()
	t.claimed(other, "u").Release()
}

// kept: a claim lasts for as long as its handle is alive.
func (t *ledgerTest) kept() {
	other := t.b.open()
	c := t.claimed(t.l, "u")
	for range 10 {
		t.b.advance(lease / 2)
		t.b.settle()
		if _, err := other.Claim(t.Context(), "u"); !errors.Is(err, backfill.ErrBusy) {
			t.Fatalf("claim of a user whom a living handle has: %v, want ErrBusy", err)
		}
		if err := c.Save(t.Context(), chunk("u", types.KindActivities, days(0, 1), backfill.StateRequested)); err != nil {
			t.Fatalf("Save under an old claim: %v", err)
		}
	}
	if err := c.Context().Err(); err != nil {
		t.Errorf("the context of the claim has ended: %v", context.Cause(c.Context()))
	}
	c.Release()
}

// race: two handles count one user's claims and saves; none is lost.
func (t *ledgerTest) race() {
	handles := []backfill.Ledger{t.l, t.b.open()}
	const each = 20
	var wg sync.WaitGroup
	for h, l := range handles {
		wg.Go(func() {
			for i := 0; i < each; {
				c, err := l.Claim(t.Context(), "u")
				if errors.Is(err, backfill.ErrBusy) {
					time.Sleep(time.Millisecond)
					continue
				}
				if err == nil {
					err = c.Save(t.Context(), chunk("u", types.KindActivities, days(h*each+i, h*each+i+1), backfill.StateAccepted))
					c.Release()
				}
				if err != nil {
					t.Error(err)
					return
				}
				i++
			}
		})
	}
	wg.Wait()
	if got := len(t.all("u")); got != 2*each {
		t.Errorf("%d chunks by two handles, want %d", got, 2*each)
	}
}

func (t *ledgerTest) concurrent() {
	const users, chunks = 8, 20
	var wg sync.WaitGroup
	name := func(u int) types.UserID { return types.UserID(rune('a' + u)) }
	for u := range users {
		c := t.claimed(t.l, name(u))
		wg.Go(func() {
			defer c.Release()
			for i := range chunks {
				x := chunk(name(u), types.KindActivities, days(i, i+1), backfill.StateAccepted)
				if err := c.Save(t.Context(), x); err != nil {
					t.Error(err)
				}
				if err := t.l.Arrived(t.Context(), name(u), types.KindActivities, x.Window.Start); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for _, err := range t.l.Chunks(t.Context(), name(u)) {
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
		for _, c := range t.all(name(u)) {
			n++
			arrived += c.Arrived
		}
		if n != chunks || arrived != chunks {
			t.Errorf("%d chunks with %d arrivals, want %d and %d", n, arrived, chunks, chunks)
		}
	}
}
