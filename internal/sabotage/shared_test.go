package sabotage

// sharedRows are the defences of the processor where several work on one queue.
// The simulation sees to them.
func sharedRows() []row {
	const (
		pkg      = "./internal/simulation/queue"
		test     = "TestSchedules"
		run      = "notify/processor.go"
		schedule = "notify/schedule.go"
		lane     = "notify/schedule_lane.go"
		share    = "notify/schedule_share.go"
		load     = "notify/schedule_load.go"
		settle   = "notify/schedule_settle.go"
		feed     = "notify/schedule_feed.go"
	)
	return []row{
		{
			defence: "a lane has one item at work",
			file:    schedule,
			old:     "for l.running == nil && l.head == nil",
			new:     "for l.head == nil",
			pkg:     pkg, test: test,
		},
		{
			defence: "data that is ready lets a permission change go first",
			file:    schedule,
			old:     "		if !s.mayBegin(t.lane) {\n",
			new:     "		if false && !s.mayBegin(t.lane) {\n",
			pkg:     "./notify", test: "TestReadyDataLetsAccountGoFirst",
		},
		{
			defence: "what came after a deregistration stays behind it",
			file:    feed,
			old:     "	for a.ended < want {\n",
			new:     "	for false && a.ended < want {\n",
			pkg:     "./notify", test: "TestAccountBeforeWhatCameAfter",
		},
		{
			defence: "what came after a deregistration waits for as long as its scan takes",
			file:    feed,
			old:     "			f.report(\"reading the queue\", errNoAccounts, 0)\n",
			new:     "			return nil\n",
			pkg:     "./notify", test: "TestAccountBeforeWhatCameAfter/nearly_hangs",
		},
		{
			defence: "an item that waits holds what it touches",
			file:    schedule,
			old:     "	case retry:\n		sh.hold(t.e)\n",
			new:     "	case retry:\n",
			pkg:     pkg, test: test,
		},
		{
			defence: "what touches the same stays behind",
			file:    lane,
			old:     "	if !ok || owner == e.id {\n		return false",
			new:     "	if true || !ok || owner == e.id {\n		return false",
			pkg:     pkg, test: test,
		},
		{
			defence: "the first of those behind goes on",
			file:    lane,
			old:     "	sh.find(next)\n",
			new:     "	_ = next\n",
			pkg:     pkg, test: test,
		},
		{
			defence: "nothing of a share begins that is to be released",
			file:    share,
			old:     "	sh.closing = true\n",
			new:     "	sh.closing = false\n",
			pkg:     pkg, test: test,
		},
		{
			defence: "what could not be read is asked for again",
			file:    load,
			old:     "			sh.wants[which] = append(sh.wants[which], id)\n		}\n	}\n}\n",
			new:     "			_ = id\n		}\n	}\n}\n",
			pkg:     pkg, test: test,
		},
		{
			defence: "verdicts that the queue did not take are offered again",
			file:    settle,
			old:     "	if err := sh.share.Settle(ctx, batch); err != nil {\n		return true, err",
			new:     "	if err := sh.share.Settle(ctx, batch); errors.Is(err, ErrLost) {\n		return true, err",
			pkg:     pkg, test: test,
		},
		{
			defence: "a share is released with all verdicts recorded",
			file:    run,
			old:     "	if right.Err() == nil {\n		last",
			new:     "	if false && right.Err() == nil {\n		last",
			pkg:     pkg, test: test,
		},
		{
			defence: "a share is released when nothing of it runs",
			file:    run,
			old:     "	case <-quiet:\n		share.Release()\n	default:",
			new:     "	case <-quiet:\n		share.Release()\n	case <-feed.Done():\n		share.Release()\n	default:",
			pkg:     pkg, test: test,
		},
		{
			defence: "a share that is wanted is given back",
			file:    run,
			old:     "	case <-share.Wanted():\n",
			new:     "",
			pkg:     pkg, test: test,
		},
		{
			defence: "attempts end with the right to their share",
			file:    run,
			old:     "	sh.ctx, cancel = context.WithCancelCause(r.ctx)",
			new:     "	_, cancel = context.WithCancelCause(r.ctx)\n	sh.ctx = r.ctx",
			pkg:     pkg, test: test,
		},
		{
			defence: "new items are looked for when the queue says so",
			file:    feed,
			old:     "				signal(sh.news[which])\n",
			new:     "				_ = which\n",
			pkg:     pkg, test: test,
		},
	}
}
