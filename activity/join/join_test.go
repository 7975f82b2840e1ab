package join_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/types"
)

const start = 1767340800

// delivery is an item and what the oracle needs to know of it.
type delivery struct {
	item join.Item
	id   types.ID // of the activity
	part string
	edit bool
}

func summaryOf(order uint64, id, parent types.ID, at float64, name string) delivery {
	a := &types.Activity{
		UserID: "u1", SummaryID: id, ParentSummaryID: parent, IsParent: id == "9", ActivityName: name,
		StartTimeInSeconds: types.Timestamp(start + at),
	}
	return delivery{item: join.Item{User: "u1", Order: order, Summary: a}, id: id, part: "summary"}
}

func editOf(order uint64, id, parent types.ID, at float64, name string) delivery {
	d := summaryOf(order, id, parent, at, name)
	d.item.Summary = (*types.ManualActivity)(d.item.Summary.(*types.Activity))
	d.edit = true
	return d
}

func detailsOf(order uint64, id, parent types.ID, at float64) delivery {
	d := summaryOf(order, id, parent, at, "")
	whole := d.item.Summary.(*types.Activity)
	d.item.Summary = &types.ActivityDetails{
		// The id at the top is another one, as in real payloads.
		UserID: "u1", SummaryID: id + "-detail", ActivityID: "777",
		Summary: types.Activity{ParentSummaryID: parent, IsParent: whole.IsParent, StartTimeInSeconds: whole.StartTimeInSeconds},
		Samples: []types.Sample{{StartTimeInSeconds: types.Timestamp(float64(order))}},
	}
	d.part = "details"
	return d
}

func fileOf(order uint64, id types.ID) delivery {
	f := &join.File{
		Name:      fmt.Sprint(id, ".fit"),
		Size:      int64(order),
		Announced: types.ActivityFile{UserID: "u1", SummaryID: id + "-file", FileType: "FIT", CallbackURL: "https://x/?token=secret"},
	}
	return delivery{item: join.Item{User: "u1", Order: order, File: f}, id: id, part: "file"}
}

// truth is what an activity must be, of everything that came in any order.
type truth struct {
	id, parent types.ID
	newest     map[string]delivery // by part, and "edit"
	legs       []types.ID
}

// oracle works it out from the set of what came, with no regard to how.
func oracle(came []delivery) map[types.ID]*truth {
	all := map[types.ID]*truth{}
	of := func(id types.ID) *truth {
		if all[id] == nil {
			all[id] = &truth{id: id, newest: map[string]delivery{}}
		}
		return all[id]
	}
	for _, d := range came {
		slot := d.part
		if d.edit {
			slot = "edit"
		}
		if have, ok := of(d.id).newest[slot]; !ok || d.item.Order > have.item.Order {
			of(d.id).newest[slot] = d
		}
	}
	for _, tr := range all {
		s, e := tr.newest["summary"], tr.newest["edit"]
		order := []delivery{s, e, tr.newest["details"]}
		if e.item.Order > s.item.Order {
			order[0], order[1] = e, s
		}
		for _, d := range order {
			var parent types.ID
			switch s := d.item.Summary.(type) {
			case *types.Activity:
				parent = s.ParentSummaryID
			case *types.ManualActivity:
				parent = s.ParentSummaryID
			case *types.ActivityDetails:
				parent = s.Summary.ParentSummaryID
			}
			if tr.parent == "" && parent != tr.id {
				tr.parent = parent
			}
		}
	}
	for id, tr := range all {
		if tr.parent != "" {
			of(tr.parent).legs = append(of(tr.parent).legs, id)
		}
	}
	return all
}

// check compares what was emitted last for each activity with the oracle.
func check(came []delivery, emitted map[types.ID]*join.Joined) string {
	want := oracle(came)
	for id, j := range emitted {
		if want[id] == nil && (len(j.Legs) > 0 || len(j.Missing()) < 3) {
			return fmt.Sprintf("%s was emitted and nothing came of it", id)
		}
	}
	for id, tr := range want {
		j := emitted[id]
		if j == nil {
			return fmt.Sprintf("%s was not emitted", id)
		}
		if fault := tr.compare(j); fault != "" {
			return fault
		}
		legs := tr.legs
		slices.SortFunc(legs, func(a, b types.ID) int {
			return cmp.Or(want[a].start().Compare(want[b].start()), cmp.Compare(a, b))
		})
		if len(legs) != len(j.Legs) {
			return fmt.Sprintf("%s has %d legs of %d", id, len(j.Legs), len(legs))
		}
		for i, leg := range legs {
			if j.Legs[i].ID != leg {
				return fmt.Sprintf("%s has %s as leg %d, want %s", id, j.Legs[i].ID, i, leg)
			}
			if fault := want[leg].compare(j.Legs[i]); fault != "" {
				return fmt.Sprintf("leg of %s: %s", id, fault)
			}
		}
	}
	return ""
}

func (tr *truth) start() time.Time {
	for _, slot := range []string{"summary", "edit", "details"} {
		if d, ok := tr.newest[slot]; ok {
			return types.Start(d.item.Summary) // edits in these tests move no start
		}
	}
	return time.Time{}
}

func (tr *truth) compare(j *join.Joined) string {
	type got struct{ summary, manual, details, file any }
	want := got{}
	var have got
	if d, ok := tr.newest["summary"]; ok {
		want.summary = d.item.Summary
	}
	if d, ok := tr.newest["edit"]; ok {
		want.manual = d.item.Summary
	}
	if d, ok := tr.newest["details"]; ok {
		want.details = d.item.Summary
	}
	if d, ok := tr.newest["file"]; ok {
		want.file = d.item.File.Size
	}
	if j.Summary != nil {
		have.summary = types.Summary(j.Summary)
	}
	if j.Manual != nil {
		have.manual = types.Summary(j.Manual)
	}
	if j.Details != nil {
		have.details = types.Summary(j.Details)
	}
	if j.File != nil {
		have.file = j.File.Size
	}
	if want != have {
		return fmt.Sprintf("%s has other parts: %+v, want %+v", j.ID, have, want)
	}
	if j.User != "u1" || j.ID != tr.id || j.Parent != tr.parent {
		return fmt.Sprintf("%s of %s is a leg of %q, want %s of %q", j.ID, j.User, j.Parent, tr.id, tr.parent)
	}
	switch s, e := tr.newest["summary"], tr.newest["edit"]; {
	case want.manual != nil && e.item.Order > s.item.Order && j.Activity() != (*types.Activity)(j.Manual):
		return fmt.Sprintf("%s does not show the edit", j.ID)
	case want.summary != nil && s.item.Order > e.item.Order && j.Activity() != j.Summary:
		return fmt.Sprintf("%s does not show the summary", j.ID)
	}
	return ""
}

// deliver adds all in their order and returns the last of each activity. A
// consumer keeps what has the greater Changes, and of equal ones the last.
func deliver(t *testing.T, joiner *join.Joiner, came []delivery) map[types.ID]*join.Joined {
	t.Helper()
	last := map[types.ID]*join.Joined{}
	for _, d := range came {
		list, err := joiner.Add(t.Context(), d.item)
		require.NoError(t, err)
		require.Equal(t, d.id, list[0].ID)
		for _, j := range list {
			if have := last[j.ID]; have != nil && (have.Changes > j.Changes || have.Changes == j.Changes && have.Revision != j.Revision) {
				t.Fatalf("%s changed from %d to %d", j.ID, have.Changes, j.Changes)
			}
			last[j.ID] = j
		}
	}
	return last
}

// triathlon is a parent, some legs, their details and files, and edits.
func triathlon() []delivery {
	return []delivery{
		detailsOf(7, "9", "", 0),
		summaryOf(1, "9", "", 0, "Tri"),
		summaryOf(2, "10", "9", 0, "Swim"),
		editOf(5, "10", "9", 0, "Swim, mended"),
		fileOf(6, "10"),
		summaryOf(4, "11", "9", 900, "Bike"),
		summaryOf(8, "11", "9", 900, "Bike, resent"),
		detailsOf(3, "10", "9", 0),
	}
}

// Every order of every subset of a small triathlon, each with every repeat, ends
// in what the set says. The long form, of eight items, is JOIN_ITEMS=8.
func TestEveryOrderEndsInTheSame(t *testing.T) {
	t.Parallel()
	n := 6
	if s := os.Getenv("JOIN_ITEMS"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	all := triathlon()
	items := all[len(all)-n:]
	revisions := map[string]map[types.ID]string{} // of a set, without what is superseded
	sequences := 0
	var used []bool
	var run func(came []delivery)
	run = func(came []delivery) {
		if len(came) > 0 {
			sequences++
			joiner := join.New(join.NewMemory(nil))
			again := slices.Concat(came, came[sequences%len(came):][:1])
			emitted := deliver(t, joiner, again)
			if fault := check(came, emitted); fault != "" {
				t.Fatalf("%s, after %s", fault, orders(again))
			}
			// The revision is a matter of the set too.
			key := newest(came)
			if revisions[key] == nil {
				revisions[key] = map[types.ID]string{}
			}
			for id, j := range emitted {
				if have := revisions[key][id]; have != "" && have != j.Revision {
					t.Fatalf("%s has two revisions, after %s", id, orders(again))
				}
				revisions[key][id] = j.Revision
			}
		}
		for i, d := range items {
			if !used[i] {
				used[i] = true
				run(append(came[:len(came):len(came)], d))
				used[i] = false
			}
		}
	}
	used = make([]bool, len(items))
	run(nil)
	t.Log(sequences, "sequences")
	distinct := map[string]bool{}
	for _, byID := range revisions {
		all := fmt.Sprint(byID)
		require.False(t, distinct[all], "two sets have the same revisions")
		distinct[all] = true
	}
}

// newest names what came and was not superseded.
func newest(came []delivery) string {
	var s []string
	for _, tr := range oracle(came) {
		for _, d := range tr.newest {
			s = append(s, fmt.Sprint(d.item.Order))
		}
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

func orders(came []delivery) string {
	var s []string
	for _, d := range came {
		s = append(s, fmt.Sprint(d.item.Order))
	}
	return strings.Join(s, " ")
}

// A whole triathlon of five legs with all parts, edits that move a leg, and
// repeats, in random orders with drops.
func TestRandomOrders(t *testing.T) {
	t.Parallel()
	var items []delivery
	order := uint64(0)
	next := func() uint64 { order++; return order }
	items = append(items, summaryOf(next(), "9", "", 0, "Tri"), detailsOf(next(), "9", "", 0), fileOf(next(), "9"))
	for i := range 5 {
		id := types.ID(fmt.Sprint(10 + i))
		at := float64(600 * i)
		items = append(items, summaryOf(next(), id, "9", at, "leg"), detailsOf(next(), id, "9", at), fileOf(next(), id),
			editOf(next(), id, "9", at, "edited"), summaryOf(next(), id, "9", at, "resent"))
	}
	// One leg was put under another parent, and back; one names itself.
	items = append(items, editOf(next(), "12", "8", 1200, "moved"), summaryOf(next(), "8", "", 0, "Other"),
		editOf(next(), "13", "13", 1800, "names itself"), editOf(next(), "14", "8", 2400, "moved"), editOf(next(), "14", "9", 2400, "back"))
	rounds := 2000
	if testing.Short() {
		rounds = 300
	}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range rounds {
		came := slices.Clone(items)
		r.Shuffle(len(came), func(a, b int) { came[a], came[b] = came[b], came[a] })
		came = came[r.IntN(len(came)):]
		if len(came) == 0 {
			continue
		}
		for range r.IntN(6) {
			came = append(came, came[r.IntN(len(came))])
		}
		emitted := deliver(t, join.New(join.NewMemory(nil)), came)
		if fault := check(came, emitted); fault != "" {
			t.Fatalf("round %d: %s, after %s", round, fault, orders(came))
		}
	}
}

// A store that several processes write to sees everything, whoever adds it.
func TestConcurrentAdds(t *testing.T) {
	t.Parallel()
	items := triathlon()
	for range 50 {
		store := join.NewMemory(nil)
		var mu sync.Mutex
		last := map[types.ID]*join.Joined{}
		var wg sync.WaitGroup
		for _, d := range slices.Concat(items, items) {
			wg.Go(func() {
				list, err := join.New(store).Add(t.Context(), d.item)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				for _, j := range list {
					if have := last[j.ID]; have == nil || j.Changes >= have.Changes {
						last[j.ID] = j
					}
				}
			})
		}
		wg.Wait()
		for id := range last {
			j, err := join.New(store).Get(t.Context(), join.Key{User: "u1", ID: id})
			require.NoError(t, err)
			last[id] = j
		}
		require.Empty(t, check(items, last))
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	joiner := join.New(join.NewMemory(nil))
	for _, tt := range []struct {
		d    delivery
		want []string
		of   []string // what the parent misses
	}{
		{fileOf(1, "10"), []string{"summary", "details"}, nil},
		{detailsOf(2, "10", "9", 0), []string{"summary"}, []string{"summary", "details", "file"}},
		{editOf(3, "10", "9", 0, "x"), nil, []string{"summary", "details", "file"}},
		{summaryOf(4, "9", "", 0, "x"), []string{"details", "file"}, nil},
		{summaryOf(5, "11", "9", 0, "x"), []string{"details", "file"}, []string{"details", "file"}},
	} {
		list, err := joiner.Add(t.Context(), tt.d.item)
		require.NoError(t, err)
		require.Equal(t, tt.want, list[0].Missing())
		require.Equal(t, tt.of != nil, len(list) == 2)
		if tt.of != nil {
			require.Equal(t, tt.of, list[1].Missing())
		}
	}
	list, err := join.New(join.NewMemory(nil)).Add(t.Context(), summaryOf(1, "9", "", 0, "x").item)
	require.NoError(t, err)
	require.Equal(t, []string{"details", "file", "legs"}, list[0].Missing())
}

func TestDetailsAlone(t *testing.T) {
	t.Parallel()
	list, err := join.New(join.NewMemory(nil)).Add(t.Context(), detailsOf(1, "5001", "", 60).item)
	require.NoError(t, err)
	a := list[0].Activity()
	require.Equal(t, types.ID("5001"), a.SummaryID)
	require.Equal(t, types.UserID("u1"), a.UserID)
	require.Empty(t, list[0].Details.Summary.SummaryID, "the part itself was changed")
}

func TestBadItems(t *testing.T) {
	t.Parallel()
	joiner := join.New(join.NewMemory(nil))
	for _, item := range []join.Item{
		{},
		{User: "u1"},
		{Summary: &types.Activity{SummaryID: "1"}},
		{User: "u1", Summary: &types.Activity{}},
		{User: "u1", Summary: &types.Activity{SummaryID: "-detail"}},
		{File: &join.File{}},
	} {
		list, err := joiner.Add(t.Context(), item)
		require.Error(t, err)
		require.Nil(t, list)
	}
	list, err := joiner.Add(t.Context(), join.Item{User: "u1", Summary: &types.MoveIQ{SummaryID: "1"}})
	require.NoError(t, err)
	require.Empty(t, list)
	j, err := joiner.Get(t.Context(), join.Key{User: "u1", ID: "1"})
	require.NoError(t, err)
	require.Nil(t, j)
}

// A parent that everybody is a leg of does not grow without end, nor does the
// list of parents that one activity names.
func TestRecordsAreBounded(t *testing.T) {
	t.Parallel()
	store := join.NewMemory(nil)
	joiner := join.New(store)
	for i := range 1100 {
		_, err := joiner.Add(t.Context(), summaryOf(1, types.ID(fmt.Sprint(100+i)), "9", 0, "").item)
		require.NoError(t, err)
		_, err = joiner.Add(t.Context(), summaryOf(uint64(i), "10", types.ID(fmt.Sprint("p", i)), 0, fmt.Sprint(i)).item)
		require.NoError(t, err)
	}
	rec, err := store.Load(t.Context(), join.Key{User: "u1", ID: "9"})
	require.NoError(t, err)
	require.Len(t, rec.Legs, 1000)
	rec, err = store.Load(t.Context(), join.Key{User: "u1", ID: "10"})
	require.NoError(t, err)
	require.Len(t, rec.Parents, 8)
}

func TestNoSecretIsKept(t *testing.T) {
	t.Parallel()
	store := join.NewMemory(nil)
	d := fileOf(1, "5001")
	d.item.File.Announced.Raw = json.RawMessage(`{"callbackURL":"https://x/?token=secret"}`)
	list, err := join.New(store).Add(t.Context(), d.item)
	require.NoError(t, err)
	require.Empty(t, list[0].File.Announced.CallbackURL)
	require.Nil(t, list[0].File.Announced.Raw)
	require.NotEmpty(t, d.item.File.Announced.CallbackURL, "the caller's item was changed")
	rec, err := store.Load(t.Context(), join.Key{User: "u1", ID: "5001"})
	require.NoError(t, err)
	text, err := json.Marshal(rec)
	require.NoError(t, err)
	require.NotContains(t, string(text), "token")
}

// What is taken back has the revision it had before, and is newer than the edit
// that it takes back.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	joiner := join.New(join.NewMemory(nil))
	a, b := summaryOf(1, "5001", "", 0, "A").item, editOf(2, "5001", "", 0, "B").item
	first, err := joiner.Add(t.Context(), a)
	require.NoError(t, err)
	_, err = joiner.Add(t.Context(), b)
	require.NoError(t, err)
	a.Order = 3
	last, err := joiner.Add(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, "A", last[0].Activity().ActivityName)
	require.Greater(t, last[0].Changes, first[0].Changes)
}
