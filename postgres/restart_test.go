//go:build unix

package postgres

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/postgres/internal/pgtest"
	"github.com/garminkit/activityapi/types"
)

var restarts = flag.Int("restarts", 6, "how often TestRollingRestarts replaces a process")

// books is what the partner and the queue saw over all processes.
type books struct {
	mu     sync.Mutex
	saved  map[types.ID]int
	marked map[notify.ItemID]bool // the queue has confirmed that it is done
	again  []notify.ItemID        // run though it was marked
}

func (b *books) save(_ context.Context, d *notify.Delivery, s types.Summary) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.marked[notify.ItemID(d.Order)] {
		b.again = append(b.again, notify.ItemID(d.Order))
	}
	b.saved[s.ID()]++
	return nil
}

func (b *books) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.saved)
}

// booked is a queue whose marks are noted in the books.
type booked struct {
	*handle
	books *books
}

func (q *booked) Shares(ctx context.Context) iter.Seq2[notify.Share, error] {
	return func(yield func(notify.Share, error) bool) {
		for s, err := range q.handle.Shares(ctx) {
			if s != nil {
				s = &bookedShare{s, q.books}
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

type bookedShare struct {
	notify.Share
	books *books
}

func (s *bookedShare) Settle(ctx context.Context, verdicts []notify.Verdict) error {
	err := s.Share.Settle(ctx, verdicts)
	if err == nil {
		s.books.mu.Lock()
		defer s.books.mu.Unlock()
		for _, v := range verdicts {
			if v.Fate == notify.Done {
				s.books.marked[v.ID] = true
			}
		}
	}
	return err
}

// TestRollingRestarts replaces three services that share the database, one after
// the other, under load. Nothing that was acknowledged is lost, and nothing that was
// marked, or done, runs again.
func TestRollingRestarts(t *testing.T) {
	t.Parallel()
	schema, b := pgtest.Schema(t), &books{saved: map[types.ID]int{}, marked: map[notify.ItemID]bool{}}
	type process struct {
		svc    *service.Service
		cancel context.CancelFunc
		done   chan error
	}
	code := func(h http.Handler, r *http.Request) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	ready := func(p *process) bool {
		return code(p.svc.Ready(), httptest.NewRequest(http.MethodGet, "/", nil)) == http.StatusOK
	}
	start := func() *process {
		svc, err := service.New(&booked{steady(t, schema), b}, func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		}, notify.Callbacks{
			Save: func(ctx context.Context, d *notify.Delivery, s types.Summary) error {
				time.Sleep(time.Duration(d.Order%7) * time.Millisecond) // attempts are running at each stop
				return b.save(ctx, d, s)
			},
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
		}, &service.Options{ReadyDelay: 200 * time.Millisecond})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		p := &process{svc, cancel, make(chan error, 1)}
		go func() { p.done <- svc.Run(ctx) }()
		require.Eventually(t, func() bool { return ready(p) }, time.Minute, time.Millisecond)
		return p
	}
	var mu sync.Mutex
	running := []*process{start(), start(), start()}
	refused, sent := 0, 0
	senders, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for k := i; senders.Err() == nil; k++ {
				mu.Lock()
				sent++
				body := fmt.Sprintf(`{"activities":[{"userId":"u%d","summaryId":"s%d","startTimeInSeconds":1700000000}]}`, sent%7, sent)
				mu.Unlock()
				for { // Garmin repeats a notification until it has its 200.
					mu.Lock()
					p := running[k%len(running)]
					mu.Unlock()
					if ready(p) {
						if code(p.svc.Intake(), httptest.NewRequest(http.MethodPost, "/garmin", strings.NewReader(body))) == http.StatusOK {
							break
						}
						mu.Lock()
						refused++
						mu.Unlock()
					}
					k++
				}
			}
		})
	}
	var ending sync.WaitGroup
	end := func(p *process) {
		p.cancel()
		if err := <-p.done; err != nil {
			t.Error(err)
		}
	}
	for i := range *restarts {
		next := start()
		mu.Lock()
		old := running[i%3]
		running[i%3] = next
		mu.Unlock()
		if i%2 == 0 { // sometimes two stop at a time
			ending.Go(func() { end(old) })
			continue
		}
		end(old)
	}
	stop()
	wg.Wait()
	ending.Wait()
	require.Eventually(t, func() bool { return b.count() >= sent }, time.Minute, 5*time.Millisecond)
	for _, p := range running {
		ending.Go(func() { end(p) })
	}
	ending.Wait()
	require.Empty(t, b.again, "items ran again that were marked")
	require.Len(t, b.saved, sent, "acknowledged and delivered")
	for id, n := range b.saved {
		require.Equal(t, 1, n, "a stop in good order repeats nothing: %s", id)
	}
	t.Logf("%d restarts, %d notifications, none lost, none delivered twice; %d refused and repeated", *restarts, sent, refused)
}
