// Package jointest checks implementations of [join.Store].
//
//	func TestStore(t *testing.T) {
//		jointest.Run(t, jointest.Harness{
//			Open: func(*testing.T, string) join.Store { return join.NewMemory(nil) },
//		})
//	}
package jointest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/types"
)

// Harness opens stores of an implementation and ends them like a crash.
type Harness struct {
	// Open returns the store named state: the path of an empty directory, which
	// the store may use or take as a name. Open fails the test if it cannot open,
	// and closes the store at the end of the test.
	Open func(t *testing.T, state string) join.Store

	// Kill ends a store like a killed process, without closing it properly. A
	// second Open of its state must find what it kept. nil means that records are
	// lost with their process; the clause about that is skipped.
	Kill func(t *testing.T, s join.Store)

	// Shared means that two stores of one state may be open at the same time. If
	// false, the clause about that is skipped.
	Shared bool
}

// Run checks a store against the contract of [join.Store]. Each clause has its
// own subtest and state.
func Run(t *testing.T, h Harness) {
	for _, c := range []struct {
		name  string
		check func(t *testing.T, s join.Store)
	}{
		{"Empty", empty},
		{"KeepsAllFields", keepsAllFields},
		{"FalseKeepsNothing", falseKeepsNothing},
		{"Replaces", replaces},
		{"KeysApart", keysApart},
		{"Forget", forget},
		{"EndedContext", endedContext},
		{"Concurrent", func(t *testing.T, s join.Store) { concurrent(t, s, s) }},
		{"Triathlon", triathlon},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, h.Open(t, t.TempDir())) })
	}
	t.Run("SurvivesKill", func(t *testing.T) {
		if h.Kill == nil {
			t.Skip("the store does not outlive its process")
		}
		state := t.TempDir()
		s := h.Open(t, state)
		want := full()
		put(t, s, join.Key{User: "u1", ID: "5001"}, want)
		h.Kill(t, s)
		same(t, want, load(t, h.Open(t, state), join.Key{User: "u1", ID: "5001"}))
	})
	t.Run("Shared", func(t *testing.T) {
		if !h.Shared {
			t.Skip("the store is not shared")
		}
		state := t.TempDir()
		concurrent(t, h.Open(t, state), h.Open(t, state))
	})
}

func put(t *testing.T, s join.Store, key join.Key, rec *join.Record) {
	t.Helper()
	if err := s.Update(t.Context(), key, func(r *join.Record) bool { *r = *rec; return true }); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func load(t *testing.T, s join.Store, key join.Key) *join.Record {
	t.Helper()
	rec, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return rec
}

// same compares by JSON, which is what a store may keep.
func same(t *testing.T, want, got *join.Record) {
	t.Helper()
	if w, g := text(t, want), text(t, got); w != g {
		t.Fatalf("got  %s\nwant %s", g, w)
	}
}

func text(t *testing.T, r *join.Record) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// full is a record with everything in it.
func full() *join.Record {
	zero, lat, hr := 0.0, 47.0707, 150
	r := &join.Record{
		Summary: &types.Activity{
			UserID: "u1", SummaryID: "5001", ActivityName: "Läufe \"<&>\" \u2028 \U0001F3C3", ActivityType: "NEW_TYPE",
			StartTimeInSeconds: 1767340800, StartTimeOffsetInSeconds: -24 * 3600, DistanceInMeters: &zero, IsParent: true,
		},
		Manual: &types.ManualActivity{SummaryID: "5001", ActivityID: "9007199254740993", Manual: true},
		Details: &types.ActivityDetails{
			SummaryID: "5001-detail", Laps: []types.Lap{{StartTimeInSeconds: 1767340800}},
			Samples: []types.Sample{{StartTimeInSeconds: 1767340800.5, LatitudeInDegree: &lat, HeartRate: &hr, PowerInWatts: &zero}},
		},
		File:    &join.File{Announced: types.ActivityFile{UserID: "u1", SummaryID: "5001-file", FileType: "FIT"}, Name: "a/b.fit", Size: 1 << 40},
		Legs:    []join.Leg{{ID: "5002", Changes: 3}, {ID: "5003", Changes: 1 << 63}},
		Parents: []types.ID{"4999"},
		Changes: 1<<64 - 1,
	}
	for i := range r.Versions {
		r.Versions[i] = join.Version{Order: 1<<64 - 1 - uint64(i), Revision: fmt.Sprint("r", i)}
	}
	return r
}

func empty(t *testing.T, s join.Store) {
	key := join.Key{User: "u1", ID: "5001"}
	if rec := load(t, s, key); rec != nil {
		t.Fatalf("Load of nothing: got %s", text(t, rec))
	}
	called := false
	err := s.Update(t.Context(), key, func(r *join.Record) bool {
		called = true
		if r == nil {
			t.Fatal("Update gave nil for a record that is not there; want an empty one")
		}
		same(t, &join.Record{}, r)
		return false
	})
	if err != nil || !called {
		t.Fatalf("Update: called %t, %v", called, err)
	}
	if err := s.Forget(t.Context(), "u1"); err != nil {
		t.Fatalf("Forget of nobody: %v", err)
	}
}

func keepsAllFields(t *testing.T, s join.Store) {
	key := join.Key{User: "u1", ID: "5001"}
	want := full()
	put(t, s, key, want)
	same(t, want, load(t, s, key))
	err := s.Update(t.Context(), key, func(r *join.Record) bool { same(t, want, r); return false })
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func falseKeepsNothing(t *testing.T, s join.Store) {
	key := join.Key{User: "u1", ID: "5001"}
	put(t, s, key, full())
	for _, k := range []join.Key{key, {User: "u1", ID: "5002"}} {
		before := load(t, s, k)
		err := s.Update(t.Context(), k, func(r *join.Record) bool { r.Changes = 7; r.Summary = nil; return false })
		if err != nil {
			t.Fatalf("Update: %v", err)
		}
		same(t, before, load(t, s, k))
	}
}

func replaces(t *testing.T, s join.Store) {
	key := join.Key{User: "u1", ID: "5001"}
	put(t, s, key, full())
	want := &join.Record{Changes: 2, Summary: &types.Activity{SummaryID: "5001"}}
	put(t, s, key, want)
	same(t, want, load(t, s, key))
}

func keysApart(t *testing.T, s join.Store) {
	var keys []join.Key
	odd := []string{"a", "A", "a/b", "a/", "b", "b/b", "ab", "a\x00b", "ä", "a b", "%2F", "..", "'; --"}
	for _, u := range odd {
		for _, id := range odd {
			keys = append(keys, join.Key{User: types.UserID(u), ID: types.ID(id)})
		}
	}
	for i, k := range keys {
		put(t, s, k, &join.Record{Changes: uint64(i + 1)})
	}
	for i, k := range keys {
		rec := load(t, s, k)
		if rec == nil || rec.Changes != uint64(i+1) {
			t.Fatalf("the record of %q is that of another key", k)
		}
	}
}

func forget(t *testing.T, s join.Store) {
	for _, user := range []types.UserID{"u1", "u2", "u1/5001"} {
		for _, id := range []types.ID{"5001", "5002"} {
			put(t, s, join.Key{User: user, ID: id}, full())
		}
	}
	if err := s.Forget(t.Context(), "u1"); err != nil {
		t.Fatalf("Forget: %v", err)
	}
	for _, id := range []types.ID{"5001", "5002"} {
		if load(t, s, join.Key{User: "u1", ID: id}) != nil {
			t.Fatalf("%s is there after Forget", id)
		}
		for _, user := range []types.UserID{"u2", "u1/5001"} {
			if load(t, s, join.Key{User: user, ID: id}) == nil {
				t.Fatalf("Forget took a record of %s", user)
			}
		}
	}
	put(t, s, join.Key{User: "u1", ID: "5001"}, full()) // a user may come back
	same(t, full(), load(t, s, join.Key{User: "u1", ID: "5001"}))
}

func endedContext(t *testing.T, s join.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	key := join.Key{User: "u1", ID: "5001"}
	if err := s.Update(ctx, key, func(r *join.Record) bool { r.Changes = 1; return true }); err != nil {
		if rec := load(t, s, key); rec != nil {
			t.Fatal("Update returned an error and kept the record")
		}
	} else if load(t, s, key) == nil {
		t.Fatal("Update returned nil and kept nothing")
	}
}

// concurrent counts on two stores of one state.
func concurrent(t *testing.T, a, b join.Store) {
	const workers, each = 8, 25
	key := join.Key{User: "u1", ID: "5001"}
	var wg sync.WaitGroup
	for w := range workers {
		s := a
		if w%2 == 1 {
			s = b
		}
		wg.Go(func() {
			for range each {
				if err := s.Update(t.Context(), key, func(r *join.Record) bool { r.Changes++; return true }); err != nil {
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if rec := load(t, a, key); rec == nil || rec.Changes != workers*each {
		t.Fatalf("%d updates at a time: some overwrote others: %s", workers*each, text(t, rec))
	}
}

// triathlon runs a joiner on the store, in two orders.
func triathlon(t *testing.T, s join.Store) {
	items := []join.Item{
		{Order: 1, Revision: "a", Summary: &types.Activity{SummaryID: "1", IsParent: true}},
		{Order: 2, Revision: "b", Summary: &types.Activity{SummaryID: "2", ParentSummaryID: "1"}},
		{Order: 3, Revision: "c", Summary: &types.ActivityDetails{SummaryID: "2-detail"}},
		{Order: 4, Revision: "d", Summary: &types.ManualActivity{SummaryID: "2", ParentSummaryID: "1", ActivityName: "Swim"}},
	}
	joiner := join.New(s)
	var revisions []string
	for _, order := range [][]int{{0, 1, 2, 3, 0}, {3, 2, 1, 0, 2}} {
		for _, i := range order {
			item := items[i]
			item.User = "u1"
			if _, err := joiner.Add(t.Context(), item); err != nil {
				t.Fatalf("Add: %v", err)
			}
		}
		whole, err := joiner.Get(t.Context(), join.Key{User: "u1", ID: "1"})
		if err != nil || whole == nil || len(whole.Legs) != 1 || whole.Legs[0].Details == nil ||
			whole.Legs[0].Activity().ActivityName != "Swim" {
			t.Fatalf("the triathlon is not whole: %+v, %v", whole, err)
		}
		revisions = append(revisions, whole.Revision)
		if err := joiner.Forget(t.Context(), "u1"); err != nil {
			t.Fatalf("Forget: %v", err)
		}
	}
	if revisions[0] != revisions[1] {
		t.Fatal("the order of arrival changed what came out")
	}
}
