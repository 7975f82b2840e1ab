package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// operatorPage is what the operator sees.
func (w *world) operatorPage() string {
	w.t.Helper()
	page := w.ask("", "GET", public+"/operator/", func(r *http.Request) { r.SetBasicAuth("operator", operator) })
	require.Equal(w.t, http.StatusOK, page.Code)
	return page.Body.String()
}

// shows tells whether the operator sees a trouble.
func (w *world) shows(kind string) bool {
	w.t.Helper()
	return strings.Contains(w.operatorPage(), "<b>"+kind+"</b>")
}

// What lasts stays shown, however long; what has ended vanishes.
func TestTroubles(t *testing.T) {
	done := notify.Outcome{Result: notify.ResultDone, Class: notify.ClassPush}
	for kind, tt := range map[string]struct {
		begin func(p *world)
		goOn  func(p *world) // nil if nothing more is heard
		other func(p *world) // what does not end it
		end   func(p *world) // nil if a day ends it
	}{
		"path secret": {
			begin: func(p *world) { p.ask("", "POST", public+"/garmin/another-secret-of-the-path", nil) },
			goOn:  func(p *world) { p.ask("", "POST", public+"/garmin/", nil) },
			other: func(p *world) { p.sync(activitytype.Running) }, // other endpoints are right
		},
		"intake": {
			begin: func(p *world) {
				p.troubles.received(p.t.Context(), notify.Receipt{Status: http.StatusServiceUnavailable})
			},
			other: func(p *world) { p.troubles.received(p.t.Context(), notify.Receipt{Status: http.StatusNotFound}) },
			end:   func(p *world) { p.sync(activitytype.Running) },
		},
		"outage": {
			begin: func(p *world) {
				p.troubles.processed(notify.Outcome{Result: notify.ResultOutage, Err: errors.New("refused")})
			},
			other: func(p *world) { p.troubles.processed(done) },
			end:   func(p *world) { p.troubles.processed(notify.Outcome{Result: notify.ResultResumed}) },
		},
		"stalled": {
			begin: func(p *world) {
				p.troubles.processed(notify.Outcome{Result: notify.ResultStalled, Class: notify.ClassFile})
			},
			other: func(p *world) { p.troubles.processed(done) }, // of another class
			end: func(p *world) {
				p.troubles.processed(notify.Outcome{Result: notify.ResultDone, Class: notify.ClassFile})
			},
		},
		"queue failed": {
			begin: func(p *world) { p.troubles.processed(notify.Outcome{Result: notify.ResultQueueFailed}) },
			end:   func(p *world) { p.troubles.processed(done) },
		},
		"application": {
			begin: func(p *world) {
				p.garmin.ClientSecret += "x"
				require.Equal(p.t, http.StatusBadGateway, p.connect("bob", p.garmin.AddUser(&activitytest.UserOptions{NotConnected: true})).Code)
			},
			goOn:  func(p *world) { p.troubles.renewal("g", fmt.Errorf("renewal: %w", auth.ErrInvalidClient)) },
			other: func(p *world) { p.troubles.renewal("g", auth.ErrReconnect) },
			end: func(p *world) {
				p.garmin.ClientSecret = strings.TrimSuffix(p.garmin.ClientSecret, "x")
				require.Equal(p.t, http.StatusSeeOther, p.connect("bob", p.garmin.AddUser(&activitytest.UserOptions{NotConnected: true})).Code)
			},
		},
		"connecting": {
			begin: func(p *world) {
				p.garmin.SetFaults(activitytest.Fault{Times: 100, Path: "/user/id", Status: http.StatusInternalServerError})
				require.Equal(p.t, http.StatusBadGateway, p.connect("bob", p.garmin.AddUser(&activitytest.UserOptions{NotConnected: true})).Code)
			},
			goOn: func(p *world) { p.troubles.connecting(errors.New("again")) },
			end: func(p *world) {
				p.garmin.SetFaults()
				require.Equal(p.t, http.StatusSeeOther, p.connect("bob", p.garmin.AddUser(&activitytest.UserOptions{NotConnected: true})).Code)
			},
		},
		"history": {
			begin: func(p *world) {
				p.troubles.history(&backfill.Progress{UserID: "a user", Err: errors.New("refused")})
			},
			goOn: func(p *world) {
				p.troubles.history(&backfill.Progress{UserID: "a user", Err: errors.New("refused")})
			},
			other: func(p *world) { p.troubles.history(&backfill.Progress{UserID: p.user.ID()}) },
			end:   func(p *world) { p.troubles.history(&backfill.Progress{UserID: "a user"}) },
		},
		"pages": {
			begin: func(p *world) { p.lose("workout"); p.ask("ann", "GET", public+"/list", nil) },
			goOn:  func(p *world) { require.Equal(p.t, 500, p.ask("ann", "GET", public+"/list", nil).Code) },
			other: func(p *world) { require.Equal(p.t, 200, p.ask("ann", "GET", public+"/account", nil).Code) },
		},
	} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := start(t, nil)
				require.NoError(t, p.db.connect(t.Context(), "bob", "a user", nil)) // for whom no history is asked
				require.False(t, p.shows(kind))
				tt.begin(p)
				require.True(t, p.shows(kind))
				require.Contains(t, p.log.String(), "an operator has to look")
				for range 5 {
					time.Sleep(23 * time.Hour)
					if tt.goOn != nil {
						tt.goOn(p)
					}
					if tt.other != nil {
						tt.other(p)
					}
					require.True(t, p.shows(kind), "it goes on")
				}
				require.Equal(t, 1, strings.Count(p.log.String(), `trouble="`+kind)+strings.Count(p.log.String(), `trouble=`+kind), "logged once")
				if tt.end != nil {
					tt.end(p)
				} else {
					time.Sleep(unheard + time.Second)
				}
				require.False(t, p.shows(kind), "it is over")
				require.Contains(t, p.log.String(), "a trouble is over")
				tt.begin(p)
				require.True(t, p.shows(kind), "it is there again")
			})
		})
	}
}

// lose makes every statement about a table fail.
func (w *world) lose(table string) {
	_, _ = w.db.ExecContext(w.t.Context(), `ALTER TABLE `+table+` RENAME TO lost_`+table)
}

// What only the user can mend is no trouble of the operator's, and neither is what
// was of a user who has left.
func TestTroublesOfUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		settle() // its history has been asked for
		fail := func(err error) {
			p.troubles.history(&backfill.Progress{UserID: p.user.ID(), Err: &backfill.UserError{UserID: p.user.ID(), Err: err}})
		}
		p.troubles.history(&backfill.Progress{UserID: p.user.ID(), Err: &backfill.UserError{UserID: p.user.ID(), Permission: types.PermissionHistoricalDataExport, Err: errors.New("permission missing")}})
		fail(fmt.Errorf("no token: %w", auth.ErrReconnect))
		require.False(t, p.shows("history"))
		fail(errors.New("refused"))
		require.True(t, p.shows("history"))
		p.user.Deregister()
		p.garmin.Deliver(t.Context())
		settle()
		fail(errors.New("403, which was on its way"))
		require.False(t, p.shows("history"))
	})
}
