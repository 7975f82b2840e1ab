package sabotage

// backfillRows are the defences of packages backfill and backfilltest.
func backfillRows() []row {
	return []row{
		{
			defence: "F37 days are held until a minute after the answer",
			file:    "backfill/memlimiter.go",
			old:     "return &grant{l: l, days: days}, nil",
			new:     "return &grant{l: l, days: days, sent: time.Now()}, nil",
			also: []edit{
				{"backfill/memlimiter.go", "	ended bool // l.mu", "	ended bool // l.mu\n\tsent time.Time"},
				{"backfill/memlimiter.go", `	case FateAnswered:
		g.l.holdFor(g.days, minute+margin)`, `	case FateAnswered:
		g.l.holdFor(g.days, minute+margin-time.Since(g.sent))`},
			},
			pkg: "./backfill", test: "TestMemoryLimiter/^HeldUntilAMinuteAfterTheAnswer$",
		},
		{
			defence: "F37 the same, seen at the server",
			file:    "backfill/memlimiter.go",
			old:     "return &grant{l: l, days: days}, nil",
			new:     "return &grant{l: l, days: days, sent: time.Now()}, nil",
			also: []edit{
				{"backfill/memlimiter.go", "	ended bool // l.mu", "	ended bool // l.mu\n\tsent time.Time"},
				{"backfill/memlimiter.go", `	case FateAnswered:
		g.l.holdFor(g.days, minute+margin)`, `	case FateAnswered:
		g.l.holdFor(g.days, minute+margin-time.Since(g.sent))`},
			},
			pkg: "./backfill", test: "TestSaturated/^50ms-10s_with_stalls,_lost_0$",
		},
		{
			defence: "F37 the window slides: no token bucket",
			file:    "backfill/memlimiter.go",
			old:     "\theap.Push(&l.held, hold{time.Now().Add(d), days})",
			new: `	for i := range days { // a bucket that fills evenly
		heap.Push(&l.held, hold{time.Now().Add(d * time.Duration(i+1) / time.Duration(l.budget)), 1})
	}`,
			pkg: "./backfill", test: "TestMemoryLimiter/^Budget$",
		},
		{
			defence: "F37 a token bucket, in any minute",
			file:    "backfill/memlimiter.go",
			old:     "\theap.Push(&l.held, hold{time.Now().Add(d), days})",
			new: `	for i := range days { // a bucket that fills evenly
		heap.Push(&l.held, hold{time.Now().Add(d * time.Duration(i+1) / time.Duration(l.budget)), 1})
	}`,
			pkg: "./backfill", test: "TestMemoryLimiter/^AnyMinute$",
		},
		{
			defence: "F37 a minute is not 59 seconds",
			file:    "backfill/limiter.go",
			old: `minute = time.Minute
`,
			new: `minute = time.Minute - time.Second
`,
			pkg: "./backfill", test: "TestMemoryLimiter",
		},
		{
			defence: "F37 a minute has a margin",
			file:    "backfill/limiter.go",
			old:     "margin = 100 * time.Millisecond",
			new:     "margin = 0",
			pkg:     "./backfill", test: "TestRunFiveYears/^none,_lost_0$",
		},
		{
			defence: "F37 the budget is kept",
			file:    "backfill/memlimiter.go",
			old:     "if l.used+c.days > l.budget {",
			new:     "if l.used+c.days > l.budget+1 {",
			pkg:     "./backfill", test: "TestMemoryLimiter/^Budget$",
		},
		{
			defence: "F37 more days than the budget are refused",
			file:    "backfill/memlimiter.go",
			old:     "if days < 1 || days > l.budget {",
			new:     "if days < 1 {",
			pkg:     "./backfill", test: "TestMemoryLimiter/^BadDays$",
		},
		{
			defence: "F37 a lost answer is held longer",
			file:    "backfill/limiter.go",
			old:     "lateness = 30 * time.Second",
			new:     "lateness = 0",
			pkg:     "./backfill", test: "TestMemoryLimiter/^LostIsHeldLonger$",
		},
		{
			defence: "F37 a grant is given back once",
			file:    "backfill/memlimiter.go",
			old:     "\tif g.ended {",
			new:     "\tif false {",
			pkg:     "./backfill", test: "TestMemoryLimiter/^FirstEndCounts$",
		},
		{
			defence: "F37 a call given up just then holds nothing",
			file:    "backfill/memlimiter.go",
			old: `		l.used -= days
	default:`,
			new: "\tdefault:",
			pkg: "./backfill", test: "TestMemoryLimiter/^GivenUpJustThen$",
		},
		{
			defence: "F37 users are served in turn",
			file:    "backfill/memlimiter.go",
			old: `		l.turns.MoveToBack(q.turn)
`,
			new: "",
			pkg: "./backfill", test: "TestMemoryLimiter/^UsersInTurn$",
		},
		{
			defence: "F37 large requests are not starved",
			file:    "backfill/memlimiter.go",
			old: `		if l.used+c.days > l.budget {
			break
		}`,
			new: `		if l.used+c.days > l.budget {
			if q.turn.Next() == nil {
				break
			}
			q = q.turn.Next().Value.(*queue)
			if c = q.calls.Front().Value.(*call); l.used+c.days > l.budget {
				break
			}
		}`,
			pkg: "./backfill", test: "TestMemoryLimiter/^LargeIsNotStarved$",
		},
		{
			defence: "F37 429 stops all",
			file:    "backfill/memlimiter.go",
			old: `			g.l.blocked = until
`,
			new: "",
			pkg: "./backfill", test: "TestMemoryLimiter/^LimitedStopsAll$",
		},
		{
			defence: "F37 Retry-After is kept",
			file:    "backfill/memlimiter.go",
			old:     "min(max(o.RetryAfter, minute+margin), maxWait)",
			new:     "minute + margin",
			pkg:     "./backfill", test: "TestMemoryLimiter/^LimitedRetryAfter$",
		},
		{
			defence: "Retry-After is bounded",
			file:    "backfill/memlimiter.go",
			old:     "min(max(o.RetryAfter, minute+margin), maxWait)",
			new:     "max(o.RetryAfter, minute+margin)",
			pkg:     "./backfill", test: "TestMemoryLimiter/^LimitedIsBounded$",
		},
		{
			defence: "F37 a run tells the limiter of 429",
			file:    "backfill/answer.go",
			old:     "a.request = FateLimited",
			new:     "a.request = FateAnswered",
			also:    []edit{{"backfill/answer.go", "case a.request == FateLimited:", "case errors.Is(err, activity.ErrRateLimited):"}},
			pkg:     "./backfill", test: "TestLimitedWaits",
		},
		{
			defence: "F37 a run tells the limiter of a lost answer",
			file:    "backfill/request.go",
			old:     "Outcome{Request: a.request,",
			new:     "Outcome{Request: max(a.request, FateLost+1),",
			pkg:     "./backfill", test: "TestCancel",
		},
		{
			defence: "F37 a lost answer is not taken for an answer",
			file:    "backfill/request.go",
			old:     "Outcome{Request: a.request,",
			new:     "Outcome{Request: min(a.request, FateAnswered),",
			pkg:     "./backfill", test: "TestRunFiveYears",
		},
		{
			defence: "F37 after a restart what was asked for counts",
			file:    "backfill/memlimiter.go",
			old:     "if l.ledger == nil || l.restored.Load() {",
			new:     "if true {",
			pkg:     "./backfill", test: "TestRestarts",
		},
		{
			defence: "F37 after a restart every attempt counts",
			file:    "backfill/memlimiter.go",
			old:     "hold{last.Add(lateness + minute + margin), days * unanswered}",
			new:     "hold{last.Add(lateness + minute + margin), days}",
			pkg:     "./backfill", test: "TestRestore",
		},
		{
			defence: "F37 after a restart a request without answer is held longer",
			file:    "backfill/memlimiter.go",
			old:     "hold{last.Add(lateness + minute + margin), days * unanswered}",
			new:     "hold{last.Add(minute + margin), days * unanswered}",
			pkg:     "./backfill", test: "TestRestore",
		},
		{
			defence: "F37 after a restart the attempts before an answer count as long as any without one",
			file:    "backfill/memlimiter.go",
			old: `			unanswered--
`,
			new: "\t\t\tunanswered = 0\n",
			pkg: "./backfill", test: "TestRestore",
		},
		{
			defence: "F37 a clock that was set back",
			file:    "backfill/memlimiter.go",
			old:     "if c.Answered.Before(now) {",
			new:     "{",
			pkg:     "./backfill", test: "TestRestore",
		},
		{
			defence: "F37 what was asked for counts once",
			file:    "backfill/memlimiter.go",
			old:     "if l.ledger == nil || l.restored.Load() {",
			new:     "if l.ledger == nil {",
			also:    []edit{{"backfill/memlimiter.go", "\tif l.restored.Load() {\n\t\treturn nil\n\t}\n", ""}},
			pkg:     "./backfill", test: "TestRestore",
		},
		{
			defence: "F37 a chunk is 30 days at most",
			file:    "backfill/plan.go",
			old:     "days = max(1, min(days, maxDays))",
			new:     "days = max(1, days)",
			pkg:     "./backfill", test: "FuzzChunks",
		},
		{
			defence: "F37 31 days cannot be asked for, by any layer",
			file:    "backfill/runner.go",
			old:     "min(r.opts.ChunkDays, maxDays, limiter.DaysPerMinute())",
			new:     "min(r.opts.ChunkDays, limiter.DaysPerMinute())",
			also: []edit{
				{"backfill/plan.go", "days = max(1, min(days, maxDays))", "days = max(1, days)"},
			},
			pkg: "./backfill", test: "TestPlan",
		},
		{
			defence: "F37 a chunk costs no more than the limit",
			file:    "backfill/runner.go",
			old:     "min(r.opts.ChunkDays, maxDays, limiter.DaysPerMinute())",
			new:     "min(r.opts.ChunkDays, maxDays)",
			pkg:     "./backfill", test: "TestPlan",
		},
		{
			defence: "F37 chunks share no second",
			file:    "backfill/plan.go",
			old: `		end = start
`,
			new: `		end = start.Add(time.Second)
		if !start.After(w.Start) {
			break
		}
`,
			pkg: "./backfill", test: "FuzzChunks",
		},
		{
			defence: "F37 chunks leave no second out",
			file:    "backfill/plan.go",
			old: `		end = start
`,
			new: `		end = start.Add(-time.Second)
`,
			pkg: "./backfill", test: "FuzzChunks",
		},
		{
			defence: "F37 chunks are cut at midnight",
			file:    "backfill/plan.go",
			old:     "start := floorDay(end.Add(-time.Second)).Add(-time.Duration(days-1) * day)",
			new:     "start := end.Add(-time.Duration(days) * day)",
			pkg:     "./backfill", test: "FuzzChunks",
		},
		{
			defence: "F37 dates are charged, both ends included",
			file:    "backfill/plan.go",
			old:     "return int((floorDay(w.End.Add(-time.Second)).Unix()-floorDay(w.Start).Unix())/86400) + 1",
			new:     "return int((w.End.Unix() - w.Start.Unix() + 86399) / 86400)",
			pkg:     "./backfill", test: "TestCost",
		},
		{
			defence: "F36 a 409 after a lost answer means accepted",
			file:    "backfill/job.go",
			old: `			if ours {
				return j.settle(c, StateAccepted)
			}
`,
			new: `			_ = ours
`,
			pkg: "./backfill", test: "TestAnswers/^lost_answer,_then_409_of_this_range",
		},
		{
			defence: "F36 on the fake",
			file:    "backfill/job.go",
			old: `			if ours {
				return j.settle(c, StateAccepted)
			}
`,
			new: `			_ = ours
`,
			pkg: "./backfill", test: "TestOnFake",
		},
		{
			defence: "F36 a 409 without a lost answer does not",
			file:    "backfill/job.go",
			old:     "ours := unsure && same",
			new:     "ours := same",
			pkg:     "./backfill", test: "TestAnswers/^(409_that_covers|429,_then_409|not_sent,_then_409)",
		},
		{
			defence: "F36 a 409 for another range does not",
			file:    "backfill/job.go",
			old:     "ours := unsure && same(a.earlier, c.Window) &&",
			new:     "ours := unsure &&",
			pkg:     "./backfill", test: "TestAnswers/^lost_answer,_then_409_of_another_range$",
		},
		{
			defence: "F36 a 409 of long ago does not",
			file:    "backfill/job.go",
			old: ` &&
				(a.processed.IsZero() || a.processed.After(since.Add(-skew)))`,
			new: `
			_ = skew`,
			pkg: "./backfill", test: "TestAnswers/long_ago",
		},
		{
			defence: "F36 the end of Garmin's range is its last second",
			file:    "backfill/answer.go",
			old: `		w.End = w.End.Add(time.Second)
`,
			new: "",
			pkg: "./backfill", test: "TestAnswers",
		},
		{
			defence: "F36 429 between does not settle the doubt",
			file:    "backfill/job.go",
			old: `	if c.InDoubt = since; since.IsZero() {
		c.State = StatePlanned
	}`,
			new: "\tc.InDoubt, c.State = time.Time{}, StatePlanned",
			pkg: "./backfill", test: "TestAnswers/^lost_answer,_429",
		},
		{
			defence: "F36 a chunk in doubt is asked for as it was",
			file:    "backfill/draft.go",
			old: `	if !c.InDoubt.IsZero() && Cost(c.Window) <= limit {
		p.Chunks = append(p.Chunks, c)
		return
	}
`,
			new: "",
			pkg: "./backfill", test: "TestRunInDoubt",
		},
		{
			defence: "F36 a chunk in doubt comes first",
			file:    "backfill/draft.go",
			old: `			-cmp.Compare(asked(a), asked(b)),
`,
			new: "",
			pkg: "./backfill", test: "TestRunInDoubt",
		},
		{
			defence: "F37 a 409 that covers a part leaves a hole",
			file:    "backfill/job.go",
			old: `	for _, w := range subtract(c.Window, []types.Window{covered}) {
		part(w, StateHole)
	}
`,
			new: "",
			pkg: "./backfill", test: "TestAnswers/^409_that_covers_a_part$",
		},
		{
			defence: "F37 a 409 for another range is a hole",
			file:    "backfill/job.go",
			old: `		part(c.Window, StateHole)
`,
			new: `		part(c.Window, StateDuplicate)
`,
			pkg: "./backfill", test: "TestAnswers/^409_of_another_range$",
		},
		{
			defence: "F37 holes are not asked for again",
			file:    "backfill/chunk.go",
			old:     "case StateAccepted, StateDuplicate, StateHole:",
			new:     "case StateAccepted, StateDuplicate:",
			pkg:     "./backfill", test: "TestRunAgain",
		},
		{
			defence: "F37 unless FillHoles says so",
			file:    "backfill/draft.go",
			old:     "c.State == StateHole && r.opts.FillHoles",
			new:     "c.State == StateHole && false",
			pkg:     "./backfill", test: "TestRunAgain",
		},
		{
			defence: "F38 a request is in the ledger before it is sent",
			file:    "backfill/request.go",
			old: `	if err := j.save(c); err != nil {
		j.end(grant, Outcome{Request: FateNotSent})
		return answer{}, err
	}
`,
			new: "",
			pkg: "./backfill", test: "TestLedgerFails",
		},
		{
			defence: "F38 the same, by crashes",
			file:    "backfill/request.go",
			old: `	if err := j.save(c); err != nil {
		j.end(grant, Outcome{Request: FateNotSent})
		return answer{}, err
	}
`,
			new: "",
			pkg: "./backfill", test: "TestCrashAtEveryStep",
		},
		{
			defence: "F38 an answer is stored",
			file:    "backfill/job.go",
			old: `	c.State, c.InDoubt = s, time.Time{}
	if err := j.save(c); err != nil {
		return err
	}`,
			new: "\tc.State, c.InDoubt = s, time.Time{}",
			pkg: "./backfill", test: "TestCrashAtEveryStep",
		},
		{
			defence: "F38 an answer that came is stored though the run is cancelled",
			file:    "backfill/job.go",
			old:     "j.claim.Save(context.WithoutCancel(j.run.ctx), chunks...)",
			new:     "j.claim.Save(j.run.ctx, chunks...)",
			pkg:     "./backfill", test: "TestAnswerOutlivesTheRun",
		},
		{
			defence: "F38 what is settled is not asked for again",
			file:    "backfill/chunk.go",
			old:     "case StateAccepted, StateDuplicate, StateHole:",
			new:     "case StateDuplicate, StateHole:",
			pkg:     "./backfill", test: "TestCrashAtEveryStep",
		},
		{
			defence: "F38 a plan is stored before it is begun",
			file:    "backfill/run.go",
			old: `	if len(p.fresh) > 0 {
		if`,
			new: `	if false {
		if`,
			pkg: "./backfill", test: "TestAnswers/^permission_missing$",
		},
		{
			defence: "F38 leaving the loop waits",
			file:    "backfill/runner.go",
			old: `			for range x.events {
			}
`,
			new: `			go func() {
				for range x.events {
				}
			}()
`,
			pkg: "./backfill", test: "TestPause",
		},
		{
			defence: "F38 leaving the loop begins nothing new",
			file:    "backfill/runner.go",
			old: `			stop(errPaused)
`,
			new: `			_ = errPaused
`,
			pkg: "./backfill", test: "TestPause",
		},
		{
			defence: "F38 two runs for one user",
			file:    "backfill/claim.go",
			old: `	if b.claims[userID] != nil {
		return nil, fmt.Errorf("%w: %s", ErrBusy, userID)
	}
`,
			new: `	_ = fmt.Errorf
`,
			pkg: "./backfill", test: "TestRunBusy",
		},
		{
			defence: "F38 chunks do not overlap",
			file:    "backfill/book.go",
			old:     "if es[j].end > c.Window.Start.Unix() && !replaced(chunks, c.Kind, es[j].start) {",
			new:     "if false {",
			pkg:     "./backfill", test: "TestMemoryLedger",
		},
		{
			defence: "F39 a range too early is clipped",
			file:    "backfill/minimum.go",
			old:     "return j.clip(c, at, a.message)",
			new:     "return j.clip(c, c.Window.End, a.message)",
			pkg:     "./backfill", test: "TestAnswers/^too_early:_clipped",
		},
		{
			defence: "F39 what lies before is not asked for",
			file:    "backfill/minimum.go",
			old:     "\t\tj.learn(c.Kind, at)\n",
			new:     "",
			pkg:     "./backfill", test: "TestAnswers/^too_early:_clipped",
		},
		{
			defence: "F39 a limit that moves is not run after",
			file:    "backfill/minimum.go",
			old:     " || m.answers >= maxMinimum {",
			new:     " {",
			pkg:     "./backfill", test: "TestMinimum/^a_second_later_each_time$",
			flags: []string{"-timeout=20s"},
		},
		{
			defence: "F39 the next second is tried",
			file:    "backfill/minimum.go",
			old:     "if m.seconds++; m.seconds <= maxSeconds {",
			new:     "if m.seconds++; false {",
			pkg:     "./backfill", test: "TestMinimum/^the_start_of_the_chunk_itself$",
		},
		{
			defence: "F39 the next day is tried",
			file:    "backfill/minimum.go",
			old:     "if !next.Before(c.Window.End) {",
			new:     "if true {",
			pkg:     "./backfill", test: "TestMinimum/^its_date$",
		},
		{
			defence: "F39 what lies behind the time that Garmin names stays open",
			file:    "backfill/minimum.go",
			old:     "return j.divide(c, at, ReasonOther, message)",
			new:     "return j.divide(c, at, ReasonMinStart, message)",
			pkg:     "./backfill", test: "TestMinimum/^its_date$",
		},
		{
			defence: "F39 no time is no limit",
			file:    "backfill/minimum.go",
			old:     "if at.IsZero() || start.Sub(at) >= day || yetToCome ||",
			new:     "if at.IsZero() {\n\t\treturn j.clip(c, c.Window.End, a.message)\n\t}\n\tif start.Sub(at) >= day || yetToCome ||",
			pkg:     "./backfill", test: "TestMinimum/^nothing$",
		},
		{
			defence: "F39 a limit that was met makes no sense",
			file:    "backfill/minimum.go",
			old:     "if at.IsZero() || start.Sub(at) >= day || yetToCome ||",
			new:     "if at.IsZero() || yetToCome ||",
			pkg:     "./backfill", test: "TestMinimum/^a_time_long_before$",
		},
		{
			defence: "F39 a limit to come makes no sense",
			file:    "backfill/minimum.go",
			old:     "if at.IsZero() || start.Sub(at) >= day || yetToCome ||",
			new:     "if at.IsZero() || start.Sub(at) >= day ||",
			also:    []edit{{"backfill/minimum.go", "yetToCome := ", "_ = "}},
			pkg:     "./backfill", test: "TestMinimum/^a_time_to_come$",
		},
		{
			defence: "F39 a minimum in a field of its own",
			file:    "activity/minstart.go",
			old:     `(?:time|date)?[a-z_]*`,
			new:     `(?:time|date)?`,
			pkg:     "./backfill", test: "TestMinimumForms",
		},
		{
			defence: "a wall's page settles nothing",
			file:    "backfill/answer.go",
			old:     "case fault == types.FaultNetwork, fault == types.FaultGarmin:",
			new:     "case fault == types.FaultGarmin:",
			also: []edit{
				{"backfill/answer.go", "activity.ErrDuplicate) && (fault == types.FaultItem || !e.Earlier.Start.IsZero())", "activity.ErrDuplicate)"},
			},
			pkg: "./backfill", test: "TestNobodysJudgement/^a_wall's_409$",
		},
		{
			defence: "a 409 without a word of Garmin's settles nothing",
			file:    "backfill/answer.go",
			old:     "activity.ErrDuplicate) && (fault == types.FaultItem || !e.Earlier.Start.IsZero())",
			new:     "activity.ErrDuplicate)",
			pkg:     "./backfill", test: "TestNobodysJudgement/^409_without_a_body$",
		},
		{
			defence: "the application's fault ends the run",
			file:    "backfill/job.go",
			old:     "return refusal{a.err}",
			new:     "return a.err",
			pkg:     "./backfill", test: "TestApplicationsFaultEndsTheRun",
		},
		{
			defence: "F36 a doubt outlives a refusal",
			file:    "backfill/job.go",
			old:     "c.State, c.Reason, c.Detail, c.InDoubt = StateRefused, why, detail, since",
			new:     "c.State, c.Reason, c.Detail, c.InDoubt = StateRefused, why, detail, time.Time{}",
			pkg:     "./backfill", test: "TestDoubtOutlivesARefusal",
		},
		{
			defence: "a doubt beyond the limit holds nobody up",
			file:    "backfill/draft.go",
			old:     "if !c.InDoubt.IsZero() && Cost(c.Window) <= limit {",
			new:     "if !c.InDoubt.IsZero() {",
			pkg:     "./backfill", test: "TestDoubtBeyondTheLimit",
		},
		{
			defence: "a lost claim saves nothing",
			file:    "backfill/claim.go",
			old:     "if c.book.claims[c.userID] != c {",
			new:     "if false {",
			pkg:     "./backfill", test: "TestMemoryLedger/^ForgetEndsTheClaim$",
		},
		{
			defence: "a lost claim ends what is under way",
			file:    "backfill/job.go",
			old:     "\t\tlose(cause)\n",
			new:     "",
			pkg:     "./backfill", test: "TestClaimLost",
		},
		{
			defence: "a lost claim sends nothing more",
			file:    "backfill/job.go",
			old:     "\t\tstop(cause)\n",
			new:     "",
			also: []edit{
				{"backfill/claim.go", "if c.book.claims[c.userID] != c {", "if false {"},
			},
			pkg: "./backfill", test: "TestClaimLost",
		},
		{
			defence: "Forget takes the claim",
			file:    "backfill/memledger.go",
			old:     "\tl.book.loseClaim(userID)\n",
			new:     "",
			pkg:     "./backfill", test: "TestMemoryLedger/^ForgetEndsTheClaim$",
		},
		{
			defence: "Forget is stored",
			file:    "backfill/fileledger.go",
			old:     "\t\tl.pending = appendFrame(l.pending, func(b []byte) []byte { return appendForget(b, userID) })\n\t\tl.last++\n",
			new:     "",
			pkg:     "./backfill", test: "TestFileLedger/^ForgetSurvivesAKill$",
		},
		{
			defence: "who is forgotten leaves the disk",
			file:    "backfill/ledgerdisk.go",
			old:     "r.lost > 0 || r.forgot || l.size > l.full",
			new:     "r.lost > 0 || l.size > l.full",
			pkg:     "./backfill", test: "TestFileLedgerForgets",
		},
		{
			defence: "who connects again gets the history anew",
			file:    "examples/partner/connect.go",
			old:     "if err := p.ledger.Forget(ctx, c.UserID); err != nil {",
			new:     "if err := error(nil); err != nil {",
			pkg:     "./examples/partner", test: "TestHistoryAfterReconnect",
		},
		{
			defence: "a request is sent within its grant's time",
			file:    "backfill/request.go",
			old:     " || !by.IsZero() && time.Now().After(by) {",
			new:     " {",
			also:    []edit{{"backfill/request.go", "if by := grant.SendBy(); ctx", "if ctx"}},
			pkg:     "./backfill", test: "TestSendBy",
		},
		{
			defence: "a request ends within its grant's time",
			file:    "backfill/request.go",
			old:     "if by := grant.EndBy(); !by.IsZero() {",
			new:     "if by := grant.EndBy(); false {",
			pkg:     "./backfill", test: "TestEndBy",
		},
		{
			defence: "a limiter that fails ends the run",
			file:    "backfill/request.go",
			old:     "\t\tj.run.stop(err)\n",
			new:     "",
			pkg:     "./backfill", test: "TestEndFails",
		},
		{
			defence: "F39 what lies too early is settled",
			file:    "backfill/chunk.go",
			old: `		return c.Reason == ReasonMinStart
`,
			new: `		return false
`,
			pkg: "./backfill", test: "TestTooEarlyIsSettled",
		},
		{
			defence: "412 stops this user",
			file:    "backfill/job.go",
			old: `			return &PermissionError{a.permission, a.err}
`,
			new: `			return nil
`,
			pkg: "./backfill", test: "TestAnswers/^permission_missing$",
		},
		{
			defence: "without the permission nothing is asked for",
			file:    "backfill/run.go",
			old: `	if err := r.permitted(user); err != nil {
		return err
	}
`,
			new: "",
			pkg: "./backfill", test: "TestPermissionFirst",
		},
		{
			defence: "401 and 403 stop this user",
			file:    "backfill/job.go",
			old: `			if err := j.refuse(c, since, ReasonUnauthorized, a.message); err != nil {
				return err
			}
			return a.err`,
			new: `			if err := j.refuse(c, since, ReasonUnauthorized, a.message); err != nil {
				return err
			}`,
			pkg: "./backfill", test: "TestAnswers/^token_",
		},
		{
			defence: "and not the others",
			file:    "backfill/run.go",
			old: `		r.runner.opts.Logger.Warn("backfill: user stopped", "user", user.ID, "err", err)
`,
			new: `		r.runner.opts.Logger.Warn("backfill: user stopped", "user", user.ID, "err", err)
		r.stop(err)
`,
			pkg: "./backfill", test: "TestRunAll",
		},
		{
			defence: "a type that is not enabled stops the run",
			file:    "backfill/run.go",
			old: `		r.stop(f.error)
`,
			new: `		_ = f
`,
			pkg: "./backfill", test: "TestRunAllEnds",
			flags: []string{"-timeout=20s"},
		},
		{
			defence: "429 repeats the chunk",
			file:    "backfill/job.go",
			old: `case limited:
			log`,
			new: `case limited:
			if true {
				return j.refuse(c, since, ReasonOther, a.message)
			}
			log`,
			pkg: "./backfill", test: "TestAnswers/^429,_then_409",
		},
		{
			defence: "failures pause",
			file:    "backfill/job.go",
			old: `			if err := pause(j.begin, failures, a.retryAfter); err != nil {
				return err
			}
`,
			new: "",
			pkg: "./backfill", test: "TestBackOff",
		},
		{
			defence: "failures end",
			file:    "backfill/job.go",
			old:     "if failures++; failures >= j.run.runner.opts.Tries {",
			new:     "if failures++; failures >= 2*j.run.runner.opts.Tries {",
			pkg:     "./backfill", test: "TestAnswers/^500_without_end$",
		},
		{
			defence: "a 5xx is not a refusal",
			file:    "backfill/answer.go",
			old:     "a := answer{verdict: failed, request: FateLost, err: err}",
			new:     "a := answer{verdict: refused, request: FateLost, err: err}",
			pkg:     "./backfill", test: "TestAnswers/^500,_then_409",
		},
		{
			defence: "F14 F16 a save is synced",
			file:    "backfill/ledgerdisk.go",
			old:     "l.device.Append(l.file, l.path(logName), l.size, out, sync)",
			new:     "l.device.Append(l.file, l.path(logName), l.size, out, false)",
			pkg:     "./backfill", test: "TestFileLedgerPowerCut",
		},
		{
			defence: "F16 a rewritten log is synced",
			file:    "internal/atomicfile/atomicfile.go",
			old: `		err = sync(f)
`,
			new: "",
			pkg: "./backfill", test: "TestFileLedgerPowerCut",
		},
		{
			defence: "F16 the directory is synced (backfill)",
			file:    "internal/atomicfile/atomicfile.go",
			old:     "return f, SyncDir(root.Open, path.Dir(name), sync)",
			new:     "return f, SyncDir(root.Open, path.Dir(name), func(*os.File) error { return nil })",
			pkg:     "./backfill", test: "TestFileLedgerPowerCut",
		},
		{
			defence: "F16 what a crash left is synced before it is built on",
			file:    "backfill/ledgerdisk.go",
			old:     "l.device.Append(l.file, l.path(logName), l.size, nil, true)",
			new:     "l.device.Append(l.file, l.path(logName), l.size, nil, false)",
			pkg:     "./backfill", test: "TestFileLedgerPowerCut",
		},
		{
			defence: "F16 a file whose sync failed is not synced again",
			file:    "internal/recordlog/recordlog.go",
			old:     "	if err := d.Sync(f); err != nil {",
			new:     "	if err := d.Sync(f); err != nil && d.Sync(f) != nil {",
			pkg:     "./backfill", test: "TestFileLedgerSyncFails",
		},
		{
			defence: "F16 a ledger heals",
			file:    "backfill/ledgerdisk.go",
			old:     "l.sick, l.pending, l.mend, l.synced = nil, nil, time.Time{}, l.last",
			new:     "l.pending, l.mend, l.synced = nil, time.Time{}, l.last\n\tl.err = why",
			pkg:     "./backfill", test: "TestFileLedgerHeals",
		},
		{
			defence: "F16 a ledger that fails says so",
			file:    "backfill/ledgerdisk.go",
			old:     "return fmt.Errorf(\"backfill: ledger failed: %w\", err)\n\t}\n\tl.logger.Warn",
			new:     "return nil\n\t}\n\tl.logger.Warn",
			pkg:     "./backfill", test: "TestFileLedgerHeals",
		},
		{
			defence: "F16 a disk that fails is left alone for a second",
			file:    "backfill/ledgerdisk.go",
			old:     "l.mend = time.Now().Add(mendPause)",
			new:     "l.mend = time.Time{}",
			pkg:     "./backfill", test: "TestFileLedgerHealsSlowly",
		},
		{
			defence: "F16 an arrival that failed is not taken for a repeat",
			file:    "backfill/fileledger.go",
			old:     "case len(l.pending) == 0 && l.sick == nil:",
			new:     "default:",
			pkg:     "./backfill", test: "TestFileLedgerHeals",
		},
		{
			defence: "nothing is acknowledged into a log without a name",
			file:    "internal/recordlog/recordlog.go",
			old:     "	if err := Linked(f, path); err != nil {",
			new:     "	if err := error(nil); err != nil {",
			pkg:     "./backfill", test: "TestFileLedgerRemoved",
		},
		{
			defence: "a removed lock does not give two owners",
			file:    "backfill/ledgerdisk.go",
			old:     "\tif recordlog.Linked(l.lock, l.path(lockName)) != nil {\n\t\treturn l.fail(errTaken)\n\t}\n",
			new:     "",
			pkg:     "./backfill", test: "TestFileLedgerLockRemoved",
		},
		{
			defence: "F16 a write that failed is taken back",
			file:    "internal/recordlog/recordlog.go",
			old:     "errors.Join(f.Truncate(size), d.Sync(f), Linked(f, path))",
			new:     "errors.Join(d.Sync(f), Linked(f, path))",
			pkg:     "./backfill", test: "TestFileLedgerDiskFull",
		},
		{
			defence: "a panic of the requester's ends no process",
			file:    "backfill/request.go",
			old:     "err := guard(\"the requester\", func() error { return j.user.Requester.Backfill(ctx, c.Kind, c.Window) })",
			new:     "err := j.user.Requester.Backfill(ctx, c.Kind, c.Window)",
			also: []edit{
				{"backfill/guard.go", "if v := recover(); v != nil {", "if v := any(nil); v != nil {"},
			},
			pkg: "./backfill", test: "TestPanics",
		},
		{
			defence: "Retry-After of a 503 is kept",
			file:    "backfill/job.go",
			old:     "max(backoff.Wait(failures, time.Second, 2*time.Minute), min(atLeast, maxWait))",
			new:     "backoff.Wait(failures, time.Second, 2*time.Minute)",
			pkg:     "./backfill", test: "TestRetryAfterOfFailures",
		},
		{
			defence: "F16 a failed write is told",
			file:    "backfill/ledgerdisk.go",
			old:     "	case err != nil:\n		return l.heal(err)\n	}\n	l.size",
			new:     "	}\n	l.size",
			pkg:     "./backfill", test: "TestFileLedgerWriteFails",
		},
		{
			defence: "F14 a kill loses no save",
			file:    "backfill/fileledger.go",
			old: `	if l.synced >= mine {
		return nil
	}
	return l.flush(true)`,
			new: `	if l.synced >= mine || mine%1000 != 0 {
		return nil
	}
	return l.flush(true)`,
			pkg: "./backfill", test: "TestKill",
		},
		{
			defence: "F17 a torn end is cut off",
			file:    "internal/recordlog/recordlog.go",
			old: `	if info.Size() > size {
		if err := f.Truncate(size); err != nil {
			return false, err
		}
	}
`,
			new: "\tsize = info.Size()\n",
			pkg: "./backfill", test: "TestFileLedgerTornAnywhere",
		},
		{
			defence: "F17 a half rewrite is no log",
			file:    "internal/atomicfile/atomicfile.go",
			old:     "const flags = os.O_RDWR | os.O_CREATE | os.O_EXCL",
			new:     "const flags = os.O_RDWR | os.O_CREATE",
			pkg:     "./backfill", test: "TestFileLedgerIgnoresHalfRewrite",
		},
		{
			defence: "F18 each record has a checksum (backfill)",
			file:    "backfill/replay.go",
			old:     "if recordlog.Checksum(buf) != sum || rec.parse(buf) != nil {",
			new:     "if _ = sum; rec.parse(buf) != nil {",
			pkg:     "./backfill", test: "TestFileLedgerBitFlips",
		},
		{
			defence: "F18 damage does not hide what comes after (backfill)",
			file:    "backfill/replay.go",
			old: `		next, err := r.resync(size, &rec)
`,
			new: `		next, err := int64(-1), error(nil)
`,
			pkg: "./backfill", test: "TestFileLedgerBitFlips",
		},
		{
			defence: "F18 a damaged log is kept",
			file:    "backfill/ledgerdisk.go",
			old:     "\t\tif err := l.root.Link(logName, kept); err != nil {",
			new:     `		if kept == "" {`,
			pkg:     "./backfill", test: "TestFileLedgerBitFlips",
		},
		{
			defence: "F18 damage is logged (backfill)",
			file:    "backfill/ledgerdisk.go",
			old: `		l.logger.Warn("backfill: ledger was damaged", "records lost at", r.lostAt, "bytes", r.lost)
`,
			new: "",
			pkg: "./backfill", test: "TestFileLedgerBitFlips",
		},
		{
			defence: "a second process",
			file:    "backfill/ledgerdisk.go",
			old:     "if !ok || recordlog.Linked(l.lock, l.path(lockName)) != nil {",
			new:     "if _ = ok; recordlog.Linked(l.lock, l.path(lockName)) != nil {",
			pkg:     "./backfill", test: "TestFileLedgerInUse",
		},
		{
			defence: "another file is not taken for a ledger",
			file:    "backfill/replay.go",
			old:     "\t} else if string(head[:n]) != logHeader {",
			new:     "\t} else if n < 0 {",
			pkg:     "./backfill", test: "TestOpenLedgerErrors",
		},
		{
			defence: "arrivals count once",
			file:    "backfill/book.go",
			old: `	if found {
		return false
	}
`,
			new: `	_ = found
`,
			pkg: "./backfill", test: "TestMemoryLedger",
		},
	}
}
