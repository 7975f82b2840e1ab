package sabotage

// appRows keep the applications of one process apart.
func appRows() []row {
	const pkg = "./notify"
	return []row{
		{
			defence: "a body that looks as if it were for another application is not",
			file:    "notify/intake.go",
			old:     "	if _, _, ok := cutLine(head); ok {\n",
			new:     "	if false {\n",
			pkg:     pkg, test: "FuzzApp",
		},
		{
			defence: "a user id that names another application is not believed",
			file:    "types/userid.go",
			old:     `	if app == "" && strings.IndexByte(string(id), '@') < 0 {`,
			new:     `	if app == "" {`,
			pkg:     pkg, test: "TestAppsNeverCross",
		},
		{
			defence: "a request that the checks of two applications let pass is for neither",
			file:    "notify/app.go",
			old:     "		case found:\n			return \"\", &foreignError{\"origin: \", errManyApp}\n",
			new:     "		case found:\n			return a.name, nil\n",
			pkg:     pkg, test: "TestAppRoutes",
		},
		{
			defence: "an application without checks is refused",
			file:    "notify/handler.go",
			old:     "		if len(o.Apps[app]) == 0 {\n",
			new:     "		if false {\n",
			pkg:     pkg, test: "TestAppsRefused",
		},
		{
			defence: "a file that two applications are given is two downloads",
			file:    "notify/files_fetch.go",
			old:     "AppLine(app) + string(u)",
			new:     "string(u)",
			pkg:     pkg, test: "TestAppsNeverCross",
		},
		{
			defence: "what is pulled has the user's id with the application",
			file:    "notify/attempt_pull.go",
			old:     "			setSummaryOwner(s, ping.UserID)\n",
			new:     "",
			pkg:     pkg, test: "TestAppsNeverCross",
		},
		{
			defence: "what is pushed has the user's id with the application",
			file:    "notify/event.go",
			old:     "		setSummaryOwner(ev.Summary, user)\n",
			new:     "",
			pkg:     pkg, test: "TestAppsNeverCross",
		},
		{
			defence: "an application whose key is refused holds up no other",
			file:    "notify/schedule_outage.go",
			old:     "	app := t.UserID.App()\n",
			new:     "	app := \"\"\n",
			also:    []edit{{"notify/schedule_outage.go", "s.outages[t.UserID.App()]; o != nil", "s.outages[\"\"]; o != nil"}},
			pkg:     pkg, test: "TestAppOutage",
		},
		{
			defence: "a token is refreshed with the secret of its own application",
			file:    "activity/auth/users.go",
			old:     "	if s := u.servers[userID.App()]; s != nil {\n		return s, nil\n	}\n",
			new:     "	if true {\n		return u.server, nil\n	}\n",
			pkg:     "./activity/auth", test: "TestAppsRefresh",
		},
		{
			defence: "an application whose secret is refused keeps no other's tokens from being kept alive",
			file:    "activity/auth/keepalive.go",
			old:     "			unread = errors.Join(unread, err)\n",
			new:     "			return err\n",
			pkg:     "./activity/auth", test: "TestAppsRefresh",
		},
		{
			defence: "who connects to a second application is a second user",
			file:    "activity/auth/connect.go",
			old:     "	conn.UserID = conn.UserID.In(s.app.Name)\n",
			new:     "",
			pkg:     "./activity/auth", test: "TestAppsConnect",
		},
		{
			defence: "what was begun for one application is not finished for another",
			file:    "activity/auth/connect.go",
			old:     "	if c.server.app.Name != \"\" {\n",
			new:     "	if false {\n",
			pkg:     "./activity/auth", test: "TestAppsConnect",
		},
		{
			defence: "history of one application that is refused stops no other's",
			file:    "backfill/apps.go",
			old:     "	if len(r.refused) >= len(all) {\n",
			new:     "	if len(all) > 0 {\n",
			pkg:     "./backfill", test: "TestAppsOfRunner",
		},
		{
			defence: "what an earlier process asked for counts for its own application",
			file:    "backfill/memlimiter.go",
			old:     "		if c.UserID.App() != l.app {\n",
			new:     "		if false {\n",
			pkg:     "./backfill", test: "TestAppsLimiterRestores",
		},
		{
			defence: "a check of the origin that hangs leaves nobody without an answer",
			file:    "notify/handler.go",
			old:     "	late := time.AfterFunc(h.opts.Deadline+lateBy, x.endLate)\n	defer late.Stop()\n	err := h.pass",
			new:     "	late := time.AfterFunc(time.Hour, x.endLate)\n	defer late.Stop()\n	err := h.pass",
			pkg:     "./activity/service", test: "TestTroubles/origin_work_hangs",
		},
		{
			defence: "the spool's letters keep their application",
			file:    "notify/spool/letter.go",
			old:     "line := notify.AppLine(l.head.app()); line != \"\"",
			new:     "line := \"\"; line != \"\"",
			pkg:     "./notify/spool", test: "TestConformance/ApplicationOfLetters",
		},
		{
			defence: "the spool's letter of a rest keeps its application",
			file:    "notify/spool/rest.go",
			old:     "types.UserID(\"\").In(h.app())",
			new:     "types.UserID(\"\").In(\"\")",
			pkg:     "./notify/spool", test: "TestConformance/ApplicationOfLetters",
		},
	}
}
