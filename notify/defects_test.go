package notify_test

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// oddPush is a push of two summaries, of which the second has two values that
// cannot be read.
func oddPush(user, id string) string {
	return `{"activities":[{"userId":"` + user + `","summaryId":"` + id + `1"},{"userId":"` + user + `","summaryId":"` + id +
		`2","durationInSeconds":"SECRET","averageHeartRateInBeatsPerMinute":1.5}]}`
}

// TestDefectsAreTold: who watches the outcomes hears of each value that was left
// out, and where in the body it stood; the log hears of each field once; nobody
// hears the value.
func TestDefectsAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRig(t, nil)
		r.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
		r.start()
		body := oddPush("u", "1")
		r.put(body)
		for i := range 50 {
			r.put(oddPush("u", string(rune('a'+i%26))+strings.Repeat("x", i)))
		}
		time.Sleep(time.Minute)
		r.stop()
		<-r.ended

		odd := 0
		for _, o := range r.outcomes {
			require.Equal(t, notify.ResultDone, o.Result)
			if o.Defects == nil {
				continue
			}
			odd++
			require.Equal(t, 2, o.Defects.Count)
			require.Equal(t, "activities[1].durationInSeconds", o.Defects.First[0].Path)
			require.Equal(t, "activities[1].averageHeartRateInBeatsPerMinute", o.Defects.First[1].Path)
			if o.Defects.First[0].Offset == int64(strings.Index(body, `"SECRET"`)) {
				require.EqualValues(t, strings.Index(body, "1.5"), o.Defects.First[1].Offset)
			}
		}
		require.Equal(t, 51, odd)
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), "%s", log.String())
		require.Contains(t, log.String(), "item delivered without values that could not be read")
		require.Contains(t, log.String(), "activities[1].durationInSeconds, at byte ")
		require.Contains(t, log.String(), "and 1 more")
		require.NotContains(t, log.String(), "SECRET")
	})
}

// TestDefectsOfAPull are those of the summaries that came.
func TestDefectsOfAPull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		many := &types.Defects{Count: 40}
		for range 10 {
			many.First = append(many.First, types.Defect{Path: "activities[0].steps", Offset: 7, Want: "an integer", Have: "a list"})
		}
		c := garmin{follow: func(context.Context, types.Kind, types.Secret) iter.Seq2[types.Summary, error] {
			return yields(nil, &types.Activity{SummaryID: "1", Defects: many}, &types.Activity{SummaryID: "2"}, &types.Activity{SummaryID: "3", Defects: many})
		}}
		r := newRig(t, c)
		r.start()
		r.put(`{"activities":[{"userId":"u","callbackURL":"https://apis.garmin.com/wellness-api/rest/activities?token=x"}]}`)
		time.Sleep(time.Minute)
		r.stop()
		<-r.ended
		require.Len(t, r.outcomes, 1)
		require.Equal(t, 80, r.outcomes[0].Defects.Count)
		require.Len(t, r.outcomes[0].Defects.First, 16)
		require.EqualValues(t, 7, r.outcomes[0].Defects.First[0].Offset)
		require.Len(t, many.First, 10)
	})
}
