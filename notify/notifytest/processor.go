package notifytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// process runs a processor until save has said stop, or the items that came to
// an end are n.
func (s *subject) process(n int, save func(user, summary string) (err error, stop bool)) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var mu sync.Mutex
	ended := 0
	never := errors.New("no such item was put")
	p, err := notify.NewProcessor(s.queue,
		notify.ResolverFunc(func(_ context.Context, id string) ([]notify.User, error) {
			return []notify.User{{ID: id}}, nil
		}),
		notify.Callbacks{
			Save: func(_ context.Context, d *notify.Delivery, sum types.Summary) error {
				err, stop := save(d.UserID, string(sum.ID()))
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
			case notify.ResultDone, notify.ResultBuried:
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

// items returns a body with items first to last of each user.
func items(first, last int, users ...string) string {
	var list []string
	for i := first; i <= last; i++ {
		for _, u := range users {
			list = append(list, fmt.Sprintf(`{"userId":%q,"summaryId":"%d","startTimeInSeconds":1,"startTimeOffsetInSeconds":0,"durationInSeconds":1}`, u, i))
		}
	}
	return `{"activities":[` + strings.Join(list, ",") + `]}`
}

func processorCrash(s *subject) {
	const total = 60
	s.put(items(1, 20, "a"), items(21, 40, "b"), items(41, total, "c"))
	var mu sync.Mutex
	taken := map[string]int{}
	stopped := errors.New("the process is about to stop")
	for round := 0; len(taken) < total; round++ {
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
	for i := range 20 {
		s.put(items(i*5, i*5+4, users...))
	}
	var mu sync.Mutex
	order := map[string][]string{}
	s.process(400, func(user, id string) (error, bool) {
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
	s.put(items(1, 5, "a"))
	poison := notify.Permanent(errors.New("the database refuses number 3"))
	s.process(5, func(_, id string) (error, bool) {
		if id == "3" {
			return poison, false
		}
		return nil, false
	})
	s.reopen()
	all := s.letters()
	if len(all) != 1 || all[0].Reason != poison.Error() || all[0].UserID != "a" || all[0].Key != "activities" {
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
	if n := len(s.letters()); n != 0 {
		s.fail("%d letters are left", n)
	}
}
