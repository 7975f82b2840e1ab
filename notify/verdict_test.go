package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// TestWhatAFaultConcerns: each fault, of a call for one ping, of all calls of one
// user, and of everybody's: what becomes of the ping, of the user's others, and
// of other users'. Pushes never wait. Nothing but an item that is itself at fault
// is given up, and all else is delivered once the fault is over.
func TestWhatAFaultConcerns(t *testing.T) {
	t.Parallel()
	type scope string
	const (
		one  scope = "one ping"
		user scope = "one user"
		all  scope = "everybody"
	)
	for _, fault := range []types.Fault{"", types.FaultItem, types.FaultUser, types.FaultApplication, types.FaultNetwork, types.FaultGarmin} {
		for _, of := range []scope{one, user, all} {
			t.Run(fmt.Sprintf("%s of %s", fault, of), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := &phone{answer: func(url string) error {
						if of == all || of == user && strings.Contains(url, "/a") || url == "https://x/a1" {
							return faultError{fault}
						}
						return nil
					}}
					r := newRig(t, p.client())
					r.start()
					for _, ping1 := range []string{"a1", "a2", "b1", "c1", "d1"} {
						r.put(ping(ping1[:1], "https://x/"+ping1))
					}
					r.put(push("a", "pushed"), push("b", "pushed"))
					time.Sleep(3 * time.Hour)
					var refused, held []string // items that are letters; items that wait
					for _, id := range []string{"a1", "a2", "b1", "c1", "d1"} {
						switch {
						case id != "a1" && (of == one || of == user && id != "a2"):
						case fault == types.FaultItem:
							refused = append(refused, id)
						default:
							held = append(held, id)
						}
					}
					saved := func() (ids []string) {
						for _, s := range r.got() {
							ids = append(ids, s[strings.LastIndex(s, " ")+1:])
						}
						slices.Sort(ids)
						return slices.Compact(ids)
					}
					want := []string{"pushed"}
					for _, id := range []string{"a1", "a2", "b1", "c1", "d1"} {
						if !slices.Contains(refused, id) && !slices.Contains(held, id) {
							want = append(want, id)
						}
					}
					slices.Sort(want)
					require.Equal(t, want, saved())
					require.Len(t, r.letters(), len(refused))
					require.Equal(t, len(held), r.left())
					// The application's fault is believed at once, the network's when
					// users without a fault of their own have it too.
					outage := fault == types.FaultApplication || fault == types.FaultNetwork && of == all
					require.Equal(t, outage, r.count(notify.ResultOutage) > 0)
					require.Equal(t, fault == types.FaultUser, r.count(notify.ResultParked) > 0)

					p.set(func(string) error { return nil })
					time.Sleep(3 * time.Hour)
					want = append(want, held...)
					slices.Sort(want)
					require.Equal(t, want, saved())
					require.Len(t, r.letters(), len(refused))
					require.Zero(t, r.left())
					r.finish()
				})
			})
		}
	}
}
