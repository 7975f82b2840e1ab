package sabotage

// processorRows are the defences of the processor.
func processorRows() []row {
	const (
		pkg      = "./notify"
		attempt  = "notify/processor_attempt.go"
		feed     = "notify/processor_feed.go"
		schedule = "notify/processor_schedule.go"
		pull     = "notify/processor_pull.go"
		delivery = "notify/delivery.go"
		run      = "notify/processor.go"
	)
	return []row{
		{
			defence: "F6 F7 F13 T16 a repetition has the same key",
			file:    delivery,
			old:     "part(string(id)), hash, part(u.ID)}",
			new:     "part(string(id)), hash, part(u.ID), w.body.ID()}",
			pkg:     pkg, test: "TestProcessorFaults/duplicate",
		},
		{
			defence: "F8 T6 the key holds a hash of the content",
			file:    delivery,
			old:     "part(string(id)), hash, part(u.ID)}",
			new:     "part(string(id)), part(u.ID)}",
			pkg:     pkg, test: "TestProcessorFaults/edited",
		},
		{
			defence: "F8 an edit waits for the one before it",
			file:    schedule,
			old:     "if h := l.held[w.touch]; h != nil && h.owner != w {",
			new:     "if h := l.held[w.touch]; h != nil && h.owner != w && false {",
			pkg:     pkg, test: "TestProcessorFaults/edited",
		},
		{
			defence: "F10 T17 a bad item is a letter",
			file:    attempt,
			old:     "	case unread:\n		a.bury(ResultQuarantined, err)\n",
			new:     "	case unread:\n		a.step, a.result = stepMark, ResultQuarantined\n",
			pkg:     pkg, test: "TestProcessorFaults/bad_item",
		},
		{
			defence: "F11 a panic of a callback is a failed attempt",
			file:    attempt,
			old:     "switch v := recover().(type) {",
			new:     "switch v := any(nil).(type) {",
			pkg:     pkg, test: "TestProcessorFaults/callback_panics",
		},
		{
			defence: "F11 a worker whose goroutine ended is replaced",
			file:    schedule,
			old:     "		if ended {\n",
			new:     "		if ended && false {\n",
			pkg:     pkg, test: "TestProcessorFaults/callback_ends",
		},
		{
			defence: "F11 T18 the value of a callback's panic is not told",
			file:    attempt,
			old:     `fmt.Sprintf("panic (%T)", v)`,
			new:     `fmt.Sprintf("panic (%T) %v", v, v)`,
			pkg:     pkg, test: "TestProcessorFaults/callback_panics",
		},
		{
			defence: "F12 a callback that blocks is ended",
			file:    attempt,
			old:     "context.WithTimeout(r.ctx, r.opts.AttemptTimeout)",
			new:     "context.WithCancel(r.ctx)",
			pkg:     pkg, test: "TestProcessorFaults/callback_blocks",
		},
		{
			defence: "F12 a callback's error is not taken for done",
			file:    attempt,
			old:     "	if err := a.guard(func() error { return f(d) }); err != nil {\n		return err\n	}\n",
			new:     "	a.guard(func() error { return f(d) })\n",
			pkg:     pkg, test: "TestProcessorFaults/callback_error",
		},
		{
			defence: "F13 an item that was marked does not run again",
			file:    feed,
			old:     "ordinal < body.taken || body.Done(ordinal) {",
			new:     "ordinal < body.taken {",
			pkg:     "./notify/notifytest", test: "TestMemory/ProcessorCrash",
		},
		{
			defence: "F13 a mark that failed does not run the callback again",
			file:    attempt,
			old:     "	if w.step == stepRun {\n",
			new:     "	if w.step != stepBury {\n",
			pkg:     pkg, test: "TestQueueFaults/mark_fails",
		},
		{
			defence: "F15 F45 what runs at a stop may end",
			file:    run,
			old:     "if r.opts.DrainTimeout > 0 {",
			new:     "if false {",
			pkg:     pkg, test: "TestProcessorFaults/stop_with_work",
		},
		{
			defence: "F45 a stop is no failed attempt",
			file:    attempt,
			old:     "	if a.run.ctx.Err() != nil {\n",
			new:     "	if false {\n",
			pkg:     pkg, test: "TestProcessorFaults/stop_in_a_callback",
		},
		{
			defence: "F45 the cause of a stop is kept",
			file:    run,
			old:     "	cancel(cause)\n",
			new:     "	cancel(nil)\n",
			pkg:     pkg, test: "TestProcessorFaults/stop_in_a_callback",
		},
		{
			defence: "F45 a callback that ignores its context does not hold up a stop",
			file:    run,
			old:     "	t := time.NewTimer(time.Second)\n",
			new:     "	t := time.NewTimer(time.Hour)\n",
			pkg:     pkg, test: "TestProcessorFaults/callback_hangs_at_stop",
		},
		{
			defence: "F19 bodies in memory are bounded",
			file:    schedule,
			old:     "return s.open == 0 || s.open+size <= maxOpen",
			new:     "return true",
			pkg:     pkg, test: "TestQueueFaults/backlog_of_large",
		},
		{
			defence: "F19 items in memory are bounded",
			file:    schedule,
			old:     "return s.pending < s.maxPending && ",
			new:     "return ",
			pkg:     pkg, test: "TestQueueFaults/backlog$",
		},
		{
			defence: "F20 a clock that was ahead gives no extra time",
			file:    feed,
			old:     "age := max(now.Sub(body.Received()), 0)",
			new:     "age := now.Sub(body.Received())",
			pkg:     pkg, test: "TestProcessorFaults/clock",
		},
		{
			defence: "F30 a server cannot make us wait for long",
			file:    attempt,
			old:     "if after = min(after, maxRetryAfter); after > 0 {",
			new:     "if after > 0 {",
			pkg:     pkg, test: "TestProcessorFaults/pull_429",
		},
		{
			defence: "F31 F43 each wait is longer than the one before",
			file:    attempt,
			old:     "		d = min(d, least<<shift)\n",
			new:     "		d = min(d, least)\n",
			pkg:     pkg, test: "TestProcessorFaults/Garmin_down",
		},
		{
			defence: "F33 F41 pulls with a refused token wait, and are not given up",
			file:    attempt,
			old:     "	case a.pulls() && unauthorized(err):\n",
			new:     "	case false:\n",
			pkg:     pkg, test: "TestProcessorFaults/pull_401",
		},
		{
			defence: "F33 a permission change ends the wait",
			file:    attempt,
			old:     "if _, ok := a.ev.(*PermissionChange); ok {",
			new:     "if _, ok := a.ev.(*PermissionChange); ok && false {",
			pkg:     pkg, test: "TestProcessorFaults/pull_412",
		},
		{
			defence: "F41 a refused ping of its own fault stops no others",
			file:    "notify/processor_lane.go",
			old:     "own := w.refusals > 0 && l.good > w.refusedAt",
			new:     "own := false",
			pkg:     pkg, test: "TestProcessorFaults/pull_403",
		},
		{
			defence: "F44 large items have workers of their own",
			file:    feed,
			old:     "w.class, w.ev, w.cost = classLarge, nil, 0",
			new:     "w.class, w.ev, w.cost = classPush, nil, 0",
			pkg:     pkg, test: "TestProcessorFaults/huge_items",
		},
		{
			defence: "F44 pulls have workers of their own",
			file:    feed,
			old:     "w.class, w.touch = classPull, string(ev.CallbackURL)",
			new:     "w.class, w.touch = classPush, string(ev.CallbackURL)",
			pkg:     pkg, test: "TestProcessorFaults/slow_pulls",
		},
		{
			defence: "F44 pulls of details have workers of their own",
			file:    feed,
			old:     "			w.class = classLargePull\n",
			new:     "",
			pkg:     pkg, test: "TestProcessorFaults/slow_pulls_of_details",
		},
		{
			defence: "F44 deregistrations have workers of their own",
			file:    feed,
			old:     `w.class, w.touch = classAccount, "account"`,
			new:     `w.class, w.touch = classPush, "account"`,
			pkg:     pkg, test: "TestProcessorFaults/slow_callbacks",
		},
		{
			defence: "F44 downloads have workers of their own",
			file:    feed,
			old:     "w.class, w.touch = classFile, touching(types.KindActivityFiles, ev.File.SummaryID)",
			new:     "w.class, w.touch = classPull, touching(types.KindActivityFiles, ev.File.SummaryID)",
			pkg:     pkg, test: "TestFileFaults/slow_downloads",
		},
		{
			defence: "T4 data of another user is not delivered",
			file:    pull,
			old:     `if owner := s.Owner(); owner != "" && owner != ping.UserID {`,
			new:     `if owner := s.Owner(); false {`,
			pkg:     pkg, test: "TestProcessorFaults/pull_gives_another",
		},
		{
			defence: "T4 nothing of such a pull is delivered",
			file:    pull,
			old:     "		if weight > maxPull {\n",
			new:     "		if true {\n",
			pkg:     pkg, test: "TestProcessorFaults/pull_gives_another",
		},
		{
			defence: "T5 a push does not say that it was pulled",
			file:    attempt,
			old:     "	case *Push:\n		return a.each(users, ev.Summary, a.rev, false)\n",
			new:     "	case *Push:\n		return a.each(users, ev.Summary, a.rev, true)\n",
			pkg:     pkg, test: "TestProcessorDeliversEveryKind",
		},
		{
			defence: "T5 data of an unknown user is delivered to nobody, and kept",
			file:    attempt,
			old:     "	if len(users) == 0 {\n		return ErrUnknownUser\n	}\n",
			new:     "",
			pkg:     pkg, test: "TestProcessorFaults/user_known_late",
		},
		{
			defence: "T7 a deregistration is confirmed with Garmin",
			file:    "examples/quickstart/partner.go",
			old:     "	if !left {\n",
			new:     "	if !left && false {\n",
			pkg:     "./examples/quickstart", test: "TestForgedDeregistration",
		},
		{
			defence: "T17 F10 an item that fails does not hold up the user's others",
			file:    schedule,
			old:     "if h := l.held[w.touch]; h != nil && h.owner != w {",
			new: `h := l.held[w.touch]
		for _, any := range l.held {
			if h == nil {
				h = any
			}
		}
		if h != nil && h.owner != w {`,
			pkg: pkg, test: "TestProcessorFaults/poison",
		},
		{
			defence: "T17 what keeps failing is given up on",
			file:    feed,
			old:     "	w.due = received + r.opts.PushDeadline\n",
			new:     "	w.due = received + 100*r.opts.PushDeadline\n",
			pkg:     pkg, test: "TestProcessorFaults/poison",
		},
		{
			defence: "T17 a body that breaks off is kept whole",
			file:    feed,
			old:     "			w.place = Item{Size: size}\n",
			new:     "			return nil\n",
			pkg:     pkg, test: "TestProcessorFaults/body_breaks",
		},
		{
			defence: "T18 errors of callbacks and clients are cleaned",
			file:    attempt,
			old:     "	err = redact(err, a.ev)\n",
			new:     "",
			pkg:     pkg, test: "TestProcessorFaults/error_text",
		},
		{
			defence: "T18 the cause of a cleaned error is not printed",
			file:    "notify/outcome.go",
			old:     "func (e *redactedError) Error() string { return e.text }",
			new:     "func (e *redactedError) Error() string { return e.text + e.err.Error() }",
			pkg:     pkg, test: "TestProcessorFaults/error_text",
		},
	}
}

// fileRows are the defences of a download, on the processor's side.
func fileRows() []row {
	const (
		pkg   = "./notify"
		files = "notify/files.go"
		claim = "notify/files_claim.go"
	)
	return []row{
		{
			defence: "F24 F25 a file that broke is not asked for again",
			file:    files,
			old:     "	case c.State == claimSpent:\n		return nil, false, Permanent(c.spent())\n",
			new:     "",
			pkg:     pkg, test: "TestFileFaults/file_cut",
		},
		{
			defence: "F24 F28 a file whose answer was lost is not asked for when its ping repeats",
			file:    files,
			old:     "		case final:\n",
			new:     "		case final && false:\n",
			pkg:     pkg, test: "TestFileFaults/file_lost",
		},
		{
			defence: "F25 a file gets its name when all of it is there",
			file:    files,
			old:     "part, err := s.root.OpenFile(partName(id), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)\n	if err != nil {\n		return claim{}, err\n	}\n",
			new:     "s.mkdir(name)\n	part, err := s.root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)\n	if err != nil {\n		return claim{}, err\n	}\n",
			pkg:     pkg, test: "TestFileFaults/file_cut",
		},
		{
			defence: "F25 a file is checked",
			file:    files,
			old:     "	if !s.SkipCheck {\n",
			new:     "	if false {\n",
			pkg:     pkg, test: "TestFileFaults/file_of_a_bad",
		},
		{
			defence: "F25 a FIT file's checksum is checked",
			file:    "notify/files_check.go",
			old:     "case sum.crc != 0:",
			new:     "case false:",
			pkg:     pkg, test: "TestFileFaults/file_of_a_bad",
		},
		{
			defence: "F27 a 410 at first is not taken for our own doing",
			file:    files,
			old:     "if final && begun {",
			new:     "if final {",
			pkg:     pkg, test: "TestFileFaults/file_410",
		},
		{
			defence: "F28 two items do not download one file at once",
			file:    claim,
			old:     "	if s.busy[id] {\n",
			new:     "	if false {\n",
			pkg:     pkg, test: "TestFileFaults/file_announced_twice_at_once",
		},
		{
			defence: "F28 T16 a file that was handed over is not asked for again",
			file:    files,
			old:     "	case c.State == claimDone:\n		return nil, true, nil\n",
			new:     "",
			pkg:     pkg, test: "TestFileFaults/file_announced_twice$",
		},
		{
			defence: "F29 a file in place is not asked for again",
			file:    files,
			old:     "	case c.State != claimStored:\n",
			new:     "	default:\n",
			pkg:     pkg, test: "TestFileFaults/crash_before_the_mark",
		},
		{
			defence: "F29 a download that a dead process began is not begun anew",
			file:    files,
			old:     "case c.State == claimBegun && s.partSize(id) > 0:",
			new:     "case false:",
			pkg:     pkg, test: "TestFileKilled",
		},
		{
			defence: "F29 Garmin is not asked for what cannot be stored",
			file:    files,
			old:     "	body, err := client.Download(ctx, f.CallbackURL)\n",
			new:     "",
			also: []edit{{files, "	// All that can fail on our side does so before Garmin is asked.\n", `	body, err := client.Download(ctx, f.CallbackURL)
	downloaded := err
`}, {files, "	if err != nil {\n		_, again := retryOf(err)\n", "	if err := downloaded; err != nil {\n		_, again := retryOf(err)\n"}},
			pkg: pkg, test: "TestFileFaults/file_directory_read-only",
		},
		{
			defence: "F17 a file is synced before it is noted as complete",
			file:    files,
			old:     "		err = s.sync(part)\n",
			new:     "",
			pkg:     pkg, test: "TestFileIsSynced",
		},
		{
			defence: "F17 a file that a dead process left is synced first",
			file:    files,
			old:     "	if err := s.sync(part); err != nil {\n		return claim{}, err\n	}\n",
			new:     "",
			pkg:     pkg, test: "TestFileIsSynced",
		},
		{
			defence: "F17 a file's name is synced",
			file:    files,
			old:     "	return s.syncDirs(c.Name)\n",
			new:     "	return nil\n",
			pkg:     pkg, test: "TestFileIsSynced",
		},
		{
			defence: "F17 F29 the note of a download is synced",
			file:    claim,
			old:     "		err = s.sync(f)\n",
			new:     "",
			pkg:     pkg, test: "TestFileIsSynced",
		},
		{
			defence: "F17 F29 the name of that note is synced",
			file:    claim,
			old:     "	return s.syncDir(path.Dir(name))\n",
			new:     "	_ = path.Dir\n	return nil\n",
			pkg:     pkg, test: "TestFileIsSynced",
		},
		{
			defence: "T5 a file's name cannot lead out of the directory",
			file:    files,
			old:     ` || first == claimDir || !filepath.IsLocal(filepath.FromSlash(clean)) {`,
			new:     ` || first == claimDir && false {`,
			pkg:     pkg, test: "TestFileFaults/file_name_leads_out",
		},
		{
			defence: "T5 a file's name is made of escaped parts",
			file:    files,
			old:     "	s = url.PathEscape(s)\n",
			new:     "	_ = url.PathEscape\n",
			pkg:     pkg, test: "TestFileFaults/none",
		},
	}
}
