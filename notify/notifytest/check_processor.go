package notifytest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// processorClauses are about a Processor at work on the queue.
var processorClauses = []clause{
	{"ProcessorStops", "after a stop in the middle, an item that was done does not run again and every other runs", 0, processorStops},
	{"ProcessorOrder", "items of one user begin in order", 0, processorOrder},
	{"ProcessorRedrive", "an item that was given up on can be processed again", 0, processorRedrive},
	{"ProcessorBad", "what cannot be read becomes letters, and not more than some hundred for a body", 0, processorBad},
}

// process runs a processor until save has said stop, or the items that came to
// an end are n.
func (s *subject) process(n int, save func(user, summary string) (err error, stop bool)) {
	s.Helper()
	s.crew.stop()
	defer func() { s.crew = s.work(s.queue) }()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var mu sync.Mutex
	ended := 0
	never := errors.New("no such item was put")
	p, err := notify.NewProcessor(s.queue,
		func(_ context.Context, id types.UserID) ([]notify.User, error) {
			return []notify.User{{ID: string(id)}}, nil
		},
		notify.Callbacks{
			Save: func(_ context.Context, d *notify.Delivery, sum types.Summary) error {
				err, stop := save(string(d.UserID), string(sum.ID()))
				if stop {
					cancel()
				}
				return err
			},
			Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return never },
			PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return never },
		},
		&notify.ProcessorOptions{Observe: func(o notify.Outcome) {
			mu.Lock()
			defer mu.Unlock()
			switch o.Result {
			case notify.ResultDone, notify.ResultBuried, notify.ResultQuarantined:
				if ended++; ended == n {
					cancel()
				}
			}
		}})
	s.ok(err, "NewProcessor")
	s.ok(p.Run(ctx), "Run")
	if s.ctx.Err() != nil {
		s.fail("the processor came to no end; %d items of %d did", ended, n)
	}
}

func processorStops(s *subject) {
	const total = 60
	for i, user := range []string{"a", "b", "c"} {
		s.put(list("activities", numbered(user, i*20+1, 20)...))
	}
	var mu sync.Mutex
	taken := map[string]int{}
	stopped := errors.New("the process is about to stop")
	for round := 0; len(taken) < total; round++ {
		if round == 20 {
			s.fail("after %d rounds %d items of %d ran, some of them again and again", round, len(taken), total)
		}
		calls := 0
		s.process(total-len(taken), func(_, id string) (error, bool) {
			mu.Lock()
			defer mu.Unlock()
			if calls++; calls > 7 && round < 4 {
				return stopped, true
			}
			taken[id]++
			return nil, false
		})
		s.reopen()
	}
	for i := 1; i <= total; i++ {
		if n := taken[fmt.Sprint(i)]; n != 1 {
			s.fail("item %d ran %d times", i, n)
		}
	}
	s.holds()
}

func processorOrder(s *subject) {
	users := []string{"a", "b", "c", "d"}
	const bodies, each = 20, 5
	for i := range bodies {
		for _, u := range users {
			s.put(list("activities", numbered(u, i*each, each)...))
		}
	}
	var mu sync.Mutex
	order := map[string][]string{}
	s.process(len(users)*bodies*each, func(user, id string) (error, bool) {
		mu.Lock()
		defer mu.Unlock()
		order[user] = append(order[user], id)
		return nil, false
	})
	for _, u := range users {
		for i, id := range order[u] {
			if id != fmt.Sprint(i) {
				s.fail("item %s of user %s ran as number %d", id, u, i)
			}
		}
	}
	s.holds()
}

func processorRedrive(s *subject) {
	s.put(list("activities", numbered("a", 1, 5)...))
	poison := notify.Permanent(errors.New("the database refuses number 3"))
	s.process(5, func(_, id string) (error, bool) {
		if id == "3" {
			return poison, false
		}
		return nil, false
	})
	s.reopen()
	all := s.letters(nil)
	if len(all) != 1 || all[0].Reason != poison.Error() || all[0].UserID != "a" || all[0].Key != "activities" || all[0].Items != 1 {
		s.fail("the letters are %v", all)
	}
	s.ok(s.queue.Redrive(s.ctx, all[0].ID), "Redrive")
	s.process(1, func(_, id string) (error, bool) {
		if id != "3" {
			s.Errorf("item %s ran again", id)
		}
		return nil, false
	})
	s.holds()
	if n := len(s.letters(nil)); n != 0 {
		s.fail("%d letters are left", n)
	}
}

func processorBad(s *subject) {
	const bad = 700
	s.put(badItems(bad/3)+"broken", list("activities", activity("a", "1")))
	s.crew.stop()
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.process(-1, func(_, id string) (error, bool) {
			<-ctx.Done()
			return nil, true
		})
	}()
	s.until(patient+2*s.lease(), func() bool {
		st, err := s.queue.Stats(s.ctx)
		s.ok(err, "Stats")
		return st.Bodies == 0 && st.Items[notify.ClassBad] == 0 && total(st) == 1
	}, "not all bad items became letters")
	cancel()
	<-done
	items, whole := 0, 0
	letters := s.letters(nil)
	for _, l := range letters {
		if !l.Quarantined {
			s.fail("a letter of an item that cannot be read is %+v", *l)
		}
		if l.Items > 1 {
			items++
		}
		if l.Key == "" && l.Items <= 1 {
			whole++
		}
	}
	if len(letters) > 110 || items != 1 || whole != 1 {
		s.fail("there are %d letters, %d of several items and %d of a whole body", len(letters), items, whole)
	}
}
