package sabotage

// serviceRows are what package service does when a part fails and when it stops.
func serviceRows() []row {
	const (
		dir = "activity/service/"
		pkg = "./activity/service"
	)
	return []row{
		{
			defence: "service: a part that fails or ends closes the intake",
			file:    dir + "service.go",
			old:     "s.intake.close()\n\tnow,",
			new:     "now,",
			pkg:     pkg, test: "TestTroubles/^tokens_work_(fails|returns)$",
		},
		{
			defence: "service: not ready before the intake closes",
			file:    dir + "service.go",
			old:     "s.become(stateStopping, nil)\n",
			new:     "",
			pkg:     pkg, test: "TestReadyTurnsFirst",
		},
		{
			defence: "service: the intake goes on for the delay",
			file:    dir + "service.go",
			old:     "t := time.NewTimer(s.opts.ReadyDelay)",
			new:     "t := time.NewTimer(0)",
			pkg:     pkg, test: "TestReadyTurnsFirst",
		},
		{
			defence: "service: a part that panics is a failure and no crash",
			file:    dir + "part.go",
			old:     "if v := recover(); v != nil {",
			new:     "if v := any(nil); v != nil {",
			pkg:     pkg, test: "TestTroubles/^tokens_work_panics$",
		},
		{
			defence: "service: a goroutine that is ended is a failure",
			file:    dir + "part.go",
			old:     "p.err = errExited\n",
			new:     "",
			pkg:     pkg, test: "TestTroubles/^tokens_work_exits$",
		},
		{
			defence: "service: what hangs is left behind",
			file:    dir + "part.go",
			old:     "case <-t.C:\n\t\treturn &partError{p.name, errHangs}\n",
			new:     "",
			pkg:     pkg, test: "TestTroubles/^tokens_stop_hangs$",
		},
		{
			defence: "F15 service: a body on its way is waited for",
			file:    dir + "service.go",
			old:     `parts = append(parts, start("intake", log, func() error { <-s.intake.empty; return nil }))`,
			new:     "",
			pkg:     pkg, test: "TestBegunIsAnswered",
		},
		{
			defence: "service: the parts outlive ctx by the delay",
			file:    dir + "service.go",
			old:     "context.WithCancel(context.WithoutCancel(ctx))",
			new:     "context.WithCancel(ctx)",
			pkg:     pkg, test: "TestReadyTurnsFirst",
		},
		{
			defence: "service: what hangs for long is no longer alive",
			file:    "notify/schedule_stats.go",
			old:     "c.Hung++",
			new:     "_ = c",
			pkg:     pkg, test: "TestHung",
		},
		{
			defence: "service: a check that hangs is not waited for by Ready",
			file:    dir + "health.go",
			old:     "case !h.begun.IsZero() && now.Sub(h.begun) > checkTimeout:",
			new:     "case false:",
			pkg:     pkg, test: "TestTroubles/^health_work_hangs$",
		},
		{
			defence: "spool: Check sees a disk that takes nothing",
			file:    "notify/spool/check.go",
			old:     "err != nil {\n\t\treturn fmt.Errorf(\"spool: the disk: %w\", err)",
			new:     "false {\n\t\treturn fmt.Errorf(\"spool: the disk: %w\", err)",
			pkg:     "./notify/spool", test: "TestCheck/^(the_disk|a_sync)",
		},
	}
}

// adminRows are what package admin keeps from happening.
func adminRows() []row {
	const (
		dir = "activity/service/admin/"
		pkg = "./activity/service/admin"
	)
	return []row{
		{
			defence: "admin: a request from another site is refused",
			file:    dir + "admin.go",
			old:     "a.guard.Handler(a.mux).ServeHTTP(w, r)",
			new:     "a.mux.ServeHTTP(w, r)",
			pkg:     pkg, test: "TestCrossSite",
		},
		{
			defence: "admin: a count does nothing",
			file:    dir + "act.go",
			old:     "dry := true\n",
			new:     "dry := false\n",
			pkg:     pkg, test: "TestAct",
		},
		{
			defence: "admin: letters that were not counted are left alone",
			file:    dir + "act.go",
			old:     "if !dry && f.Before.IsZero() {",
			new:     "if false {",
			pkg:     pkg, test: "TestErrors",
		},
		{
			defence: "admin: an action is in the audit log",
			file:    dir + "act.go",
			old:     "a.audit.Log(r.Context(), level, text, args...)",
			new:     "_, _ = level, text",
			pkg:     pkg, test: "TestAct",
		},
		{
			defence: "T18 admin: a token in a letter is not shown",
			file:    dir + "redact.go",
			old:     "case secret(key):\n\t\treturn hidden\n",
			new:     "",
			pkg:     pkg, test: "TestRedact",
		},
		{
			defence: "T18 admin: the query of a callback is not shown",
			file:    dir + "redact.go",
			old:     `before, _, query := strings.Cut(value, "?")`,
			new:     `before, query := value, false`,
			pkg:     pkg, test: "TestRedact",
		},
		{
			defence: "admin: values are left out until they are asked for",
			file:    dir + "redact.go",
			old:     "case w.whole || shown[key]:",
			new:     "case w.whole || key != \"\":",
			pkg:     pkg, test: "TestRedact",
		},
		{
			defence: "admin: a search stops in time, whatever it finds",
			file:    dir + "letters.go",
			old:     "if len(found) == most || !time.Now().Before(until) {",
			new:     "if len(found) == most && !time.Now().Before(until) {",
			pkg:     pkg, test: "TestStops",
		},
		{
			defence: "drift: a name that may be somebody's is not told",
			file:    "notify/drift/drift.go",
			old:     "if capitals.MatchString(text) {",
			new:     "if true {",
			pkg:     "./notify/drift", test: "TestReport",
		},
		{
			defence: "drift: strangers fill no memory",
			file:    "notify/drift/drift.go",
			old:     "if len(r.found) >= most {",
			new:     "if false {",
			pkg:     "./notify/drift", test: "TestBounded",
		},
		{
			defence: "silence: a silent key is said alone",
			file:    "notify/silence/detector.go",
			old:     "func (d *Detector) scan() (found []Silence) {\n\tif d.whole.silent || d.whole.missing >= doubt {",
			new:     "func (d *Detector) scan() (found []Silence) {\n\tif false {",
			pkg:     "./notify/silence", test: "TestWholeKeyFirst",
		},
		{
			defence: "silence: the time of a silent key is no user's",
			file:    "notify/silence/detector.go",
			old:     "d.awake -= quiet",
			new:     "d.awake -= 0",
			pkg:     "./notify/silence", test: "TestTimeOfSilentKey",
		},
		{
			defence: "silence: nothing is said of a user who is hardly known",
			file:    "notify/silence/user.go",
			old:     "return u.gaps >= leastGaps && awake-u.first >= leastTime",
			new:     "return u.gaps > 0",
			pkg:     "./notify/silence", test: "TestMinimalHistory",
		},
		{
			defence: "silence: an hour of the week is expected once it was seen twice",
			file:    "notify/silence/series.go",
			old:     "leastWeeks = 2",
			new:     "leastWeeks = 0",
			pkg:     "./notify/silence", test: "TestMinimalHistory",
		},
		{
			defence: "silence: users are bounded",
			file:    "notify/silence/detector.go",
			old:     "if len(d.users) >= d.opts.MaxUsers {",
			new:     "if false {",
			pkg:     "./notify/silence", test: "TestStateIsBounded",
		},
		{
			defence: "silence: a repeated attempt is no arrival",
			file:    "notify/silence/detector.go",
			old:     "if ks.seen && live <= ks.last {",
			new:     "if false {",
			pkg:     "./notify/silence", test: "TestWhatIsRepeatedCountsOnce",
		},
		{
			defence: "silence: a clock that is set is no silence",
			file:    "notify/silence/detector.go",
			old:     "if dt < 0 || dt > unwatched {",
			new:     "if dt < 0 {",
			pkg:     "./notify/silence", test: "TestClock",
		},
		{
			defence: "silence: a silence is said once",
			file:    "notify/silence/detector.go",
			old:     "u.said |= bit",
			new:     "u.said |= 0",
			pkg:     "./notify/silence", test: "TestUserIsSaidOnce",
		},
		{
			defence: "silence: a snapshot that is damaged is not taken",
			file:    "notify/silence/snapshot.go",
			old:     "if !(v >= -most && v <= most) && r.err == nil {",
			new:     "if false {",
			pkg:     "./notify/silence", test: "TestDamaged",
		},
		{
			defence: "service: a panic of Silence.Found ends nothing",
			file:    "activity/service/silence.go",
			old:     `_ = guard(log, "silence", func() error { w.Found(found); return nil })`,
			new:     `w.Found(found)`,
			pkg:     "./activity/service", test: "TestSilence",
		},
		{
			defence: "spool: a loop over letters ends though letters are made in it",
			file:    "notify/spool/letterlist.go",
			old:     " && l.names[i].compare(end) <= 0",
			new:     "",
			pkg:     "./notify/spool", test: "TestLettersEnd",
		},
	}
}
