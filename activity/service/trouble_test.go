package service_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service"
)

// TestTroubles: every part fails, hangs, panics and exits, when it starts, while
// it works and when it stops. What the intake then answers and how the program
// ends is this table, which docs/operation.md shows.
func TestTroubles(t *testing.T) {
	t.Parallel()
	const ends, goes = true, false
	for _, tt := range []struct {
		part, when, how string
		ends            bool // Run returns before its ctx ends
		intake          int  // a minute after the start
		ready, live     int
		err             string // in that of Run, "" for nil
		told            string // by Ready, as a reason or warning
	}{
		{"nothing", "", "", goes, 200, 200, 200, "", ""},

		{"processor", "start", "fails", ends, 503, 503, 503, "processor: it is broken", "processor: it is broken"},
		{"processor", "start", "panics", ends, 503, 503, 503, "processor: panic (string)", "panic"},
		{"processor", "start", "exits", ends, 503, 503, 503, "processor: its goroutine was ended", ""},
		{"processor", "start", "hangs", goes, 200, 200, 200, "processor: it did not end in time", ""},
		{"processor", "work", "fails", ends, 503, 503, 503, "processor: it is broken", ""},
		{"processor", "work", "panics", ends, 503, 503, 503, "processor: panic (string)", ""},
		{"processor", "work", "returns", ends, 503, 503, 503, "processor: notify: the queue ended", ""},
		{"processor", "work", "hangs", goes, 200, 200, 200, "processor: it did not end in time", ""},
		{"processor", "stop", "fails", goes, 200, 200, 200, "", ""},
		{"processor", "stop", "panics", goes, 200, 200, 200, "processor: panic (string)", ""},
		{"processor", "stop", "hangs", goes, 200, 200, 200, "processor: it did not end in time", ""},

		{"processor", "stop", "exits", goes, 200, 200, 200, "processor: its goroutine was ended", ""},

		{"tokens", "start", "fails", ends, 503, 503, 503, "tokens: it is broken", ""},
		{"tokens", "start", "panics", ends, 503, 503, 503, "tokens: panic (string)", ""},
		{"tokens", "start", "exits", ends, 503, 503, 503, "tokens: its goroutine was ended", ""},
		{"tokens", "start", "hangs", goes, 200, 200, 200, "tokens: it did not end in time", ""},
		{"tokens", "work", "fails", ends, 503, 503, 503, "tokens: it is broken", ""},
		{"tokens", "work", "panics", ends, 503, 503, 503, "tokens: panic (string)", ""},
		{"tokens", "work", "exits", ends, 503, 503, 503, "tokens: its goroutine was ended", ""},
		{"tokens", "work", "returns", ends, 503, 503, 503, "tokens: it ended by itself", ""},
		{"tokens", "work", "hangs", goes, 200, 200, 200, "tokens: it did not end in time", ""},
		{"tokens", "stop", "fails", goes, 200, 200, 200, "tokens: it is broken", ""},
		{"tokens", "stop", "panics", goes, 200, 200, 200, "tokens: panic (string)", ""},
		{"tokens", "stop", "hangs", goes, 200, 200, 200, "tokens: it did not end in time", ""},
		{"tokens", "stop", "exits", goes, 200, 200, 200, "tokens: its goroutine was ended", ""},
		{"tokens", "close", "fails", goes, 200, 200, 200, "tokens: it is broken", ""},
		{"tokens", "close", "panics", goes, 200, 200, 200, "tokens: panic (string)", ""},
		{"tokens", "close", "hangs", goes, 200, 200, 200, "tokens: it did not end in time", ""},

		{"history", "start", "fails", goes, 200, 200, 200, "", "history: it is broken"},
		{"history", "start", "panics", goes, 200, 200, 200, "", "history: backfill: panic in the iterator of users (string)"},
		{"history", "start", "hangs", goes, 200, 200, 200, "history: it did not end in time", ""},
		{"history", "work", "fails", goes, 200, 200, 200, "", "history: it is broken"},
		{"history", "work", "panics", goes, 200, 200, 200, "", "history: backfill: panic"},
		{"history", "work", "hangs", goes, 200, 200, 200, "history: it did not end in time", ""},
		{"history", "stop", "fails", goes, 200, 200, 200, "", ""}, // it was interrupted, and is asked for again
		{"history", "stop", "panics", goes, 200, 200, 200, "", ""},
		{"history", "stop", "hangs", goes, 200, 200, 200, "history: it did not end in time", ""},

		{"server", "start", "fails", ends, 503, 503, 503, "server: it is broken", ""},
		{"server", "start", "panics", ends, 503, 503, 503, "server: panic (string)", ""},
		{"server", "start", "hangs", goes, 200, 200, 200, "server: it did not end in time", ""},
		{"server", "work", "fails", ends, 503, 503, 503, "server: it is broken", ""},
		{"server", "work", "panics", ends, 503, 503, 503, "server: panic (string)", ""},
		{"server", "work", "exits", ends, 503, 503, 503, "server: its goroutine was ended", ""},
		{"server", "work", "hangs", goes, 200, 200, 200, "server: it did not end in time", ""},
		{"server", "stop", "fails", goes, 200, 200, 200, "server: it is broken", ""},

		{"health", "start", "fails", goes, 200, 200, 200, "", ""}, // and is well half a minute later
		{"health", "start", "panics", goes, 200, 200, 200, "", ""},
		{"health", "start", "hangs", goes, 200, 503, 200, "", "queue: no answer for 1m"},
		{"health", "work", "fails", goes, 200, 503, 200, "", "queue: it is broken"},
		{"health", "work", "panics", goes, 200, 503, 200, "", "queue: panic (string)"},
		{"health", "work", "exits", goes, 200, 503, 200, "", "queue: no answer for"},
		{"health", "work", "hangs", goes, 200, 503, 200, "", "queue: no answer for"},

		// What the handler asks before a body is read.
		{"origin", "work", "fails", goes, 404, 200, 200, "", ""},
		{"origin", "work", "panics", goes, 404, 200, 200, "", ""},
		{"origin", "work", "exits", goes, 500, 200, 200, "", ""},
		{"origin", "work", "hangs", goes, 503, 200, 200, "intake: it did not end in time", ""},
		{"observer", "work", "panics", goes, 200, 200, 200, "", ""},

		{"store", "work", "fails", goes, 503, 200, 200, "", ""},
		{"store", "work", "panics", goes, 500, 200, 200, "", ""},
		{"store", "work", "exits", goes, 500, 200, 200, "", ""},
		{"store", "work", "hangs", goes, 503, 200, 200, "intake: it did not end in time", ""},

		{"callback", "work", "fails", goes, 200, 200, 200, "", ""},
		{"callback", "work", "panics", goes, 200, 200, 200, "", ""},
		{"callback", "work", "exits", goes, 200, 200, 200, "", ""},
		{"callback", "work", "hangs", goes, 200, 200, 200, "processor: notify: 2 attempts did not end in time", ""},

		{"queue", "stop", "fails", goes, 200, 200, 200, "queue: it is broken", ""},
		{"queue", "stop", "panics", goes, 200, 200, 200, "queue: panic (string)", ""},
		{"queue", "stop", "hangs", goes, 200, 200, 200, "queue: it did not end in time", ""},
		{"close 0", "stop", "fails", goes, 200, 200, 200, "close 0: it is broken", ""},
		{"close 0", "stop", "panics", goes, 200, 200, 200, "close 0: panic (string)", ""},
		{"close 0", "stop", "hangs", goes, 200, 200, 200, "close 0: it did not end in time", ""},
	} {
		t.Run(strings.TrimSpace(tt.part+" "+tt.when+" "+tt.how), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, trouble{part: tt.part, when: tt.when, how: tt.how}, service.Options{})
				r.serve()
				defer r.end()
				time.Sleep(time.Minute)
				require.Equal(t, tt.intake, r.post(1), "what the intake answers")
				ready, live := ask(t, r.svc.Ready()), ask(t, r.svc.Live())
				require.Equal(t, tt.ready, ready.Code, "%q", ready.Reasons)
				require.Equal(t, tt.live, live.Code, "%q", live.Reasons)
				require.Contains(t, strings.Join(append(ready.Reasons, ready.Warnings...), "\n"), tt.told)
				if !tt.ends {
					require.Empty(t, r.done, "the service ended by itself")
				}

				stopped := time.Now()
				r.cancel()
				if tt.intake == 200 {
					// It turns not ready first, and takes what comes.
					synctest.Wait()
					require.Equal(t, 503, ask(t, r.svc.Ready()).Code)
					require.True(t, r.takes(), "before the delay is over")
				}
				err := <-r.done
				require.Less(t, time.Since(stopped), 26*time.Second)
				require.Equal(t, 503, r.post(2), "what the intake answers afterwards")
				require.Equal(t, 503, ask(t, r.svc.Ready()).Code)
				if tt.err == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, tt.err)
				require.NotContains(t, err.Error(), "a secret")
				var part *service.PartError
				require.ErrorAs(t, err, &part)
				if tt.how == "fails" {
					require.ErrorIs(t, err, errBroken)
					require.Equal(t, 1, strings.Count(err.Error(), errBroken.Error()), "the cause stands once")
				}
				require.True(t, tt.part == part.Part || tt.part == "callback" || tt.part == "store" || tt.part == "origin", part.Part)
			})
		})
	}
}
