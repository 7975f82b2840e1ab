package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activity/join/jointest"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// openTest opens the database of a state: a file in its directory, or a schema of
// its own in the PostgreSQL at address.
func openTest(t *testing.T, state, address string) *database {
	t.Helper()
	db, err := openDatabase(t.Context(), filepath.Join(state, "partner.db"), address)
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	_, err = db.ExecContext(t.Context(), `INSERT INTO account (id, name, password, created) VALUES ('u1', 'ann', '', 0) ON CONFLICT DO NOTHING`)
	require.NoError(t, err)
	return db
}

// databases runs a test against SQLite, and against PostgreSQL if there is one.
func databases(t *testing.T, test func(t *testing.T, open func(t *testing.T, state string) *database)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, func(t *testing.T, state string) *database { return openTest(t, state, "") })
	})
	t.Run("postgresql", func(t *testing.T) {
		address := postgresAddress(t)
		test(t, func(t *testing.T, state string) *database {
			return openTest(t, state, inSchema(t, address, state))
		})
	})
}

// inSchema returns the address of a schema that is the state's own.
func inSchema(t *testing.T, address, state string) string {
	t.Helper()
	name := "t" + strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, state)
	db, err := openDatabase(t.Context(), "", address)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE SCHEMA IF NOT EXISTS `+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		db, err := openDatabase(context.Background(), "", address)
		require.NoError(t, err)
		defer db.Close()
		_, err = db.ExecContext(context.Background(), `DROP SCHEMA IF EXISTS `+name+` CASCADE`)
		require.NoError(t, err)
	})
	sign := "?"
	if strings.Contains(address, "?") {
		sign = "&"
	}
	return address + sign + "search_path=" + name
}

func TestJoinStore(t *testing.T) {
	databases(t, func(t *testing.T, open func(*testing.T, string) *database) {
		jointest.Run(t, jointest.Harness{
			Open: func(t *testing.T, state string) join.Store {
				return &joinStore{open(t, state), "u1"}
			},
			Kill:   func(*testing.T, join.Store) {},
			Shared: true,
		})
	})
}

// A manual edit replaces the activity, and what is late does not undo it.
func TestUpsert(t *testing.T) {
	databases(t, func(t *testing.T, open func(*testing.T, string) *database) {
		db := open(t, t.TempDir())
		add := func(order uint64, revision string, s types.Summary) {
			t.Helper()
			require.NoError(t, db.add(t.Context(), "u1", join.Item{User: "g1", Order: order, Revision: revision, Summary: s}))
		}
		start := types.NewTimestamp(time.Date(2026, 3, 5, 6, 0, 0, 0, time.UTC))
		add(1, "a", &types.Activity{SummaryID: "1", ActivityName: "run", StartTimeInSeconds: start})
		add(2, "b", &types.ManualActivity{SummaryID: "1", ActivityName: "run with Eva", StartTimeInSeconds: start})
		add(1, "a", &types.Activity{SummaryID: "1", ActivityName: "run", StartTimeInSeconds: start})
		all, err := db.workoutsBetween(t.Context(), "u1", "2026-03-05", "2026-03-05")
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, "run with Eva", all[0].Name)

		detect := func(order uint64, revision string) {
			t.Helper()
			require.NoError(t, db.detect(t.Context(), &notify.Delivery{Record: "r", User: notify.User{ID: "u1"}, Order: order, Revision: revision},
				&types.MoveIQ{SummaryID: "7", CalendarDate: "2026-03-05", ActivityType: "Walking", DurationInSeconds: int(order)}))
		}
		detect(2, "b")
		detect(1, "a")
		detected, err := db.detections(t.Context(), "u1", "2026-03-05", "2026-03-05")
		require.NoError(t, err)
		require.Equal(t, []*detection{{"2026-03-05", "Walking", 2 * time.Second}}, detected)
	})
}

// The two versions of a row that were joined at once may be kept in either order.
func TestGreaterChangesStay(t *testing.T) {
	databases(t, func(t *testing.T, open func(*testing.T, string) *database) {
		db := open(t, t.TempDir())
		older := &join.Joined{User: "g1", ID: "1", Changes: 1, Summary: &types.Activity{ActivityName: "older"}}
		newer := &join.Joined{User: "g1", ID: "1", Changes: 2, Summary: &types.Activity{ActivityName: "newer"}}
		for _, j := range []*join.Joined{newer, older} {
			require.NoError(t, db.keep(t.Context(), "u1", j))
		}
		all, err := db.allWorkouts(t.Context(), "u1")
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Equal(t, "newer", all[0].Name)
	})
}

// What is left of an account is left of no other.
func TestAccountsApart(t *testing.T) {
	databases(t, func(t *testing.T, open func(*testing.T, string) *database) {
		db := open(t, t.TempDir())
		ctx := t.Context()
		bob, err := db.createAccount(ctx, "bob", "correct horse battery")
		require.NoError(t, err)
		_, err = db.createAccount(ctx, "bob", "another password")
		require.ErrorIs(t, err, errNameTaken)
		item := join.Item{User: "g1", Order: 1, Summary: &types.Activity{SummaryID: "1"}}
		for _, account := range []string{"u1", bob.ID} { // one Garmin account after the other
			require.NoError(t, db.connect(ctx, account, "g1", nil))
			require.ErrorIs(t, db.connect(ctx, "u1"+bob.ID, "g1", nil), errTaken)
			require.NoError(t, db.add(ctx, account, item))
			require.NoError(t, db.addFile(ctx, account, "g1/1.fit"))
			require.NoError(t, db.disconnect(ctx, "g1"))
		}
		require.NoError(t, db.deleteAccount(ctx, bob.ID))
		all, err := db.allWorkouts(ctx, "u1")
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.Error(t, db.add(ctx, bob.ID, item), "there is no such account")
		files, err := db.files(ctx, "u1")
		require.NoError(t, err)
		require.Len(t, files, 1)
	})
}
