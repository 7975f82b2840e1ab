package sabotage

// authRows are the defences of packages auth and authtest.
func authRows() []row {
	return []row{
		{
			defence: "K9 nothing beside a new refresh token costs it",
			file:    "activity/auth/guard.go",
			old:     "		body = tidy(body)\n",
			new:     "",
			pkg:     "./activity/auth", test: "TestOddTokenAnswers",
		},
		{
			defence: "K5 a proxy is no judge of a token",
			file:    "activity/auth/guard.go",
			old:     "		if !judges(g.status) {\n",
			new:     "		if passing(g.status) {\n",
			pkg:     "./activity/auth", test: "TestOddTokenAnswers",
		},
		{
			defence: "F40 many goroutines make one refresh",
			file:    "activity/auth/users.go",
			old:     "if !ok || force && f.over() {",
			new:     "if !ok || ok {",
			also: []edit{
				{"activity/auth/refresh.go", "case claim.stands(t, u.claimLife()):", "case false && claim.stands(t, 0):"},
			},
			pkg: "./activity/auth", test: "TestOneFlight",
		},
		{
			defence: "F40 callers share no token",
			file:    "activity/auth/users.go",
			old:     "return f.token.clone(), nil",
			new:     "return f.token, nil",
			pkg:     "./activity/auth", test: "TestOneFlight",
		},
		{
			defence: "F40 processes keep apart by claims",
			file:    "activity/auth/refresh.go",
			old:     "case claim.stands(t, u.claimLife()):",
			new:     "case false && claim.stands(t, 0):",
			pkg:     "./activity/auth", test: "TestProcessesDoNotRefreshTwice",
		},
		{
			defence: "F40 thousands of users from two processes",
			file:    "activity/auth/refresh.go",
			old:     "case claim.stands(t, u.claimLife()):",
			new:     "case false && claim.stands(t, 0):",
			also: []edit{
				{"activity/auth/refresh.go", "claimed, err = u.store.Swap(ctx, t, claimed)", "claimed = t"},
			},
			pkg: "./activity/auth", test: "TestManyUsers",
		},
		{
			defence: "F40 a claim is a swap",
			file:    "activity/auth/refresh.go",
			old:     "claimed, err = u.store.Swap(ctx, t, claimed)",
			new:     "claimed = t",
			pkg:     "./activity/auth", test: "TestProcessesDoNotRefreshTwice",
		},
		{
			defence: "F40 a caller may leave",
			file:    "activity/auth/users.go",
			old: `	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.done:`,
			new: "\tcase <-f.done:",
			pkg: "./activity/auth", test: "TestCallerMayLeaveTheFlight",
		},
		{
			defence: "F40 a refresh outlives its caller",
			file:    "activity/auth/users.go",
			old:     "u.refresh(context.WithoutCancel(ctx), userID, force, refused)",
			new:     "u.refresh(ctx, userID, force, refused)",
			pkg:     "./activity/auth", test: "TestRefreshOutlivesItsCaller",
		},
		{
			defence: "F40 Close waits for refreshes",
			file:    "activity/auth/users.go",
			old:     "for f := u.underWay(); f != nil; f = u.underWay() {",
			new:     "for f := u.underWay(); false; {",
			pkg:     "./activity/auth", test: "TestRefreshOutlivesItsCaller",
		},
		{
			defence: "F40 a refused token is marked",
			file:    "activity/auth/refresh.go",
			old:     "t.ClaimedUntil, t.Revoked = time.Time{}, true",
			new:     "t.ClaimedUntil = time.Time{}",
			pkg:     "./activity/auth", test: "TestInvalidGrantIsOneAttempt",
		},
		{
			defence: "F40 invalid_grant means to connect again",
			file:    "activity/auth/errors.go",
			old:     `"invalid_grant":             ErrReconnect`,
			new:     `"invalid_grant":             nil`,
			pkg:     "./activity/auth", test: "TestInvalidGrantIsOneAttempt",
		},
		{
			defence: "F40 an expired refresh token means to connect again",
			file:    "activity/auth/errors.go",
			old: `	"invalid_token":             ErrReconnect, // an expired refresh token
`,
			new: "",
			pkg: "./activity/auth", test: "TestAnswers",
		},
		{
			defence: "F40 invalid_client concerns no user",
			file:    "activity/auth/errors.go",
			old:     `"invalid_client":            ErrInvalidClient`,
			new:     `"invalid_client":            ErrReconnect`,
			pkg:     "./activity/auth", test: "TestInvalidClientLeavesTheUserAlone",
		},
		{
			defence: "F40 a failed refresh lets go of its claim",
			file:    "activity/auth/refresh.go",
			old: `		u.mark(ctx, claimed, func(t *Token) { t.ClaimedUntil = time.Time{} })
`,
			new: "",
			pkg: "./activity/auth", test: "TestInvalidClientLeavesTheUserAlone",
		},
		{
			defence: "F40 a server in trouble is no judge of the token",
			file:    "activity/auth/guard.go",
			old:     "\t\tif !judges(g.status) {",
			new:     "\t\tif false {",
			pkg:     "./activity/auth", test: "TestAnswers",
		},
		{
			defence: "F40 the old token is used in passing trouble",
			file:    "activity/auth/users.go",
			old: `if ctx.Err() == nil {
			u.logger`,
			new: `if false {
			u.logger`,
			pkg: "./activity/auth", test: "TestPassingTroubleUsesTheOldToken",
		},
		{
			defence: "F40 an outage is not multiplied",
			file:    "activity/auth/users.go",
			old:     "time.AfterFunc(min(max(e.Wait, minPause), maxPause), remove)",
			new:     "remove()",
			pkg:     "./activity/auth", test: "TestOutageIsNotMultiplied",
		},
		{
			defence: "F40 who insists is not held up",
			file:    "activity/auth/users.go",
			old:     "if !ok || force && f.over() {",
			new:     "if !ok {",
			pkg:     "./activity/auth", test: "TestOutageIsNotMultiplied",
		},
		{
			defence: "F40 a dead process's claim runs out",
			file:    "activity/auth/refresh.go",
			old:     "return time.Now().Before(c.end)",
			new:     "return true",
			pkg:     "./activity/auth", test: "TestClaimOfTheDeadRunsOut",
		},
		{
			defence: "F40 a token that holds does not wait for a claim",
			file:    "activity/auth/refresh.go",
			old:     "if t.fresh(0) && !force && !t.refused(refused) {",
			new:     "if false {",
			pkg:     "./activity/auth", test: "TestClaimOfTheDeadRunsOut",
		},
		{
			defence: "F40 the loser reads again",
			file:    "activity/auth/refresh.go",
			old: `		next, err := u.spend(ctx, claimed)
		if errors.Is(err, ErrConflict) {
			continue
		}
`,
			new: `		next, err := u.spend(ctx, claimed)
`,
			pkg: "./activity/auth", test: "TestLoserReadsAgain",
		},
		{
			defence: "F40 the loser waits for the winner",
			file:    "activity/auth/refresh.go",
			old:     "if err := backoff.Sleep(ctx, grace); err != nil {",
			new:     "if err := ctx.Err(); err != nil {",
			pkg:     "./activity/auth", test: "TestLoserReadsAgain",
		},
		{
			defence: "F40 a token is refreshed 600 s before its end",
			file:    "activity/auth/users.go",
			old:     "const margin = 600 * time.Second",
			new:     "const margin = 60 * time.Second",
			pkg:     "./activity/auth", test: "TestTokenRefreshesWithin600Seconds",
		},
		{
			defence: "rotation: the store is tried before the token is spent",
			file:    "activity/auth/refresh.go",
			old:     "claimed, err = u.store.Swap(ctx, t, claimed)",
			new:     "claimed = t",
			pkg:     "./activity/auth", test: "TestStoreIsTriedFirst",
		},
		{
			defence: "rotation: a new token is stored before it is used",
			file:    "activity/auth/refresh.go",
			old:     "return u.storeRotation(ctx, &rotation{claimed, next})",
			new: `u.storeRotation(ctx, &rotation{claimed, next})
		return next, nil`,
			pkg: "./activity/auth", test: "TestRotatedTokenWaitsForTheStore",
		},
		{
			defence: "rotation: what the store did not take is kept",
			file:    "activity/auth/refresh.go",
			old: `u.unstored[r.old.UserID] = r
`,
			new: "",
			pkg: "./activity/auth", test: "TestRotatedTokenWaitsForTheStore",
		},
		{
			defence: "rotation: Close tries once more to store it",
			file:    "activity/auth/users.go",
			old:     "for i, userID := range users {",
			new:     "for i, userID := range users[:0] {",
			pkg:     "./activity/auth", test: "TestRotatedTokenWaitsForTheStore",
		},
		{
			defence: "rotation: a store that fails for a moment is asked again",
			file:    "activity/auth/refresh.go",
			old:     "if serr := backoff.Sleep(ctx, wait); serr != nil {",
			new:     "if wait > 0 {",
			pkg:     "./activity/auth", test: "TestRotationOutlastsTheStoresTrouble",
		},
		{
			defence: "rotation: storing does not end with the refresh",
			file:    "activity/auth/refresh.go",
			old: `context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	old`,
			new: `context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	old`,
			pkg: "./activity/auth", test: "TestRotationOutlastsTheStoresTrouble",
		},
		{
			defence: "rotation: a mark that was changed meanwhile does not lose it",
			file:    "activity/auth/refresh.go",
			old:     "case err == nil && now.sameGrant(r.old):",
			new:     "case false:",
			pkg:     "./activity/auth", test: "TestLoserReadsAgain",
		},
		{
			defence: "rotation: the rotated token comes from the answer",
			file:    "activity/auth/oauth2.go",
			old:     "newToken(t.AccessToken, t.RefreshToken, start,",
			new:     `newToken(t.AccessToken, "", start,`,
			pkg:     "./activity/auth", test: "TestTokenRefreshesWithin600Seconds",
		},
		{
			defence: "compare-and-swap in memory",
			file:    "activity/auth/memory.go",
			old:     "ok != (old != nil) || ok && t.Version != version {",
			new:     "false && ok && t.Version != version {",
			pkg:     "./activity/auth", test: "TestMemoryStore",
		},
		{
			defence: "compare-and-swap in a file",
			file:    "activity/auth/file.go",
			old:     "ok != (old != nil) || ok && e.token.Version != version {",
			new:     "false && ok && e.token.Version != version {",
			pkg:     "./activity/auth", test: "TestFileStore",
		},
		{
			defence: "compare-and-swap between processes: the file is locked",
			file:    "activity/auth/file_disk.go",
			old:     "ok, err := filelock.Try(l)",
			new:     "ok, err := true, error(nil)",
			pkg:     "./activity/auth", test: "TestFileStoreLock",
		},
		{
			defence: "compare-and-swap between processes: what the other wrote is read",
			file:    "activity/auth/file.go",
			old: `		if err := f.readSurely(); err != nil {
			return err
		}
		if e, ok`,
			new: "\t\tif e, ok",
			pkg: "./activity/auth", test: "TestFileStore/^ConcurrentHandles$",
		},
		{
			defence: "a version never returns, in memory",
			file:    "activity/auth/memory.go",
			old: `delete(m.tokens, userID)
		return nil, nil`,
			new: `delete(m.tokens, userID)
		m.last = 0
		return nil, nil`,
			pkg: "./activity/auth", test: "TestMemoryStore/^VersionsNeverReturn$",
		},
		{
			defence: "a version never returns, though its record has gone",
			file:    "activity/auth/file_disk.go",
			old:     "f.aead, f.seq)",
			new:     "f.aead, 0)",
			pkg:     "./activity/auth", test: "TestFileStoreVersionsOutliveTheirRecords",
		},
		{
			defence: "swaps in an ended context",
			file:    "activity/auth/file_disk.go",
			old: `	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case f.lock <- struct{}{}:
`,
			new: `	select {
	case f.lock <- struct{}{}:
`,
			pkg: "./activity/auth", test: "TestFileStore/^EndedContext$",
		},
		{
			defence: "F14 a file is replaced in one step",
			file:    "activity/auth/file_disk.go",
			old:     `name+".tmp", name, func`,
			new:     "name, name, func",
			pkg:     "./activity/auth", test: "TestFileStoreRewriteFails",
		},
		{
			defence: "F16 a swap is synced",
			file:    "activity/auth/file_disk.go",
			old:     "f.disk.Append(file, f.path, f.size, line, true)",
			new:     "f.disk.Append(file, f.path, f.size, line, false)",
			pkg:     "./activity/auth", test: "TestFileStoreSyncFails",
		},
		{
			defence: "F16 after a failed sync the file is not appended to",
			file:    "activity/auth/file_disk.go",
			old:     "f.suspect = !sound",
			new:     "_ = sound",
			pkg:     "./activity/auth", test: "TestFileStoreSyncFails",
		},
		{
			defence: "F16 a swap that failed is undone",
			file:    "internal/recordlog/recordlog.go",
			old:     "return false, errors.Join(err, f.Truncate(size))",
			new:     "return false, err",
			pkg:     "./activity/auth", test: "TestFileStoreSyncFails",
		},
		{
			defence: "F16 a full disk does not make the token file be written anew",
			file:    "internal/recordlog/recordlog.go",
			old:     "return undone == nil, errors.Join(err, undone)",
			new:     "return false, errors.Join(err, undone)",
			pkg:     "./activity/auth", test: "TestFileStoreDiskFull",
		},
		{
			defence: "F16 a new file is synced before it takes the old one's place",
			file:    "internal/atomicfile/atomicfile.go",
			old: `		err = sync(f)
`,
			new: "",
			pkg: "./activity/auth", test: "TestFileStorePowerCut",
		},
		{
			defence: "F16 the directory is synced",
			file:    "internal/atomicfile/atomicfile.go",
			old:     "return f, SyncDir(root.Open, path.Dir(name), sync)",
			new:     "return f, SyncDir(root.Open, path.Dir(name), func(*os.File) error { return nil })",
			pkg:     "./activity/auth", test: "TestFileStorePowerCut",
		},
		{
			defence: "F17 a torn write is written over",
			file:    "internal/recordlog/recordlog.go",
			old: `	if info.Size() > size {
		if err := f.Truncate(size); err != nil {
			return false, err
		}
	}
`,
			new: "\tsize = info.Size()\n",
			pkg: "./activity/auth", test: "TestFileStoreTornWrite",
		},
		{
			defence: "F17 the rest of a torn write is no record",
			file:    "activity/auth/tokenlog.go",
			old: `		if err != nil {
			bad = append(bad, line)
			continue
		}`,
			new: `		if err != nil {
			apply(line, nil)
			n = pos
			continue
		}`,
			pkg: "./activity/auth", test: "TestFileStoreTornWrite",
		},
		{
			defence: "F18 each record has a checksum",
			file:    "activity/auth/tokenlog.go",
			old:     "if string(line[:8]) != checksum(payload) {",
			new:     "if false {",
			pkg:     "./activity/auth", test: "TestFileStoreFlippedBit",
		},
		{
			defence: "F18 damage is logged",
			file:    "activity/auth/file_disk.go",
			old:     `f.logger.Error("damaged record in token file", "path", f.path, "bytes", len(line))`,
			new:     "",
			pkg:     "./activity/auth", test: "TestFileStoreFlippedBit",
		},
		{
			defence: "F18 a damaged record is kept",
			file:    "activity/auth/file_disk.go",
			old:     "\tfor _, line := range f.damaged {",
			new:     "\tfor _, line := range f.damaged[:0] {",
			pkg:     "./activity/auth", test: "TestFileStoreFlippedBit",
		},
		{
			defence: "F18 damage does not hide what comes after",
			file:    "activity/auth/tokenlog.go",
			old: `			bad = append(bad, line)
			continue
`,
			new: `			return n
`,
			pkg: "./activity/auth", test: "TestFileStoreFlippedBit",
		},
		{
			defence: "a vanished file is no empty store",
			file:    "activity/auth/file_disk.go",
			old: `	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if f.info`,
			new: `	info, err := os.Stat(f.path)
	if err != nil {
		f.reset(f.seq)
		return nil
	}
	if f.info`,
			pkg: "./activity/auth", test: "TestFileStoreFileVanishes",
		},
		{
			defence: "another file is not taken for one of tokens",
			file:    "activity/auth/file.go",
			old: `		return f.read()
	})`,
			new: `		if f.read() != nil {
			return f.rewrite()
		}
		return nil
	})`,
			pkg: "./activity/auth", test: "TestFileStoreRefusesOtherFiles",
		},
		{
			defence: "the token file is private",
			file:    "internal/atomicfile/atomicfile.go",
			old:     "f, err := root.OpenFile(name, flags, 0o600)",
			new:     "f, err := root.OpenFile(name, flags, 0o644)",
			pkg:     "./activity/auth", test: "TestFileStoreIsPrivate",
		},
		{
			defence: "a token file that was open to others is closed",
			file:    "activity/auth/file.go",
			old:     "if err := os.Chmod(path, 0o600); err != nil {",
			new:     "if err := os.Chmod(path, 0o644); err != nil {",
			pkg:     "./activity/auth", test: "TestFileStoreIsPrivate",
		},
		{
			defence: "a sealed file shows no token",
			file:    "activity/auth/tokenlog.go",
			old: `	if aead != nil {
		payload = base64`,
			new: `	if false {
		payload = base64`,
			also: []edit{
				{"activity/auth/tokenlog.go", `	if aead != nil {
		b, err := base64`, `	if false {
		b, err := base64`},
			},
			pkg: "./activity/auth", test: "TestFileStoreReopens/^sealed$",
		},
		{
			defence: "a file sealed with another key is refused",
			file:    "activity/auth/tokenlog.go",
			old:     "if text, err := unseal(aead, h.Sealed); err != nil || !bytes.Equal(text, sealCheck) {",
			new:     "if false {",
			pkg:     "./activity/auth", test: "TestFileStoreRefusesOtherFiles",
		},
		{
			defence: "F41 a revoked token is the user's",
			file:    "activity/auth/fault.go",
			old:     "case errors.Is(e.Err, ErrReconnect), errors.Is(e.Err, ErrNotConnected):",
			new:     "case errors.Is(e.Err, ErrNotConnected):",
			pkg:     "./activity/auth", test: "TestRevokedDuringABatch",
		},
		{
			defence: "F41 a revoked user costs no more requests",
			file:    "activity/auth/users.go",
			old: `	case t.Revoked:
		return nil, &Error{Op: "token", UserID: userID, Err: ErrReconnect}
`,
			new: "",
			also: []edit{
				{"activity/auth/refresh.go", `		case t.Revoked:
			return nil, wrap(op, userID, ErrReconnect)
`, ""},
			},
			pkg: "./activity/auth", test: "TestRevokedDuringABatch",
		},
		{
			defence: "F41 a store that mixes up users",
			file:    "activity/auth/credential.go",
			old:     "if err == nil && t.UserID != a.userID {",
			new:     "if false {",
			pkg:     "./activity/auth", test: "TestForeignTokenIsRefused",
		},
		{
			defence: "idle users are kept alive",
			file:    "activity/auth/keepalive.go",
			old:     "u.store.Due(ctx, time.Now().Add(o.Before))",
			new:     "u.store.Due(ctx, time.Now())",
			pkg:     "./activity/auth", test: "TestKeepAliveForYears",
		},
		{
			defence: "keeping alive is paced",
			file:    "activity/auth/keepalive.go",
			old: `			if err := backoff.Sleep(ctx, o.Pace); err != nil {
				return err
			}
`,
			new: "",
			pkg: "./activity/auth", test: "TestKeepAliveIsPaced",
		},
		{
			defence: "one user's failure does not end keeping alive",
			file:    "activity/auth/keepalive.go",
			old:     "case own.Fault() == types.FaultNetwork:",
			new:     "case true || own.Fault() == types.FaultNetwork:",
			pkg:     "./activity/auth", test: "TestKeepAliveGoesOnAfterFailures",
		},
		{
			defence: "a wrong secret is asked for once",
			file:    "activity/auth/keepalive.go",
			old:     "case own.Fault() == types.FaultApplication:",
			new:     "case false:",
			pkg:     "./activity/auth", test: "TestKeepAliveStopsAtInvalidClient",
		},
		{
			defence: "a callback brings the state back",
			file:    "activity/auth/connect.go",
			old:     "if err != nil || subtle.ConstantTimeCompare([]byte(state), []byte(p.State)) != 1 {",
			new:     "if _ = state; err != nil {",
			pkg:     "./activity/auth", test: "TestForeignCallbacks",
		},
		{
			defence: "what the browser carries is sealed",
			file:    "activity/auth/tokenlog.go",
			old: `	text, err := aead.Open(nil, b[:aead.NonceSize()], b[aead.NonceSize():], sealCheck)
	if err != nil {
		return nil, errSeal
	}
	return text, nil`,
			new: "\treturn b[aead.NonceSize():], nil",
			also: []edit{
				{"activity/auth/tokenlog.go", "return aead.Seal(b, b, text, sealCheck)", "return append(b, text...)"},
			},
			pkg: "./activity/auth", test: "TestForeignCallbacks",
		},
		{
			defence: "each process has a key of its own",
			file:    "activity/auth/connect.go",
			old:     "rand.Read(c.opts.Key)",
			new:     "",
			pkg:     "./activity/auth", test: "TestKey",
		},
		{
			defence: "a session's callback is its own",
			file:    "activity/auth/connect.go",
			old: ` ||
		subtle.ConstantTimeCompare(p.Session, []byte(session)) != 1`,
			new: "",
			pkg: "./activity/auth", test: "TestSessionMustBeTheSame",
		},
		{
			defence: "consent takes ten minutes at most",
			file:    "activity/auth/connect.go",
			old:     " || left <= 0",
			new:     "",
			pkg:     "./activity/auth", test: "TestConsentTakesTooLong",
		},
		{
			defence: "a callback counts once",
			file:    "activity/auth/connect.go",
			old: `	if !first {
		return nil, &Error{Op: op, Err: ErrState}
	}
`,
			new: `	_ = first
`,
			pkg: "./activity/auth", test: "TestConnect",
		},
		{
			defence: "a callback counts once at ours",
			file:    "activity/auth/browser.go",
			old: `	if _, ok := m.until[id]; ok {
		return false, nil
	}
`,
			new: "",
			pkg: "./activity/auth", test: "TestConnect",
		},
		{
			defence: "a spent code is no user's fault",
			file:    "activity/auth/oauth2.go",
			old: `		e.Err = ErrState
`,
			new: "",
			pkg: "./activity/auth", test: "TestSpentCode",
		},
		{
			defence: "repeated parameters of a callback",
			file:    "activity/auth/connect.go",
			old:     `	return "", errors.New("repeated parameter")`,
			new:     "\treturn q[key][0], nil",
			pkg:     "./activity/auth", test: "TestForeignCallbacks",
		},
		{
			defence: "a session's name too long for a cookie",
			file:    "activity/auth/browser.go",
			old:     "if len(cookie.Name)+len(sealed) > maxCookie {",
			new:     "if false {",
			pkg:     "./activity/auth", test: "TestSessionTooLongForACookie",
		},
		{
			defence: "a callback of 9 KB",
			file:    "activity/auth/browser.go",
			old:     " || len(r.URL.RawQuery) > maxCallback",
			new:     "",
			pkg:     "./activity/auth", test: "TestForeignCallbacks",
		},
		{
			defence: "the cookie is bound to the host",
			file:    "activity/auth/browser.go",
			old:     `cookie.Name = "__Host-" + cookie.Name`,
			new:     "",
			pkg:     "./activity/auth", test: "TestConnectCookie",
		},
		{
			defence: "the cookie is not for scripts",
			file:    "activity/auth/browser.go",
			old: `		HttpOnly: true,
`,
			new: "",
			pkg: "./activity/auth", test: "TestConnectCookie",
		},
		{
			defence: "the code is bound to a verifier",
			file:    "activity/auth/oauth2.go",
			old:     "AuthCodeURL(state, oauth2.S256ChallengeOption(string(verifier)))",
			new:     "AuthCodeURL(state)",
			pkg:     "./activity/auth", test: "TestConnect",
		},
		{
			defence: "oauth_verifier=NULL is a refusal",
			file:    "activity/auth/oauth1/flow.go",
			old:     `, verifiers[0] == "NULL":`,
			new:     `:`,
			pkg:     "./activity/auth/oauth1", test: "TestDenied",
		},
		{
			defence: "Garmin may not know the user yet",
			file:    "activity/auth/connect.go",
			old:     "if ctx.Err() != nil || backoff.Sleep(ctx, wait) != nil {",
			new:     "if wait > 0 || backoff.Sleep(ctx, wait) != nil {",
			pkg:     "./activity/auth", test: "TestConnectIsPatient",
		},
		{
			defence: "a connection without permissions known has failed",
			file:    "activity/auth/connect.go",
			old: `	if conn.Permissions, err = patiently(asking, client.Permissions); err != nil {
		return nil, &Error{Op: op, UserID: conn.UserID, Err: err}
	}
`,
			new: `	conn.Permissions, _ = patiently(asking, client.Permissions)
`,
			pkg: "./activity/auth", test: "TestConnectFailsAsAWhole",
		},
		{
			defence: "T2 no redirect is followed",
			file:    "activity/auth/guard.go",
			old: `	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, errRedirect
	}
`,
			new: "",
			also: []edit{
				{"activity/auth/guard.go", `		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
`, ""},
			},
			pkg: "./activity/auth", test: "TestRedirectsAreRefused",
		},
		{
			defence: "T2 an answer with a redirect is an error",
			file:    "activity/auth/guard.go",
			old: `	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, errRedirect
	}
`,
			new: "",
			pkg: "./activity/auth", test: "TestRedirectsAreRefused",
		},
		{
			defence: "trap 27: answers are bounded",
			file:    "activity/auth/guard.go",
			old:     "io.LimitReader(resp.Body, maxAnswer+1)",
			new:     "io.LimitReader(resp.Body, 1<<20)",
			also: []edit{
				{"activity/auth/guard.go", `	if len(body) > maxAnswer {
		return nil, errTooLong
	}
`, `	_ = errTooLong
`},
			},
			pkg: "./activity/auth", test: "TestAnswersAreBounded",
		},
		{
			defence: "trap 27: a failed answer is in no error",
			file:    "activity/auth/oauth1/flow.go",
			old:     "case !good:",
			new:     "case false:",
			also: []edit{
				{"activity/auth/oauth1/flow.go", "	return errAnswer\n", "	return err\n"},
			},
			pkg: "./activity/auth/oauth1", test: "TestNoSecretInErrors",
		},
		{
			defence: "trap 27: a failed call is one whatever its answer says",
			file:    "activity/auth/oauth1/flow.go",
			old:     "case !good:",
			new:     "case false:",
			pkg:     "./activity/auth/oauth1", test: "TestAnswers",
		},
		{
			defence: "trap 27: package oauth1 has a context",
			file:    "activity/auth/oauth1/flow.go",
			old:     "c.base.RoundTrip(req.WithContext(c.ctx))",
			new:     "c.base.RoundTrip(req)",
			pkg:     "./activity/auth/oauth1", test: "TestSilentServer",
		},
		{
			defence: "trap 27: a silent server is left",
			file:    "activity/auth/oauth2.go",
			old: `	ctx, cancel := context.WithTimeout(ctx, s.timeout)
`,
			new: `	ctx, cancel := context.WithCancel(ctx)
`,
			pkg: "./activity/auth", test: "TestSilentServer",
		},
		{
			defence: "oauth_callback_confirmed is added",
			file:    "activity/auth/oauth1/flow.go",
			old:     `, "&oauth_callback_confirmed=true"...`,
			new:     "",
			pkg:     "./activity/auth/oauth1", test: "TestConnect",
		},
		{
			defence: "package oauth2 sends the secret once",
			file:    "activity/auth/oauth2.go",
			old: `			AuthStyle: oauth2.AuthStyleInParams,
`,
			new: "",
			pkg: "./activity/auth", test: "TestTokenRefreshesWithin600Seconds",
		},
		{
			defence: "nothing goes by the default transport",
			file:    "activity/auth/users.go",
			old: `		u.server.base = t
`,
			new: `		u.server.base = http.DefaultTransport
`,
			pkg: "./activity/auth", test: "TestOwnTransport",
		},
		{
			defence: "TLS 1.2 is the least",
			file:    "activity/auth/guard.go",
			old:     "tls.VersionTLS12",
			new:     "tls.VersionTLS10",
			pkg:     "./activity/auth", test: "TestOwnTransport",
		},
		{
			defence: "trap 8: Retry-After is clamped",
			file:    "internal/retryafter/retryafter.go",
			old:     "return time.Duration(min(n, Max.Seconds()) * float64(time.Second))",
			new:     "return time.Duration(n * float64(time.Second))",
			pkg:     "./activity/auth", test: "TestRetryAfterIsClamped",
		},
		{
			defence: "T18 of an answer only known codes are shown",
			file:    "activity/auth/guard.go",
			old:     "\t\tcase known:\n",
			new:     "\t\tcase known || retrieve.ErrorCode != \"\":\n",
			pkg:     "./activity/auth", test: "TestAnswers",
		},
		{
			defence: "T18 an error of net/http loses its URL",
			file:    "activity/auth/errors.go",
			old: `		return u.Err
`,
			new: `		return u
`,
			pkg: "./activity/auth", test: "TestNoSecretInErrors",
		},
		{
			defence: "T18 a refusal's text is not shown",
			file:    "activity/auth/connect.go",
			old:     "if _, known := oauthCodes[refusal]; known && refusal",
			new:     "if _, known := oauthCodes[refusal]; (known || true) && refusal",
			pkg:     "./activity/auth", test: "TestDeniedInOtherWords",
		},
		{
			defence: "T18 what holds secrets does not print them",
			file:    "activity/auth/opaque.go",
			old:     "func (opaque) Format(",
			new:     "func (opaque) format(",
			pkg:     "./activity/auth", test: "TestNoSecretInTypes",
		},
		{
			defence: "T18 a token that lost its secrets is not taken",
			file:    "activity/auth/token.go",
			old:     `	return errors.New("auth: the JSON of a Token has no secrets: use MarshalBinary and UnmarshalBinary")`,
			new:     "\treturn nil",
			pkg:     "./activity/auth", test: "TestNoSecretInTypes",
		},
		{
			defence: "T18 an unreadable token is not shown",
			file:    "activity/auth/token.go",
			old:     `		return errors.New("auth: unreadable token")`,
			new:     "\t\treturn err",
			pkg:     "./activity/auth", test: "TestNoSecretInTypes",
		},
		{
			defence: "F46 Users need a client id",
			file:    "activity/auth/app.go",
			old: `	case a.ClientID == "":
		return errors.New("auth: App without ClientID")
`,
			new: "",
			pkg: "./activity/auth", test: "TestConstructorsRefuse",
		},
		{
			defence: "F46 Users need a secret",
			file:    "activity/auth/app.go",
			old: `	case a.ClientSecret == "" && scheme == nil:
		return errors.New("auth: App without ClientSecret")
`,
			new: "",
			pkg: "./activity/auth", test: "TestConstructorsRefuse",
		},
		{
			defence: "F46 Users need a store",
			file:    "activity/auth/users.go",
			old:     "if store == nil {",
			new:     "if false {",
			pkg:     "./activity/auth", test: "TestConstructorsRefuse",
		},
		{
			defence: "F46 a negative time-out",
			file:    "activity/auth/users.go",
			old:     "if opts.Timeout < 0 {",
			new:     "if false {",
			pkg:     "./activity/auth", test: "TestConstructorsRefuse",
		},
		{
			defence: "F46 endpoints are https",
			file:    "internal/secureurl/secureurl.go",
			old:     `case u.Scheme == "http" && !Loopback(u.Hostname()) && u.Hostname() != plain:`,
			new:     "case false:",
			pkg:     "./activity/auth", test: "TestConstructorsRefuse",
		},
		{
			defence: "F46 endpoints have no user",
			file:    "internal/secureurl/secureurl.go",
			old:     `case u.User != nil || u.Fragment != "":`,
			new:     "case false:",
			pkg:     "./activity/auth", test: "TestConstructorsRefuse",
		},
		{
			defence: "F46 endpoints have no query",
			file:    "activity/auth/app.go",
			old:     `err == nil && u.RawQuery != ""`,
			new:     "err == nil && u == nil",
			pkg:     "./activity/auth", test: "TestConstructorsRefuse",
		},
		{
			defence: "F46 a short key",
			file:    "activity/auth/connect.go",
			old: `	case len(c.opts.Key) < 32:
		return nil, errors.New("auth: ConnectorOptions.Key is shorter than 32 bytes")
`,
			new: "",
			pkg: "./activity/auth", test: "TestConstructorsRefuse",
		},
		{
			defence: "F46 a connector without its secret",
			file:    "activity/auth/connect.go",
			old: `	case !c.opts.Scheme && c.server.app.ClientSecret == "":
		return nil, errors.New("auth: Connector for OAuth 2, and App has no ClientSecret")
`,
			new: "",
			pkg: "./activity/auth", test: "TestConstructorsRefuse",
		},
	}
}
