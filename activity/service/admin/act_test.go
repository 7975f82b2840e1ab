package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
)

// lines are the audit log's.
func (r *rig) lines() (out []string) {
	for line := range strings.Lines(r.log.String()) {
		var l struct{ Msg, Action, Letter, Key, Err string }
		require.NoError(r.t, json.Unmarshal([]byte(line), &l))
		out = append(out, strings.TrimSpace(fmt.Sprint(l.Msg, " ", l.Action, " ", l.Letter, l.Key, l.Err)))
	}
	return out
}

// TestAct: letters are counted first, and then redriven or discarded: those that
// were counted and no others, on every engine.
func TestAct(t *testing.T) {
	t.Parallel()
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, open(t), nil)
			r.bury(8, "column missing")
			dry := api[adminapi.Action](r, "POST", "redrive", "seconds", "20", "user", "u1")
			require.True(t, dry.DryRun)
			require.Equal(t, 2, dry.Matched)
			require.Zero(t, dry.Done)
			require.Empty(t, dry.Next)
			require.Empty(t, r.lines(), "nothing was done")
			require.Equal(t, 8, r.count())

			before := dry.Filter.Before.Format(time.RFC3339Nano)
			r.bury(4, "buried after the count")
			done := api[adminapi.Action](r, "POST", "redrive", "user", "u1", "before", before, "dry_run", "false", "seconds", "20")
			require.Equal(t, 2, done.Done)
			require.Zero(t, done.Failed)
			require.Equal(t, 10, r.count())
			require.Equal(t, []string{"admin: begins redrive", "admin: done redrive"}, r.lines())
			saved := 0
			r.work(func() error { saved++; return nil })
			require.Equal(t, 2, saved, "they came again")

			done = api[adminapi.Action](r, "POST", "discard", "reason", "COLUMN", "before", before, "dry_run", "false", "seconds", "20")
			require.Equal(t, 6, done.Done)
			require.Equal(t, 4, r.count())
			left := api[adminapi.Letters](r, "GET", "letters").Letters
			one := api[adminapi.Action](r, "POST", "discard", "id", left[0].ID, "dry_run", "true")
			require.Equal(t, adminapi.Action{Action: "discard", ID: left[0].ID, DryRun: true, Matched: 1}, one)
			require.Equal(t, 4, r.count(), "nothing was done")
			page := r.do("POST", "/discard", url.Values{"id": {left[0].ID}, "dry_run": {"true"}}, nil)
			require.Contains(t, page.Body.String(), `name="id" value="`+left[0].ID+`"`)
			require.NotContains(t, page.Body.String(), "any")
			require.Equal(t, 4, r.count(), "nothing was done")
			one = api[adminapi.Action](r, "POST", "discard", "id", left[0].ID)
			require.Equal(t, 1, one.Done)
			require.Equal(t, 3, r.count())
			for _, l := range r.lines() {
				require.True(t, strings.HasPrefix(l, "admin: "), l)
			}
		})
	}
}

// TestFilter: by key, user, reason and time, alone and together.
func TestFilter(t *testing.T) {
	t.Parallel()
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, open(t), nil)
			r.bury(4, "column missing")
			require.NoError(t, r.queue.Put(t.Context(), strings.NewReader(`{"dailies":[{"userId":"u1"}]}`)))
			require.NoError(t, r.queue.Put(t.Context(), strings.NewReader(`no json`)))
			r.work(func() error { return nil })
			all := api[adminapi.Letters](r, "GET", "letters")
			require.Len(t, all.Letters, 6)
			// Letters are listed as they came to the engine, and buried a little
			// earlier.
			at := all.Letters[3].Buried
			var before, after int
			for _, l := range all.Letters {
				if l.Buried.Before(at) {
					before++
				} else {
					after++
				}
			}
			stamp := at.Format(time.RFC3339Nano)
			for _, tt := range []struct {
				args []string
				want int
			}{
				{[]string{"key", "activities"}, 4},
				{[]string{"key", "dailies"}, 1},
				{[]string{"key", "activities", "user", "u1"}, 1},
				{[]string{"user", "u1"}, 1},
				{[]string{"reason", "Missing"}, 4},
				{[]string{"reason", "nothing like it"}, 0},
				{[]string{"after", "2001-01-01"}, 6},
				{[]string{"before", "2001-01-01T10:00"}, 0},
				{[]string{"after", stamp}, after},
				{[]string{"before", stamp}, before},
				{[]string{"after", stamp, "before", stamp}, 0},
			} {
				args := append([]string{"seconds", "20"}, tt.args...)
				require.Len(t, api[adminapi.Letters](r, "GET", "letters", args...).Letters, tt.want, "%q", tt.args)
				require.Equal(t, tt.want, api[adminapi.Action](r, "POST", "discard", args...).Matched, "%q", tt.args)
			}
		})
	}
}

// TestUnreadable: an action whose parameters cannot all be read is none, nor is one
// with a parameter that it does not have: without one of them it would be done to more
// letters than were meant.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	const really = "before=2999-01-01&dry_run=false"
	r := newRig(t, memqueue.NewMemory(), &admin.Options{Erase: (&personal.Stores{}).Erase, Export: (&personal.Stores{}).Export})
	r.bury(8, "column missing")
	for _, tt := range []struct {
		name, query, kind, body string
		ok                      bool
	}{
		{"an escape that is none", "", form, really + "&user=u1%zz", false},
		{"an escape that is cut off", "", form, really + "&reason=column+100%", false},
		{"a semicolon", "", form, "user=u1;&" + really, false},
		{"an escape in the query", "?user=u1%zz", form, really, false},
		{"too long", "?" + really, form, "user=u1&key=" + strings.Repeat("x", 70_000), false},
		{"JSON", "?" + really, "application/json", `{"user":"u1"}`, false},
		{"no type", "?" + really, "", `user=u1`, false},
		{"a type that is none", "?" + really, ";", `user=u1`, false},
		{"a part that is cut off", "?" + really, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nu1", false},
		{"parts", "?" + really, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nu1\r\n--b--\r\n", true},
		{"no body", "?user=u2&" + really, "", "", true},
		{"a name misspelt", "", form, really + "&usr=u3", false},
		{"a name misspelt in the query", "?usr=u3", form, really, false},
		{"a name misspelt of parts", "?" + really, "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"usr\"\r\n\r\nu1\r\n--b--\r\n", false},
		{"as net/url writes it", "", form, url.Values{"user": {"u3"}, "key": {""}, "reason": {"column missing"}, "before": {"2999-01-01T00:00:00Z"}, "dry_run": {"false"}}.Encode(), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/discard", "/api/discard", "/redrive", "/erase", "/export"} {
				if tt.ok && path != "/api/discard" {
					continue
				}
				left := r.count()
				q := httptest.NewRequest(http.MethodPost, path+tt.query, strings.NewReader(tt.body))
				q.Header.Set("Content-Type", tt.kind)
				w := httptest.NewRecorder()
				r.admin.ServeHTTP(w, q)
				if !tt.ok {
					require.Equal(t, http.StatusBadRequest, w.Code, "%s: %s", path, w.Body)
					require.Equal(t, left, r.count(), path)
					continue
				}
				require.Equal(t, http.StatusOK, w.Code, "%s: %s", path, w.Body)
				require.Equal(t, left-2, r.count(), path)
			}
		})
	}
}

// TestPieces: a list that is read in pieces shows each letter once, also while
// letters go; and an action that had no time for all goes on where it was.
func TestPieces(t *testing.T) {
	t.Parallel()
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, open(t), nil)
			r.bury(130, "no")
			seen := map[string]int{}
			for from, n := "", 0; ; n++ {
				piece := api[adminapi.Letters](r, "GET", "letters", "from", from)
				for _, l := range piece.Letters {
					seen[l.ID]++
				}
				if from = piece.Next; from == "" {
					break
				}
				require.Less(t, n, 100)
				// The last one that was shown goes.
				last := piece.Letters[len(piece.Letters)-1].ID
				require.NoError(t, r.queue.Discard(t.Context(), last))
			}
			require.Len(t, seen, 130)
			for id, n := range seen {
				require.Equal(t, 1, n, id)
			}
			left, done := r.count(), 0
			for from, n := "", 0; ; n++ {
				a := api[adminapi.Action](r, "POST", "discard", "before", "2999-01-01", "dry_run", "false", "from", from)
				done += a.Done
				if from = a.Next; from == "" {
					break
				}
				require.Positive(t, a.Matched)
				require.Less(t, n, 1000)
			}
			require.Equal(t, left, done)
			require.Zero(t, r.count())
		})
	}
}

// picky is a queue in which some letters cannot be redriven.
type picky struct{ *memqueue.Memory }

func (p *picky) Redrive(ctx context.Context, id string) error {
	l, err := p.Letter(ctx, id)
	if err != nil {
		return err
	}
	if l.UserID == "u2" {
		return errors.New("the disk is full")
	}
	return p.Memory.Redrive(ctx, id)
}

// TestFailures: letters that fail are counted, told of and left, and the others
// go on.
func TestFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t, &picky{memqueue.NewMemory()}, nil)
	r.bury(100, "no")
	a := api[adminapi.Action](r, "POST", "redrive", "before", "2999-01-01", "dry_run", "false", "seconds", "20")
	require.Equal(t, 75, a.Done)
	require.Equal(t, 25, a.Failed)
	require.Len(t, a.Errors, 10)
	require.Contains(t, a.Errors[0], "the disk is full")
	require.Equal(t, 25, r.count())
	w := r.do("POST", "/api/redrive", map[string][]string{"id": {api[adminapi.Letters](r, "GET", "letters").Letters[0].ID}}, nil)
	require.Equal(t, 500, w.Code)
	require.Contains(t, r.log.String(), `"msg":"admin: failed","action":"redrive"`)
}

// TestRates: what was finished over the last minutes.
func TestRates(t *testing.T) {
	t.Parallel()
	var r admin.Rates
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rate := func(after time.Duration, n uint64) float64 {
		var st notify.ProcessorStats
		st.Classes[notify.ClassPush].Finished = n
		return r.Add(at.Add(after), &st)[notify.ClassPush]
	}
	require.Zero(t, rate(0, 100), "nothing to compare with")
	require.InDelta(t, 60.0, rate(time.Minute, 160), 0.01)
	require.InDelta(t, 60.0, rate(2*time.Minute, 220), 0.01)
	require.InDelta(t, 0.0, rate(20*time.Minute, 220), 0.01, "what was long ago counts no more")
	require.Zero(t, rate(21*time.Minute, 5), "the counts began anew")
	require.InDelta(t, 10.0, rate(22*time.Minute, 15), 0.01)
}

// endless is a queue with letters without end, each of which takes a while.
type endless struct{ *memqueue.Memory }

func (e *endless) Letters(context.Context, *notify.LetterFilter) iter.Seq2[*notify.DeadLetter, error] {
	return func(yield func(*notify.DeadLetter, error) bool) {
		for i := 1; yield(&notify.DeadLetter{ID: fmt.Sprint(i), Key: "activities"}, nil); i++ {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// TestStops: a search and a count stop in time, whatever they find, and say where
// they were.
func TestStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &endless{memqueue.NewMemory()}, nil)
		for seconds, want := range map[string]time.Duration{"0": 80 * time.Millisecond, "3": 3 * time.Second} {
			for _, key := range []string{"activities", "nothing like it"} {
				begin := time.Now()
				list := api[adminapi.Letters](r, "GET", "letters", "key", key, "seconds", seconds)
				require.LessOrEqual(t, time.Since(begin), want)
				require.NotEmpty(t, list.Next)
				require.LessOrEqual(t, len(list.Letters), 100)
				begin = time.Now()
				require.NotEmpty(t, api[adminapi.Action](r, "POST", "redrive", "key", key, "seconds", seconds).Next)
				require.LessOrEqual(t, time.Since(begin), want)
			}
		}
	})
}
