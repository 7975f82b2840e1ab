// Package authtest checks implementations of [auth.TokenStore].
//
//	func TestStore(t *testing.T) {
//		authtest.Run(t, authtest.Harness{
//			Open: func(t *testing.T, state string) auth.TokenStore {
//				s, err := auth.OpenFile(filepath.Join(state, "tokens"), nil)
//				if err != nil {
//					t.Fatal(err)
//				}
//				return s
//			},
//			Kill:   func(*testing.T, auth.TokenStore) {},
//			Shared: true,
//		})
//	}
package authtest

import (
	"testing"

	"github.com/garminkit/activityapi/activity/auth"
)

// Harness opens handles of an implementation and ends them like a crash.
type Harness struct {
	// Open returns a new handle, like that of a separate process, on the tokens
	// named state: the path of an empty directory, which the handle may use or
	// take as a name. Handles on one state share it. Open fails the test if it
	// cannot open, and closes the handle at the end of the test.
	Open func(t *testing.T, state string) auth.TokenStore

	// Kill ends a handle like a killed process, without closing it properly.
	// Calls on the handle that still work represent a process that was paused for
	// long and continues. nil means that tokens are lost with their process;
	// clauses about that are skipped.
	Kill func(t *testing.T, s auth.TokenStore)

	// Shared means that several handles on one state may be open at the same
	// time. If false, clauses about that are skipped.
	Shared bool
}

// Run checks a store against the contract of [auth.TokenStore]. Each clause has
// its own subtest and state. No clause depends on time, so the harness has no
// clock.
func Run(t *testing.T, h Harness) {
	for _, c := range []struct {
		name  string
		check func(t *testing.T, s auth.TokenStore)
	}{
		{"Empty", empty},
		{"KeepsAllFields", keepsAllFields},
		{"CreateOnlyOnce", createOnlyOnce},
		{"SwapNeedsVersion", swapNeedsVersion},
		{"Remove", remove},
		{"VersionsNeverReturn", versionsNeverReturn},
		{"UsersApart", usersApart},
		{"OddUserIDs", oddUserIDs},
		{"BadSwap", badSwap},
		{"Copies", copies},
		{"Tokens", tokens},
		{"Due", due},
		{"DueFollows", dueFollows},
		{"EndedContext", endedContext},
		{"Concurrent", func(t *testing.T, s auth.TokenStore) { concurrent(t, s, s) }},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, h.Open(t, t.TempDir())) })
	}
	for _, c := range []struct {
		name  string
		runs  bool
		check func(t *testing.T, open func() auth.TokenStore, kill func(auth.TokenStore))
	}{
		{"SurvivesKill", h.Kill != nil, survivesKill},
		{"VersionsSurviveKill", h.Kill != nil, versionsSurviveKill},
		{"Paused", h.Kill != nil && h.Shared, paused},
		{"SeesTheOther", h.Shared, seesTheOther},
		{"DueOfTheOther", h.Shared, dueOfTheOther},
		{"ConcurrentHandles", h.Shared, func(t *testing.T, open func() auth.TokenStore, _ func(auth.TokenStore)) {
			concurrent(t, open(), open())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.runs {
				t.Skip("the harness leaves it out")
			}
			state := t.TempDir()
			c.check(t, func() auth.TokenStore { return h.Open(t, state) }, func(s auth.TokenStore) { h.Kill(t, s) })
		})
	}
}
