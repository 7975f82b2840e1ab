package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func TestReplaces(t *testing.T) {
	for name, test := range map[string]struct {
		order    uint64
		revision string
		want     bool
	}{
		"a new record":                        {0, "", true},
		"an older version is there":           {4, "a", true},
		"the same content is there":           {4, "b", false},
		"the same item again":                 {5, "b", false},
		"the same ping, pulled a second time": {5, "a", true},
		"a later version is there":            {6, "a", false},
		"the content is there since later":    {6, "b", false},
	} {
		d := &notify.Delivery{Order: 5, Revision: "b"}
		require.Equal(t, test.want, d.Replaces(test.order, test.revision), name)
	}
}

// TestReplacesInAnyOrder delivers versions in every disorder, each perhaps more
// than once: the latest is what stays.
func TestReplacesInAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		versions := 1 + r.IntN(5)
		var all []*notify.Delivery
		for v := 1; v <= versions; v++ {
			for range 1 + r.IntN(3) {
				all = append(all, &notify.Delivery{Order: uint64(10 * v), Revision: fmt.Sprint(v)})
			}
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var order uint64
		var revision string
		for _, d := range all {
			if d.Replaces(order, revision) {
				order, revision = d.Order, d.Revision
			}
		}
		require.Equal(t, fmt.Sprint(versions), revision)
	}
}

// TestRecord: an edit by hand arrives under another kind, and is the same thing.
func TestRecord(t *testing.T) {
	const item = `{"userId":"u","summaryId":"5","startTimeInSeconds":1,"durationInSeconds":%d}`
	var record string
	w, err := notify.NewProcessor(nil, func(context.Context, types.UserID) ([]notify.User, error) {
		return []notify.User{{ID: "ann"}}, nil
	}, notify.Callbacks{
		Save: func(_ context.Context, d *notify.Delivery, _ types.Summary) error {
			record = d.Record
			return nil
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, nil)
	require.NoError(t, err)
	of := func(key, item string) string {
		require.NoError(t, w.Attempt(t.Context(), &notify.Item{Piece: notify.Piece{Key: key}, Raw: []byte(item)}))
		return record
	}
	activity := of("activities", fmt.Sprintf(item, 1))
	require.Equal(t, "activities/u/5/ann", activity)
	require.Equal(t, activity, of("activities", fmt.Sprintf(item, 2)), "an edit")
	require.Equal(t, activity, of("manuallyUpdatedActivities", fmt.Sprintf(item, 3)), "an edit by hand")
	require.NotEqual(t, activity, of("moveIQActivities", fmt.Sprintf(item, 4)))
	require.NotEqual(t, activity, of("activities", strings.ReplaceAll(fmt.Sprintf(item, 1), `"5"`, `"6"`)))
	require.NotEqual(t, activity, of("activityDetails", `{"userId":"u","summaryId":"5-detail","summary":{"startTimeInSeconds":1,"durationInSeconds":1}}`))
}

// A row is what a partner's database has of a summary.
type row struct {
	order    uint64
	revision string
	name     string
}

func ExampleDelivery_Replaces() {
	table := map[string]row{} // of all summaries
	save := func(d *notify.Delivery, s types.Summary) error {
		have := table[d.Record]
		if !d.Replaces(have.order, have.revision) {
			fmt.Println("nothing to do")
			return nil
		}
		got := row{order: d.Order, revision: d.Revision}
		switch s := s.(type) {
		case *types.Activity:
			got.name = s.ActivityName
		case *types.ManualActivity:
			got.name = s.ActivityName
		}
		table[d.Record] = got
		fmt.Println("stored", got.name)
		return nil
	}

	// The processor calls it. The run was renamed, and arrives again, late, as it was.
	run := &notify.Delivery{Record: "activities/4aacafe8/5001/alice", Order: 1, Revision: "5f70"}
	edit := &notify.Delivery{Record: "activities/4aacafe8/5001/alice", Order: 2, Revision: "81bf"}
	_ = save(run, &types.Activity{ActivityName: "Zurich Running"})
	_ = save(edit, &types.ManualActivity{ActivityName: "Run with Eva"})
	_ = save(edit, &types.ManualActivity{ActivityName: "Run with Eva"})
	_ = save(run, &types.Activity{ActivityName: "Zurich Running"})
	// Output:
	// stored Zurich Running
	// stored Run with Eva
	// nothing to do
	// nothing to do
}

// In a database, looking and storing are one statement.
func ExampleDelivery_Replaces_sql() {
	const upsert = `
	INSERT INTO summaries (record, ord, revision, data) VALUES ($1, $2, $3, $4)
	ON CONFLICT (record) DO UPDATE
	SET ord = excluded.ord, revision = excluded.revision, data = excluded.data
	WHERE excluded.ord >= summaries.ord AND excluded.revision <> summaries.revision
	`
	exec := func(query string, args ...any) error { // a database's
		fmt.Println(len(query) > 0, args)
		return nil
	}
	save := func(d *notify.Delivery, s types.Summary) error {
		data, err := json.Marshal(s)
		if err != nil {
			return err
		}
		return exec(upsert, d.Record, d.Order, d.Revision, string(data))
	}
	_ = save(&notify.Delivery{Record: "moveIQActivities/4aacafe8/7/alice", Order: 1, Revision: "5f70"}, &types.MoveIQ{SummaryID: "7"})
	// Output:
	// true [moveIQActivities/4aacafe8/7/alice 1 5f70 {"summaryId":"7","startTimeInSeconds":0,"offsetInSeconds":0,"durationInSeconds":0}]
}
