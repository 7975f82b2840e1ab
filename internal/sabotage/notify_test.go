package sabotage

// notifyRows are the defences of the handler, its server and its origin checks.
func notifyRows() []row {
	const (
		pkg     = "./notify"
		handler = "notify/handler.go"
		intake  = "notify/intake.go"
		origin  = "notify/origin.go"
		server  = "notify/server.go"
	)
	return []row{
		{
			defence: "F2 F3 a body that ended early is not acknowledged",
			file:    handler,
			old:     "	if err := in.finish(); err != nil {\n		return statusOf(err), err\n	}\n",
			new:     "",
			also: []edit{{handler, `	if in.err != nil && in.err != io.EOF {
		return statusOf(in.err), in.err
	}
	if err != nil {
`, `	if err != nil && in.err == nil {
`}},
			pkg: pkg, test: "TestHandlerFaults/F2",
		},
		{
			defence: "F2 a store that drops a read error is not believed",
			file:    handler,
			old:     "if in.err != nil && in.err != io.EOF {",
			new:     "if false {",
			also:    []edit{{intake, "	if in.err != io.EOF {\n		return in.err\n	}\n", ""}},
			pkg:     pkg, test: "TestHandlerFaults/a_store_that_drops",
		},
		{
			defence: "F2 a store that leaves a part of the body is not believed",
			file:    intake,
			old:     "n > 0 || err == nil {",
			new:     "false && (n > 0 || err == nil) {",
			pkg:     pkg, test: "TestHandlerFaults/a_store_that_drops",
		},
		{
			defence: "F4 T11 a body over the limit is cut off",
			file:    intake,
			old:     "case total > in.max:",
			new:     "case total > in.max && false:",
			pkg:     pkg, test: "TestHandlerAnswers",
		},
		{
			defence: "F4 T11 a body that says it is too large is not read",
			file:    intake,
			old:     "if r.ContentLength > in.max {",
			new:     "if false {",
			pkg:     pkg, test: "TestHandlerReadsNothingTooLarge",
		},
		{
			// Without it the answer of the timer hangs too, on net/http's lock.
			defence: "F5 T10 a slow body has a deadline",
			file:    handler,
			old:     "	_ = http.NewResponseController(w).SetReadDeadline(deadline)\n",
			new:     "",
			pkg:     pkg, test: "TestHandlerFaults/F5", flags: []string{"-timeout=20s"},
		},
		{
			defence: "F11 a panic of the store is caught and told",
			file:    handler,
			old:     "		if returned {\n",
			new:     "		if returned || true {\n",
			pkg:     pkg, test: "TestHandlerFaults/F11",
		},
		{
			defence: "F11 T18 the value of a panic is not logged",
			file:    handler,
			old:     `fmt.Sprintf("%T", v)`,
			new:     `fmt.Sprint(v)`,
			pkg:     pkg, test: "TestHandlerFaults/F11",
		},
		{
			defence: "F12 a store's error is no 200",
			file:    handler,
			old:     "	if err != nil {\n		return http.StatusServiceUnavailable",
			new:     "	if false {\n		return http.StatusServiceUnavailable",
			pkg:     pkg, test: "TestHandlerFaults/F12_store_fails",
		},
		{
			defence: "F12 a store is told when time is up",
			file:    handler,
			old:     "context.WithDeadline(r.Context(), deadline)",
			new:     "context.WithCancel(r.Context())",
			pkg:     pkg, test: "TestHandlerFaults/F12_store_waits",
		},
		{
			defence: "F12 a store that hangs is given up on",
			file:    handler,
			old:     "time.AfterFunc(h.opts.Deadline+lateBy,",
			new:     "time.AfterFunc(time.Hour,",
			pkg:     pkg, test: "TestHandlerFaults/F12_store_hangs",
		},
		{
			defence: "F12 a request is answered once",
			file:    handler,
			old: `func (h *Handler) end(r *http.Request, a *answer, status int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
`,
			new: `func (h *Handler) end(r *http.Request, a *answer, status int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if true {
`,
			pkg: pkg, test: "TestHandlerFaults/F12_store_hangs",
		},
		{
			defence: "F12 a store that is late is no 200",
			file:    handler,
			old:     "if err == nil && !time.Now().Before(deadline) {",
			new:     "if false {",
			pkg:     pkg, test: "TestHandlerFaults/F12_store_is_a_moment_late",
		},
		{
			defence: "F19 a body is passed on as it comes",
			file:    handler,
			old:     "	err = h.store.Put(ctx, body)\n",
			new:     "	data, _ := io.ReadAll(body)\n	err = h.store.Put(ctx, strings.NewReader(string(data)))\n",
			pkg:     "./notify/spool", test: "TestMemory",
		},
		{
			defence: "T5 a path secret is demanded",
			file:    origin,
			old:     "return ok == 1",
			new:     "return ok <= 1",
			pkg:     pkg, test: "TestOrigin",
		},
		{
			defence: "T5 the client id is compared, and not only asked for",
			file:    origin,
			old:     "return subtle.ConstantTimeCompare(have[:], want[:]) == 1",
			new:     "return len(have) == len(want)",
			pkg:     pkg, test: "TestOrigin",
		},
		{
			defence: "T5 a second client id spoils the first",
			file:    origin,
			old:     "if len(values) != 1 {",
			new:     "if len(values) == 0 {",
			pkg:     pkg, test: "TestOrigin",
		},
		{
			defence: "T5 every origin check has to agree",
			file:    handler,
			old:     "range h.opts.Origin {",
			new:     "range h.opts.Origin[:min(1, len(h.opts.Origin))] {",
			pkg:     pkg, test: "TestOrigin",
		},
		{
			defence: "T5 F46 an empty or short path secret is refused",
			file:    origin,
			old:     "if len(s) < minSecret {",
			new:     "if false {",
			pkg:     pkg, test: "TestOriginRefusesBadSettings",
		},
		{
			defence: "T5 F46 an empty client id is refused",
			file:    origin,
			old:     `if id == "" {`,
			new:     "if false {",
			pkg:     pkg, test: "TestOriginRefusesBadSettings",
		},
		{
			defence: "T5 F46 a check that could not be made opens no door",
			file:    handler,
			old:     "		if c == nil {\n",
			new:     "		if c == nil && false {\n",
			pkg:     pkg, test: "TestOriginRefusesBadSettings",
		},
		{
			defence: "T7 a user's leaving passes a pause of the handler",
			file:    handler,
			old:     "!passesPause(head) {",
			new:     "!passesPause(head) || true {",
			pkg:     pkg, test: "TestHandlerPaused",
		},
		{
			defence: "T8 the origin is checked before the body is touched",
			file:    handler,
			old:     "	for _, check := range h.opts.Origin {\n",
			new:     "	r.Body.Read(make([]byte, 1))\n	for _, check := range h.opts.Origin {\n",
			pkg:     pkg, test: "TestOrigin",
		},
		{
			defence: "T8 bytes in flight are bounded",
			file:    intake,
			old:     "if b.used.Add(n) > b.limit {",
			new:     "if b.used.Add(n) > b.limit && false {",
			pkg:     pkg, test: "TestHandlerFaults/T8",
		},
		{
			defence: "T8 what was in flight is given back",
			file:    intake,
			old:     "	in.budget.used.Add(-in.held)\n",
			new:     "",
			pkg:     pkg, test: "TestHandlerFaults/T8",
		},
		{
			// An hour would do too, but 1,000 connections take their time.
			defence: "T9 headers have a deadline",
			file:    server,
			old:     "ReadHeaderTimeout: 5 * time.Second,",
			new:     "ReadHeaderTimeout: 10 * time.Minute,",
			pkg:     pkg, test: "TestHandlerFaults/T9",
		},
		{
			defence: "T9 headers have a limit",
			file:    server,
			old:     "		MaxHeaderBytes:    64 << 10,\n",
			new:     "",
			pkg:     pkg, test: "TestHandlerFaults/T9",
		},
		{
			defence: "T9 an idle connection is closed",
			file:    server,
			old:     "		IdleTimeout:       60 * time.Second,\n",
			new:     "		IdleTimeout:       24 * time.Hour,\n",
			pkg:     pkg, test: "TestHandlerFaults/T9",
		},
		{
			defence: "T14 a body that inflates too much is cut off",
			file:    intake,
			old:     "case in.packed != nil && total > freeInflate && total > maxInflate*in.packed.n:",
			new:     "case false:",
			pkg:     pkg, test: "TestHandlerFaults/T14",
		},
		{
			defence: "T14 what comes compressed is bounded too",
			file:    intake,
			old:     "if c.n > c.max {",
			new:     "if false {",
			pkg:     pkg, test: "TestHandlerFaults/T14",
		},
		{
			defence: "T18 a log line has no path",
			file:    handler,
			old:     `"peer", peer, "err", err)`,
			new:     `"peer", peer, "path", r.URL.Path, "err", err)`,
			pkg:     pkg, test: "TestHandlerKeepsSecrets",
		},
		{
			defence: "T20 a forwarded address counts behind a trusted proxy only",
			file:    origin,
			old:     "i >= 0 && contains(proxies, sender); i-- {",
			new:     "i >= 0; i-- {",
			pkg:     pkg, test: "TestOrigin",
		},
		{
			defence: "T20 the last address that is no proxy counts, not the first",
			file:    origin,
			old:     "for i := len(hops) - 1; i >= 0 && contains(proxies, sender); i-- {",
			new:     "for i := 0; i < len(hops) && contains(proxies, sender); i++ {",
			pkg:     pkg, test: "TestOrigin",
		},
	}
}
