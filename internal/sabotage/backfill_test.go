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
				{"backfill/memlimiter.go", `	days int
	once sync.Once`, `	days int
	sent time.Time
	once sync.Once`},
				{"backfill/memlimiter.go", `g.l.holdFor(g.days, minute+margin) }) }
func (g *grant) Lost`, `g.l.holdFor(g.days, minute+margin-time.Since(g.sent)) }) }
func (g *grant) Lost`},
			},
			pkg: "./backfill", test: "TestMemoryLimiter/^HeldUntilAMinuteAfterDone$",
		},
		{
			defence: "F37 the same, seen at the server",
			file:    "backfill/memlimiter.go",
			old:     "return &grant{l: l, days: days}, nil",
			new:     "return &grant{l: l, days: days, sent: time.Now()}, nil",
			also: []edit{
				{"backfill/memlimiter.go", `	days int
	once sync.Once`, `	days int
	sent time.Time
	once sync.Once`},
				{"backfill/memlimiter.go", `g.l.holdFor(g.days, minute+margin) }) }
func (g *grant) Lost`, `g.l.holdFor(g.days, minute+margin-time.Since(g.sent)) }) }
func (g *grant) Lost`},
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
			old:     "\tg.once.Do(func() {",
			new:     "\tfunc() {",
			also: []edit{
				{"backfill/memlimiter.go", `		g.l.pump()
	})
}

func (g *grant) Done`, `		g.l.pump()
	}()
}

func (g *grant) Done`},
			},
			pkg: "./backfill", test: "TestMemoryLimiter/^FirstCallCounts$",
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
			old:     "wait := max(retryAfter, minute+margin)",
			new:     "wait := minute + margin",
			pkg:     "./backfill", test: "TestMemoryLimiter/^LimitedRetryAfter$",
		},
		{
			defence: "F37 a run tells the limiter of 429",
			file:    "backfill/job.go",
			old:     "grant.Limited(a.retryAfter)",
			new:     "grant.Done()",
			pkg:     "./backfill", test: "TestLimitedWaits",
		},
		{
			defence: "F37 a run tells the limiter of a lost answer",
			file:    "backfill/job.go",
			old:     "grant.Lost()",
			new:     "grant.Cancel()",
			pkg:     "./backfill", test: "TestCancel",
		},
		{
			defence: "F37 a lost answer is not taken for an answer",
			file:    "backfill/job.go",
			old:     "grant.Lost()",
			new:     "grant.Done()",
			pkg:     "./backfill", test: "TestRunFiveYears",
		},
		{
			defence: "F37 after a restart what was asked for counts",
			file:    "backfill/run.go",
			old:     "\t\t\tif err := r.Restore(ctx, ledger); err != nil {",
			new:     "\t\t\tif err := r.Restore(ctx, NewLedger()); err != nil {",
			pkg:     "./backfill", test: "TestRestarts",
		},
		{
			defence: "F37 after a restart every attempt counts",
			file:    "backfill/memlimiter.go",
			old:     "Cost(c.Window) * max(1, c.Attempts)",
			new:     "Cost(c.Window)",
			pkg:     "./backfill", test: "TestRestore",
		},
		{
			defence: "F37 after a restart a request without answer is held longer",
			file:    "backfill/memlimiter.go",
			old:     "h.until = now.Add(lateness + minute + margin)",
			new:     "h.until = c.Requested.Add(minute + margin)",
			pkg:     "./backfill", test: "TestRestore",
		},
		{
			defence: "F37 a clock that was set back",
			file:    "backfill/memlimiter.go",
			old: `		case c.Answered.After(now): // the clock was set back
			h.until = now.Add(minute + margin)
`,
			new: "",
			pkg: "./backfill", test: "TestRestore",
		},
		{
			defence: "F37 Restore counts once",
			file:    "backfill/memlimiter.go",
			old: `	if l.restored[ledger] {
		return nil
	}
`,
			new: "",
			pkg: "./backfill", test: "TestRestore",
		},
		{
			defence: "F37 a chunk is 30 days at most",
			file:    "backfill/plan.go",
			old:     "days = max(1, min(days, MaxDays))",
			new:     "days = max(1, days)",
			pkg:     "./backfill", test: "FuzzChunks",
		},
		{
			defence: "F37 31 days cannot be asked for, by any layer",
			file:    "backfill/user.go",
			old:     "min(v.ChunkDays, MaxDays, limiter.DaysPerMinute())",
			new:     "min(v.ChunkDays, limiter.DaysPerMinute())",
			also: []edit{
				{"backfill/plan.go", "days = max(1, min(days, MaxDays))", "days = max(1, days)"},
			},
			pkg: "./backfill", test: "TestPlan",
		},
		{
			defence: "F37 a chunk costs no more than the limit",
			file:    "backfill/user.go",
			old:     "min(v.ChunkDays, MaxDays, limiter.DaysPerMinute())",
			new:     "min(v.ChunkDays, MaxDays)",
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
				return j.settle(c, Accepted)
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
				return j.settle(c, Accepted)
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
		c.State = Planned
	}`,
			new: "\tc.InDoubt, c.State = time.Time{}, Planned",
			pkg: "./backfill", test: "TestAnswers/^lost_answer,_429",
		},
		{
			defence: "F36 a chunk in doubt is asked for as it was",
			file:    "backfill/draft.go",
			old: `	if !c.InDoubt.IsZero() {
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
		part(w, Hole)
	}
`,
			new: "",
			pkg: "./backfill", test: "TestAnswers/^409_that_covers_a_part$",
		},
		{
			defence: "F37 a 409 for another range is a hole",
			file:    "backfill/job.go",
			old: `		part(c.Window, Hole)
`,
			new: `		part(c.Window, Duplicate)
`,
			pkg: "./backfill", test: "TestAnswers/^409_of_another_range$",
		},
		{
			defence: "F37 holes are not asked for again",
			file:    "backfill/ledger.go",
			old:     "case Accepted, Duplicate, Hole:",
			new:     "case Accepted, Duplicate:",
			pkg:     "./backfill", test: "TestRunAgain",
		},
		{
			defence: "F37 unless FillHoles says so",
			file:    "backfill/draft.go",
			old:     "c.State == Hole && o.FillHoles",
			new:     "c.State == Hole && false",
			pkg:     "./backfill", test: "TestRunAgain",
		},
		{
			defence: "F38 a request is in the ledger before it is sent",
			file:    "backfill/job.go",
			old: `	if err := j.save(c); err != nil {
		grant.Cancel()
		return answer{}, err
	}
	a := `,
			new: "\ta := ",
			pkg: "./backfill", test: "TestLedgerFails",
		},
		{
			defence: "F38 the same, by crashes",
			file:    "backfill/job.go",
			old: `	if err := j.save(c); err != nil {
		grant.Cancel()
		return answer{}, err
	}
	a := `,
			new: "\ta := ",
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
			old:     "j.ledger.Save(context.WithoutCancel(j.ctx), chunks...)",
			new:     "j.ledger.Save(j.ctx, chunks...)",
			pkg:     "./backfill", test: "TestAnswerOutlivesTheRun",
		},
		{
			defence: "F38 what is settled is not asked for again",
			file:    "backfill/ledger.go",
			old:     "case Accepted, Duplicate, Hole:",
			new:     "case Duplicate, Hole:",
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
			file:    "backfill/run.go",
			old: `			for range r.events {
			}`,
			new: `			go func() {
				for range r.events {
				}
			}()`,
			pkg: "./backfill", test: "TestPause",
		},
		{
			defence: "F38 leaving the loop begins nothing new",
			file:    "backfill/run.go",
			old: `			stop(errPaused)
`,
			new: `			_ = errPaused
`,
			pkg: "./backfill", test: "TestPause",
		},
		{
			defence: "F38 two runs for one user",
			file:    "backfill/memledger.go",
			old: `	if b.busy[userID] {
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
			file:    "backfill/job.go",
			old: `rest, err := j.clip(c, at, a)
`,
			new: `rest, err := j.clip(c, c.Window.End, a)
`,
			pkg: "./backfill", test: "TestAnswers/^too_early:_clipped",
		},
		{
			defence: "F39 what lies before is not asked for",
			file:    "backfill/job.go",
			old: `			j.learn(c.Kind, a.earliest)
`,
			new: "",
			pkg: "./backfill", test: "TestAnswers/^too_early:_clipped",
		},
		{
			defence: "F39 a limit that moves is not run after",
			file:    "backfill/job.go",
			old:     " || clips > 2:",
			new:     " || clips > 20:",
			pkg:     "./backfill", test: "TestAnswers/^too_early,_by_a_limit_that_moves$",
		},
		{
			defence: "F39 a limit that makes no sense",
			file:    "backfill/job.go",
			old:     "case !at.After(c.Window.Start) || clips > 2:",
			new:     "case clips > 2:",
			pkg:     "./backfill", test: "TestAnswers/^too_early,_though_it_is_not$",
			flags: []string{"-timeout=20s"},
		},
		{
			defence: "F39 what lies too early is settled",
			file:    "backfill/ledger.go",
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
			old: `			if err := j.refuse(c, ReasonUnauthorized, a.message); err != nil {
				return err
			}
			return a.err`,
			new: `			if err := j.refuse(c, ReasonUnauthorized, a.message); err != nil {
				return err
			}`,
			pkg: "./backfill", test: "TestAnswers/^token_",
		},
		{
			defence: "and not the others",
			file:    "backfill/run.go",
			old: `		r.Logger.Warn("backfill: user stopped", "user", user.ID, "err", err)
`,
			new: `		r.Logger.Warn("backfill: user stopped", "user", user.ID, "err", err)
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
			j.Logger`,
			new: `case limited:
			if true {
				return j.refuse(c, ReasonOther, a.message)
			}
			j.Logger`,
			pkg: "./backfill", test: "TestAnswers/^429,_then_409",
		},
		{
			defence: "failures pause",
			file:    "backfill/job.go",
			old: `			if err := pause(j.begin, failures); err != nil {
				return err
			}
`,
			new: "",
			pkg: "./backfill", test: "TestBackOff",
		},
		{
			defence: "failures end",
			file:    "backfill/job.go",
			old:     "if failures++; failures >= j.Tries {",
			new:     "if failures++; failures >= 2*j.Tries {",
			pkg:     "./backfill", test: "TestAnswers/^500_without_end$",
		},
		{
			defence: "a 5xx is not a refusal",
			file:    "backfill/answer.go",
			old: `	default:
		a.verdict = failed
`,
			new: `	default:
		a.verdict = refused
`,
			pkg: "./backfill", test: "TestAnswers/^500,_then_409",
		},
		{
			defence: "F14 F16 a save is synced",
			file:    "backfill/fileledger.go",
			old: `		if err = l.sync(l.file); err == nil {
			l.synced = upTo
		}
`,
			new: `		l.synced = upTo
`,
			pkg: "./backfill", test: "TestFileLedgerPowerCut",
		},
		{
			defence: "F16 a rewritten log is synced",
			file:    "backfill/fileledger.go",
			old: `	if err == nil {
		err = l.sync(next)
	}
`,
			new: "",
			pkg: "./backfill", test: "TestFileLedgerPowerCut",
		},
		{
			defence: "F16 the directory is synced (backfill)",
			file:    "backfill/fileledger.go",
			old: `	if err == nil {
		err = l.syncDir(l.dir)
	}
`,
			new: "",
			pkg: "./backfill", test: "TestFileLedgerPowerCut",
		},
		{
			defence: "F16 what a crash left is synced before it is built on",
			file:    "backfill/fileledger.go",
			old: `	return l.sync(l.file)
}

// perUser`,
			new: `	return nil
}

// perUser`,
			pkg: "./backfill", test: "TestFileLedgerPowerCut",
		},
		{
			defence: "F16 a ledger that failed stays failed",
			file:    "backfill/fileledger.go",
			old: `	l.err = fmt.Errorf("backfill: ledger failed: %w", err)
	return l.err`,
			new: `	return fmt.Errorf("backfill: ledger failed: %w", err)`,
			pkg: "./backfill", test: "TestFileLedgerFailsForGood",
		},
		{
			defence: "F16 a failed write is told",
			file:    "backfill/fileledger.go",
			old: `	_, err := l.file.Write(out)
`,
			new: `	var err error
	l.file.Write(out)
`,
			pkg: "./backfill", test: "TestFileLedgerSyncFails",
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
			file:    "backfill/fileledger.go",
			old: `	if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	if _, err := l.file.Seek(l.size, io.SeekStart); err != nil {`,
			new: "\tif _, err := l.file.Seek(0, io.SeekEnd); err != nil {",
			pkg: "./backfill", test: "TestFileLedgerTornAnywhere",
		},
		{
			defence: "F17 a half rewrite is no log",
			file:    "backfill/fileledger.go",
			old: `os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	size`,
			new: `os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	size`,
			pkg: "./backfill", test: "TestFileLedgerIgnoresHalfRewrite",
		},
		{
			defence: "F18 each record has a checksum (backfill)",
			file:    "backfill/replay.go",
			old:     "if checksum(buf) != sum || rec.parse(buf) != nil {",
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
			file:    "backfill/fileledger.go",
			old:     "\t\tif err := os.Link(path, kept); err != nil {",
			new:     `		if kept == "" {`,
			pkg:     "./backfill", test: "TestFileLedgerBitFlips",
		},
		{
			defence: "F18 damage is logged (backfill)",
			file:    "backfill/fileledger.go",
			old: `		l.logger.Warn("backfill: ledger was damaged", "records lost at", r.lostAt, "bytes", r.lost)
`,
			new: "",
			pkg: "./backfill", test: "TestFileLedgerBitFlips",
		},
		{
			defence: "a second process",
			file:    "backfill/fileledger.go",
			old: `	if !ok {
		return fmt.Errorf("%s is in use", l.dir)
	}
`,
			new: `	_ = ok
`,
			pkg: "./backfill", test: "TestFileLedgerInUse",
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
