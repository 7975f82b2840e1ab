package activitytest_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// oddity is what one run of the same traffic gave.
type oddity struct {
	bodies []string
	cut    int
	events map[string]bool // key, owner and summary of each item that was read
	bad    int
	errs   int
	pull   string
	gone   int
	redirs int
	perms  []string // answers to other calls
	late   time.Duration
}

var uuids = regexp.MustCompile(`\[[0-9a-f-]{36}\]`)

// traffic sends the same traffic with some quirks on, pings and pushes, and
// reads it with package notify.
func traffic(t *testing.T, quirks ...activitytest.Quirk) (o oddity) {
	synctest.Test(t, func(t *testing.T) {
		o.events = make(map[string]bool)
		fake := newServer(t)
		fake.SetQuirks(1, quirks...)
		receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				o.cut++
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			o.bodies = append(o.bodies, string(b))
			for e, err := range new(notify.Decoder).Decode(strings.NewReader(string(b))) {
				if err != nil {
					o.errs++
					break
				}
				switch data := e.Data.(type) {
				case *notify.Unrecognized:
					o.bad++
				case *notify.Push:
					o.events[fmt.Sprint(e.Key, e.UserID, data.Summary.ID())] = true
				case *notify.FilePing:
					o.events[fmt.Sprint(e.UserID, data.File.SummaryID)] = true
				default:
					o.events[fmt.Sprint(e.Key, e.UserID)] = true
				}
			}
		})
		start := time.Now()
		users := []*activitytest.User{fake.AddUser(nil), fake.AddUser(nil)}
		var callbacks []string
		for _, push := range []bool{true, false} {
			fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: push, Handler: receiver})
			g := activitytest.NewGenerator(1)
			for _, u := range users {
				for _, a := range g.Activities(activitytype.MultiSport, start) {
					u.Add(a)
				}
				short := g.Activities(activitytype.WheelchairPushRun, start)[0]
				short.DurationInSeconds = 20
				d := g.Details(short)
				u.Add(short, d)
				u.AddFile(g.File("FIT", d))
				u.AddFile(g.File("TCX", g.Details(activities(g, manual, start)[0])))
				u.Sync(g, activitytype.OpenWaterSwimming, start)
				u.Add(g.Edit(activities(g, activitytype.Running, start)[0]), g.MoveIQ(start))
				u.SetPermissions(types.PermissionActivityExport, types.PermissionHistoricalDataExport)
				callbacks = append(callbacks, u.CallbackURL(types.KindActivityDetails, types.Window{Start: start, End: start.Add(time.Hour)}))
			}
			_, err := fake.DeliverAll(t.Context())
			require.NoError(t, err)
			require.Zero(t, fake.State().Pending)
		}
		for _, d := range fake.Deliveries(0) {
			o.late = max(o.late, d.Sent.Sub(start))
		}
		for _, u := range users {
			if u.Connect(); true {
				status, body := get(t, fake, callbacks[0], users[0].State().AccessToken)
				o.pull += fmt.Sprintln(status, body)
				if status == http.StatusGone {
					o.gone++
				}
				if status == http.StatusFound {
					o.redirs++
				}
			}
			status, body := get(t, fake, rest+"user/permissions", u.State().AccessToken)
			o.perms = append(o.perms, fmt.Sprint(status, body))
			for _, days := range []int{20, 20, 50} {
				status, body := get(t, fake, backfillURL("moveiq", start.AddDate(0, 0, -days), start.AddDate(0, 0, 1-days)), u.State().AccessToken)
				o.perms = append(o.perms, fmt.Sprint(status, uuids.ReplaceAllString(body, "")))
			}
			for _, f := range u.View(types.KindActivityFiles, types.Window{End: start.AddDate(1, 0, 0)}) {
				url := u.FileURL(f.ID)
				for range 2 {
					status, body := get(t, fake, url, u.State().AccessToken)
					o.perms = append(o.perms, fmt.Sprint(status, " ", body))
				}
			}
		}
	})
	return o
}

// TestQuirks holds that every quirk changes something, and that no item of the
// plain traffic is lost by it where package notify reads it.
func TestQuirks(t *testing.T) {
	plain := traffic(t)
	require.Zero(t, plain.bad)
	require.Zero(t, plain.errs)
	require.Zero(t, plain.cut)
	for _, q := range activitytest.Quirks() {
		t.Run(string(q), func(t *testing.T) {
			odd := traffic(t, q)
			require.NotEmpty(t, q.About())
			differs := strings.Join(plain.bodies, "\n") != strings.Join(odd.bodies, "\n") || plain.pull != odd.pull ||
				fmt.Sprint(plain.perms) != fmt.Sprint(odd.perms) || plain.cut != odd.cut || plain.late != odd.late
			require.True(t, differs, "the quirk changes nothing")
			require.Zero(t, odd.errs, "a body is no JSON")
			for key := range plain.events {
				require.True(t, odd.events[key], "lost %s", key)
			}
		})
	}
}

func TestQuirkEffects(t *testing.T) {
	require.Positive(t, traffic(t, "bad-item").bad)
	require.Positive(t, traffic(t, "cut-body").cut)
	require.Equal(t, 1, traffic(t, "summary-gone").gone)
	require.Equal(t, 2, traffic(t, "redirect").redirs)
	require.GreaterOrEqual(t, traffic(t, "late").late, 24*time.Hour)
	require.Contains(t, strings.Join(traffic(t, "hostile-callback").bodies, ""), "attacker.example")
	plain, several := traffic(t), traffic(t, "several-keys")
	require.Less(t, len(several.bodies), len(plain.bodies))
	require.Len(t, traffic(t, "duplicate").bodies, 2*len(plain.bodies))
	require.Len(t, traffic(t, "lost-answer").bodies, 2*len(plain.bodies))
}

// TestEverythingAtOnce sends the traffic with all quirks of items, bodies and
// delivery on, each in some of the cases.
func TestEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newServer(t)
		fake.SetQuirks(.2, activitytest.Quirks()...)
		n := 0
		fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for _, err := range new(notify.Decoder).Decode(r.Body) {
				if err != nil {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				n++
			}
		})})
		g := activitytest.NewGenerator(5)
		total := 0
		for range 20 {
			u := fake.AddUser(nil)
			for range 10 {
				u.Add(g.Activities(activitytype.Running, time.Now())[0])
				total++
			}
		}
		_, err := fake.DeliverAll(t.Context())
		require.NoError(t, err)
		require.Zero(t, fake.State().Pending)
		require.GreaterOrEqual(t, n, total)
	})
}
