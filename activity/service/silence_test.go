package service_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/silence"
	"github.com/garminkit/activityapi/types"
)

// trained is a detector that knows 24 users, of whom one is about to be said: their
// token is refused for two days.
func trained(t *testing.T, now time.Time) *silence.Detector {
	t.Helper()
	d, err := silence.New(nil)
	require.NoError(t, err)
	const days = 40
	start := now.Add(-days * 24 * time.Hour)
	for m := 0; m < days*24*60; m += 10 {
		at := start.Add(time.Duration(m) * time.Minute)
		for i := range 24 {
			if m%(24*60) == i*60 && (i != 7 || m < (days-3)*24*60) {
				d.Arrived(types.KindActivities, types.UserID(fmt.Sprint(i)), at)
			}
		}
		require.Empty(t, d.Check(at))
	}
	d.Observe(notify.Outcome{Result: notify.ResultParked, UserID: "7"})
	return d
}

func TestSilence(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"returns", "panics", "hangs", "has no file"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "silence")
				if how == "has no file" {
					path = filepath.Join(path, "in a directory that is not there")
				}
				var found []silence.Silence
				over := make(chan struct{})
				observed := 0
				r := newRig(t, trouble{}, service.Options{
					Processor: &notify.ProcessorOptions{Observe: func(notify.Outcome) { observed++ }},
					Silence: &service.Silence{
						Detector: trained(t, time.Now()),
						Path:     path,
						Found: func(s silence.Silence) {
							found = append(found, s)
							switch how {
							case "panics":
								panic("a secret")
							case "hangs":
								<-over
							}
						},
					},
				})
				r.serve()
				defer r.end()
				defer close(over)
				require.Equal(t, 200, r.post(1))
				time.Sleep(40 * time.Minute)
				synctest.Wait()
				require.Equal(t, 1, observed, "the partner's own Observe is called too")
				require.Equal(t, 200, r.post(2), "the service goes on")
				require.Len(t, found, 1)
				require.Equal(t, types.UserID("7"), found[0].User)
				require.Equal(t, "token", found[0].Cause)
				r.cancel()
				err := <-r.done
				if how == "hangs" {
					require.ErrorContains(t, err, "silence: it did not end in time")
					return
				}
				require.NoError(t, err)
				if how == "has no file" {
					return // the log says so
				}
				d, err := silence.Load(path, nil)
				require.NoError(t, err)
				require.Equal(t, 26, d.Users(), "those of the posts are known, and saved")
			})
		})
	}
}

func TestSilenceWithoutDetector(t *testing.T) {
	t.Parallel()
	_, err := service.New(nil, everybody, notify.Callbacks{}, &service.Options{Silence: &service.Silence{}})
	require.ErrorContains(t, err, "Options.Silence without Detector")
}
