package sabotage

// clientRows are the faults of package activity.
func clientRows() []row {
	return []row{
		{
			defence: "F20 a 401 tells how far the clocks differ",
			file:    "activity/call.go",
			old:     "e.ClockSkew = skew",
			new:     "_ = skew",
			pkg:     "./activity", test: "TestClockSkew",
		},
		{
			defence: "F20 a Retry-After date counts from the answer's Date",
			file:    "internal/retryafter/retryafter.go",
			old:     `http.ParseTime(answer.Get("Date"))`,
			new:     `http.ParseTime("")`,
			pkg:     "./activity", test: "TestRetryAfter/^wrong_clock_here$",
		},
		{
			defence: "F21 a name that does not exist is one attempt",
			file:    "activity/retry.go",
			old:     "return !dns.IsNotFound",
			new:     "return true",
			pkg:     "./activity", test: "TestAttempts/^no_such_host$",
		},
		{
			defence: "F21 DNS that fails is asked again",
			file:    "activity/retry.go",
			old:     "return !dns.IsNotFound",
			new:     "return false",
			pkg:     "./activity", test: "TestAttempts/^DNS_fails_for_now$",
		},
		{
			defence: "F21 loopback and link-local addresses are not dialled",
			file:    "activity/transport.go",
			old:     "ip.IsLoopback() || ip.IsLinkLocalUnicast() || ",
			new:     "",
			pkg:     "./activity", test: "TestDialFailures/^private_addresses",
		},
		{
			defence: "F21 Garmin's names do not lead to private addresses",
			file:    "activity/transport.go",
			old:     " || public && ip.IsPrivate()",
			new:     "",
			pkg:     "./activity", test: "TestDialFailures/^private_addresses",
		},
		{
			defence: "F21 the transport asks before it dials",
			file:    "activity/transport.go",
			old:     "dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkAddress(address, garmin) }",
			new:     "_, _ = garmin, syscall.EINVAL",
			pkg:     "./activity", test: "TestDialFailures/^and_the_private_transport_asks$",
		},
		{
			defence: "F22 a certificate of another host is one attempt",
			file:    "activity/retry.go",
			old:     "errors.As(err, &cert), ",
			new:     "",
			also: []edit{
				{"activity/retry.go", ", errors.As(err, &host), errors.As(err, &auth), errors.As(err, &bad):", ":"},
				{"activity/retry.go", `		cert *tls.CertificateVerificationError
`, ""},
				{"activity/retry.go", `		host x509.HostnameError
		auth x509.UnknownAuthorityError
		bad  x509.CertificateInvalidError
`, `		_    x509.HostnameError
`},
			},
			pkg: "./activity", test: "TestDialFailures/^wrong_certificate$",
		},
		{
			defence: "F22 http in place of TLS is one attempt",
			file:    "activity/retry.go",
			old:     "errors.As(err, &head), ",
			new:     "",
			also: []edit{
				{"activity/retry.go", `		head tls.RecordHeaderError
`, ""},
			},
			pkg: "./activity", test: "TestDialFailures/^http_to_a_TLS_client$",
		},
		{
			defence: "F22 TLS 1.2 is the least",
			file:    "activity/transport.go",
			old:     "tls.VersionTLS12",
			new:     "tls.VersionTLS10",
			pkg:     "./activity", test: "TestDialFailures/^TLS_1.1$",
		},
		{
			defence: "F22 a refused connection is tried again",
			file:    "activity/call.go",
			old:     "e.repeat = (network != nil || err == errTimeout) && fleeting(err)",
			new:     "e.repeat = err == errTimeout && fleeting(err)",
			pkg:     "./activity", test: "TestDialFailures/^refused",
		},
		{
			defence: "F23 each attempt is signed afresh",
			file:    "activity/call.go",
			old:     "\tresp, err := next.RoundTrip(req.WithContext(actx))",
			new: `	if signed, _ := cl.auth.Load().(string); signed != "" {
		req.Header.Set("Authorization", signed)
		next = pool.shared
	}
	resp, err := next.RoundTrip(req.WithContext(actx))`,
			pkg: "./activity", test: "TestEachAttemptIsSignedAfresh",
		},
		{
			defence: "F24 a download that was sent is not repeated",
			file:    "activity/call.go",
			old:     "e.Err, e.repeat = &because{ErrMaybeSpent, err}, false",
			new:     "e.Err = &because{ErrMaybeSpent, err}",
			pkg:     "./activity", test: "TestDownloadOutcomes/^maybe_spent",
		},
		{
			defence: "F24 a download that was sent is told from one that was not",
			file:    "activity/call.go",
			old:     "case cl.handed.Load() && (cl.wrote.Load() || !cl.traced.Load()):",
			new:     "case false:",
			pkg:     "./activity", test: "TestDownloadOutcomes/^maybe_spent",
		},
		{
			defence: "F24 a transport that does not tell may have sent it",
			file:    "activity/call.go",
			old:     "(cl.wrote.Load() || !cl.traced.Load())",
			new:     "cl.wrote.Load()",
			pkg:     "./activity", test: "TestAttempts/^EOF$/^Download$",
		},
		{
			defence: "F24 a refused download is not repeated",
			file:    "activity/call.go",
			old:     "e.repeat = passing(resp.StatusCode) && !cl.once",
			new:     "e.repeat = passing(resp.StatusCode)",
			pkg:     "./activity", test: "TestAttempts/^503$/^Download$",
		},
		{
			defence: "F24 an unsent download is repeated",
			file:    "activity/call.go",
			old: `		e.Err = &because{ErrNotSent, err}
	}
	return e`,
			new: `		e.Err, e.repeat = &because{ErrNotSent, err}, false
	}
	return e`,
			pkg: "./activity", test: "TestDownloadOutcomes/^not_sent",
		},
		{
			defence: "F25 a file of another length than announced is cut",
			file:    "activity/body.go",
			old:     "case err == io.EOF && (b.want < 0 || b.read == b.want):",
			new:     "case err == io.EOF:",
			pkg:     "./activity", test: "TestDownloadOutcomes/^cut",
		},
		{
			defence: "F25 the error of a cut file tells the bytes",
			file:    "activity/pull.go",
			old: `Received: b.read, Err: err}
	if de`,
			new: `Err: err}
	if de`,
			pkg: "./activity", test: "TestDownloadOutcomes/^cut",
		},
		{
			defence: "F25 an empty gzip stream is cut",
			file:    "activity/body.go",
			old: `err = io.ErrUnexpectedEOF
			}
			return 0, err`,
			new: `_ = io.ErrUnexpectedEOF
			}
			return 0, err`,
			pkg: "./activity", test: "TestInflation/^empty$",
		},
		{
			defence: "F25 a gzip stream is checked to its trailer",
			file:    "activity/body.go",
			old: `	b.err = err
	return n, err
}`,
			new: `	if errors.Is(err, gzip.ErrChecksum) {
		err = io.EOF
	}
	b.err = err
	return n, err
}`,
			pkg: "./activity", test: "TestInflation/^bad_trailer$",
		},
		{
			defence: "F25 what is called gzip and is none is not lost",
			file:    "activity/body.go",
			old:     "if magic, err := i.src.Peek(len(gzipMagic)); string(magic) != gzipMagic && (err == nil || err == io.EOF) {",
			new:     "if false {",
			pkg:     "./activity", test: "TestFileAnswers",
		},
		{
			defence: "K2 a file under 203 or 206 is not thrown away",
			file:    "activity/call.go",
			old:     " ||\n		cl.op == opDownload && (status == http.StatusNonAuthoritativeInfo || status == http.StatusPartialContent)",
			new:     "",
			pkg:     "./activity", test: "TestFileAnswers",
		},
		{
			defence: "F25 a part of a file is none",
			file:    "activity/body.go",
			old:     "b.part = first != 0 || last != size-1",
			new:     "b.part = false",
			pkg:     "./activity", test: "TestFileAnswers",
		},
		{
			defence: "K1 a file with an end of its own is whole though its transfer broke",
			file:    "notify/files_download.go",
			old:     "if err = e; e == nil && (v.ending != endingWhole ||",
			new:     "if err = e; e == nil && (true ||",
			pkg:     "./activity", test: "TestFileAnswers",
		},
		{
			defence: "F25 a file is asked for as it is",
			file:    "activity/call.go",
			old:     `req.Header["Accept-Encoding"] = []string{"identity"}`,
			new:     "",
			pkg:     "./activity", test: "TestInflation/^nobody_asks_for_it$",
		},
		{
			defence: "F26 net/http does not repeat a download by itself",
			file:    "activity/pool.go",
			old:     "once = oneShot(t)",
			new:     "_ = t",
			also: []edit{
				{"activity/call.go", "req.Body = noBody{}", ""},
			},
			pkg: "./activity", test: "TestSilentReplay/^private$",
		},
		{
			defence: "F26 nor through a transport that is not ours",
			file:    "activity/call.go",
			old:     "req.Body = noBody{}",
			new:     "",
			pkg:     "./activity", test: "TestSilentReplay/^wrapped$",
		},
		{
			defence: "F26 a download has a connection of its own",
			file:    "activity/pool.go",
			old:     "once = oneShot(t)",
			new:     "_ = t",
			pkg:     "./activity", test: "TestOneShotConnection",
		},
		{
			defence: "F26 Request.Close would take a used connection",
			file:    "activity/pool.go",
			old:     "once = oneShot(t)",
			new:     "_ = t",
			also: []edit{
				{"activity/call.go", "req.Body = noBody{}", "req.Body, req.Close = noBody{}, true"},
			},
			pkg: "./activity", test: "TestOneShotConnection",
		},
		{
			defence: "F26 a download goes over HTTP/1.1",
			file:    "activity/transport.go",
			old:     "t.Protocols.SetHTTP1(true)",
			new: `t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(true)`,
			also: []edit{
				{"activity/transport.go", `	t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
`, `	t.TLSNextProto = nil
	var _ map[string]func(string, *tls.Conn) http.RoundTripper
`},
				{"activity/transport.go", `t.TLSClientConfig.NextProtos = []string{"http/1.1"}`, "t.TLSClientConfig.NextProtos = nil"},
			},
			pkg: "./activity", test: "TestOneShotConnection",
		},
		{
			defence: "F27 410 is an error of its own",
			file:    "activity/answer.go",
			old:     "e.Err = ErrGone",
			new:     "",
			pkg:     "./activity", test: "TestDownloadOutcomes/^refused$",
		},
		{
			defence: "F30 Retry-After is capped",
			file:    "activity/retry.go",
			old:     "return o.MaxBackoff - jitter(o.MaxBackoff/10)",
			new:     "return asked",
			pkg:     "./activity", test: "TestRetryAfter",
		},
		{
			defence: "F30 seconds beyond all measure",
			file:    "internal/retryafter/retryafter.go",
			old:     "min(n, Max.Seconds())",
			new:     "n",
			pkg:     "./activity", test: "TestRetryAfter",
		},
		{
			defence: "F30 negative seconds and NaN",
			file:    "internal/retryafter/retryafter.go",
			old:     "if !(n > 0) {",
			new:     "if false {",
			pkg:     "./activity", test: "TestRetryAfter",
		},
		{
			defence: "F30 a date long past or far off",
			file:    "internal/retryafter/retryafter.go",
			old:     "return min(max(at.Sub(now), 0), Max)",
			new:     "return at.Sub(now)",
			pkg:     "./activity", test: "TestRetryAfter",
		},
		{
			defence: "F30 dates of the two old forms",
			file:    "internal/retryafter/retryafter.go",
			old:     "at, err := http.ParseTime(s)",
			new:     "at, err := time.Parse(http.TimeFormat, s)",
			pkg:     "./activity", test: "TestRetryAfter",
		},
		{
			defence: "F30 the wait doubles",
			file:    "internal/backoff/backoff.go",
			old:     "d = min(d, least<<shift)",
			new:     "d = min(d, least)",
			pkg:     "./activity", test: "TestBackoff",
		},
		{
			defence: "F30 the wait has a random part",
			file:    "activity/retry.go",
			old:     "return backoff.Wait(n+1, o.MinBackoff, o.MaxBackoff)",
			new:     "return min(o.MinBackoff<<n, o.MaxBackoff)",
			also: []edit{
				{"activity/retry.go", "	\"github.com/garminkit/activityapi/internal/backoff\"\n", ""},
			},
			pkg: "./activity", test: "TestBackoff",
		},
		{
			defence: "F30 what the server asked for has a random part",
			file:    "activity/retry.go",
			old:     "return min(asked+jitter(asked/10), o.MaxBackoff)",
			new:     "return min(asked, o.MaxBackoff)",
			pkg:     "./activity", test: "TestRetryAfter/^random_part$",
		},
		{
			defence: "F30 the cap has a random part",
			file:    "activity/retry.go",
			old:     "return o.MaxBackoff - jitter(o.MaxBackoff/10)",
			new:     "return o.MaxBackoff",
			pkg:     "./activity", test: "TestRetryAfter/^random_part$",
		},
		{
			defence: "F30 the wait ends at the cap",
			file:    "internal/backoff/backoff.go",
			old:     "		d = min(d, least<<shift)",
			new:     "		d = least << shift",
			pkg:     "./activity", test: "TestBackoff",
		},
		{
			defence: "F30 Retry-After of a budget-less wait is kept",
			file:    "activity/retry.go",
			old: `case asked > 0:
`,
			new: `case false:
`,
			pkg: "./activity", test: "TestRetryAfter",
		},
		{
			defence: "F31 501 and 505 are one attempt",
			file:    "activity/retry.go",
			old: `case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
`,
			new: "",
			pkg: "./activity", test: "TestAttempts/^50[15]$",
		},
		{
			defence: "F31 999 is one attempt",
			file:    "activity/retry.go",
			old:     " && status <= 599",
			new:     "",
			pkg:     "./activity", test: "TestAttempts/^999$",
		},
		{
			defence: "F31 408, 425 and 429 may pass",
			file:    "activity/retry.go",
			old: `case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
`,
			new: "",
			pkg: "./activity", test: "TestAttempts/^4(08|25|29)$",
		},
		{
			defence: "F31 attempts are counted",
			file:    "activity/call.go",
			old:     " || cl.attempts > o.MaxRetries",
			new:     "",
			also: []edit{
				{"activity/call.go", "RetryMax:     o.MaxRetries", "RetryMax:     o.MaxRetries + 1"},
			},
			pkg: "./activity", test: "TestAttempts/^503$",
		},
		{
			defence: "F31 retryablehttp's own table is not used",
			file:    "activity/call.go",
			old:     "CheckRetry:   cl.checkRetry",
			new:     "CheckRetry:   retryablehttp.DefaultRetryPolicy",
			pkg:     "./activity", test: "TestAttempts",
		},
		{
			defence: "F32 1 KiB of a page is kept",
			file:    "activity/answer.go",
			old:     "excerptLimit = 1 << 10",
			new:     "excerptLimit = 4 << 10",
			pkg:     "./activity", test: "TestOddLists/^long_page$",
		},
		{
			defence: "F32 what is no list is kept",
			file:    "activity/pull.go",
			old:     "e.Body = cut(b.call.scrub(head), excerptLimit)",
			new:     "_ = cut(b.call.scrub(head), excerptLimit)",
			pkg:     "./activity", test: "TestOddLists/^page$",
		},
		{
			defence: "F32 a bad item is not passed over in silence",
			file:    "activity/pull.go",
			old:     "if bad.count > 0 {",
			new:     "if false {",
			pkg:     "./activity", test: "TestOneBadItem",
		},
		{
			defence: "F32 a bad item is not tried again",
			file:    "activity/fault.go",
			old:     "errors.As(e.Err, &list),",
			new:     "errors.As(e.Err, &list) && false,",
			pkg:     "./activity", test: "TestOddLists/^bad_items$",
		},
		{
			defence: "F32 a user id that is none is refused",
			file:    "activity/user.go",
			old:     `err != nil || v.UserID == ""`,
			new:     "err != nil",
			pkg:     "./activity", test: "TestPermissionShapes",
		},
		{
			defence: "F33 401 tells to connect again",
			file:    "activity/answer.go",
			old: `case e.StatusCode == http.StatusUnauthorized,
`,
			new: `case
`,
			pkg: "./activity", test: "TestAnswers",
		},
		{
			defence: "F33 403 concerns the user",
			file:    "activity/fault.go",
			old:     "case !errors.Is(e.Err, ErrUnauthorized) && !errors.Is(e.Err, ErrForbidden):",
			new:     "case !errors.Is(e.Err, ErrUnauthorized):",
			pkg:     "./activity", test: "TestAnswers",
		},
		{
			defence: "F33 412 names the permission",
			file:    "activity/answer.go",
			old:     "e.Permission = types.Permission(m[1])",
			new:     "",
			pkg:     "./activity", test: "TestAnswers",
		},
		{
			defence: "F33 401 is one attempt",
			file:    "activity/retry.go",
			old:     "case http.StatusRequestTimeout,",
			new:     "case http.StatusUnauthorized, http.StatusRequestTimeout,",
			pkg:     "./activity", test: "TestAttempts/^401$",
		},
		{
			defence: "F34 T11 T14 a body is bounded after inflation",
			file:    "activity/body.go",
			old:     "if b.read > limit {",
			new:     "if false {",
			pkg:     "./activity", test: "TestInflation/^bomb$",
			flags: []string{"-timeout=30s"},
		},
		{
			defence: "F34 T14 a bomb that net/http inflates is bounded",
			file:    "activity/body.go",
			old:     "if b.read > limit {",
			new:     "if false {",
			pkg:     "./activity", test: "TestInflation/^bomb_over",
		},
		{
			defence: "F34 an endless list ends",
			file:    "activity/body.go",
			old:     "if b.read > limit {",
			new:     "if false {",
			also: []edit{
				{"activity/body.go", "p = p[:left]", "_ = left"},
			},
			pkg: "./activity", test: "TestInflation/^endless_list$",
			flags: []string{"-timeout=10s"},
		},
		{
			defence: "F34 the answer of a small call is bounded",
			file:    "activity/user.go",
			old:     "case len(text) > answerLimit:",
			new:     "case false:",
			also: []edit{
				{"activity/user.go", "io.ReadAll(io.LimitReader(body, answerLimit+1))", "io.ReadAll(io.Reader(body))"},
			},
			pkg: "./activity", test: "TestInflation/^small_answers$",
		},
		{
			defence: "F35 a pull's window is checked first",
			file:    "activity/pull.go",
			old:     "err := w.Check(maxPull)",
			new:     "var err error",
			pkg:     "./activity", test: "TestWindowsAreCheckedFirst",
		},
		{
			defence: "F35 a backfill's window is checked first",
			file:    "activity/backfill.go",
			old:     "err := w.Check(maxBackfill)",
			new:     "var err error",
			pkg:     "./activity", test: "TestWindowsAreCheckedFirst",
		},
		{
			defence: "F35 a kind without backfill is refused",
			file:    "activity/backfill.go",
			old:     "return &Error{Op: opBackfill, Err: errKind}",
			new:     "",
			pkg:     "./activity", test: "TestWindowsAreCheckedFirst",
		},
		{
			defence: "F36 a backfill is not repeated",
			file:    "activity/backfill.go",
			old:     "once:   true",
			new:     "once:   false",
			also: []edit{
				{"activity/backfill.go", "single: true", "single: false"},
			},
			pkg: "./activity", test: "TestAttempts/^(EOF|503)$/^Backfill$",
		},
		{
			defence: "F36 nor does net/http repeat it",
			file:    "activity/backfill.go",
			old:     "once:   true",
			new:     "once:   false",
			pkg:     "./activity", test: "TestSilentReplay/^private$/^Backfill$",
		},
		{
			defence: "F36 not even one that did not leave is repeated",
			file:    "activity/backfill.go",
			old:     "single: true",
			new:     "single: false",
			pkg:     "./activity", test: "TestDownloadOutcomes/^a_backfill",
		},
		{
			defence: "F37 the end of a range is its last second",
			file:    "activity/backfill.go",
			old:     "w.End.Unix() - 1",
			new:     "w.End.Unix()",
			pkg:     "./activity", test: "TestQueries",
		},
		{
			defence: "F40 a credential that fails is one attempt",
			file:    "activity/call.go",
			old:     "(network != nil || err == errTimeout) && fleeting(err)",
			new:     "fleeting(err)",
			pkg:     "./activity", test: "TestCredentialErrors",
		},
		{
			defence: "F40 a refused refresh token is the user's",
			file:    "activity/credential.go",
			old: `	case e.code == "invalid_grant":
		e.fault = types.FaultUser
`,
			new: "",
			pkg: "./activity", test: "TestCredentialErrors/^refresh_token_refused$",
		},
		{
			defence: "F40 of a refusal only the code is kept",
			file:    "activity/credential.go",
			old:     "		e := refreshErrorOf(re)",
			new:     "		e := refreshErrorOf(re)\n		e.code = string(re.Body)",
			pkg:     "./activity", test: "TestCredentialErrors",
		},
		{
			defence: "F40 a credential may say itself that the user must act",
			file:    "activity/fault.go",
			old:     "return own.Fault()",
			new:     `return ""`,
			pkg:     "./activity", test: "TestCredentialErrors/^its_own_word$",
		},
		{
			defence: "F42 a message in broken JSON is found",
			file:    "activity/answer.go",
			old:     "if m := looseMessage.FindSubmatch(body); m != nil {",
			new:     "if m := looseMessage.FindSubmatch(nil); m != nil {",
			pkg:     "./activity", test: "TestAnswers/^409_that_is_not_JSON",
		},
		{
			defence: "F42 what is not JSON is kept",
			file:    "activity/answer.go",
			old:     "e.Body = cut(all, excerptLimit)",
			new:     "_ = cut(all, excerptLimit)",
			pkg:     "./activity", test: "TestAnswers/^403_page$",
		},
		{
			defence: "F42 the trace id is found",
			file:    "activity/answer.go",
			old:     "e.TraceID, message = m[1], message[len(m[0]):]",
			new:     "message = message[len(m[0]):]",
			pkg:     "./activity", test: "TestAnswers/^409$",
		},
		{
			defence: "F43 an outage is not multiplied",
			file:    "activity/retry.go",
			old:     "if b.left < 1 {",
			new:     "if false {",
			pkg:     "./activity", test: "TestOutage",
		},
		{
			defence: "F43 the budget fills in good times",
			file:    "activity/retry.go",
			old:     "b.left = min(b.left+b.share, budgetMax)",
			new:     "",
			pkg:     "./activity", test: "TestBudgetAllowsOrdinaryFailures",
		},
		{
			defence: "F43 the budget does not add up without end",
			file:    "activity/retry.go",
			old:     "b.left = min(b.left+b.share, budgetMax)",
			new:     "b.left += b.share",
			pkg:     "./activity", test: "TestOutage",
		},
		{
			defence: "F43 all clients of a pool share the budget",
			file:    "activity/pool.go",
			old:     "return &Client{pool: p, shared: shared, once: once}, nil",
			new: `own := *p
	own.budget = newBudget(p.opts.RetryBudget)
	return &Client{pool: &own, shared: shared, once: once}, nil`,
			pkg: "./activity", test: "TestOutage",
		},
		{
			defence: "F45 an ended context tells its cause",
			file:    "activity/errors.go",
			old:     "return &because{err, cause}",
			new:     "return err",
			pkg:     "./activity", test: "TestContextWins",
		},
		{
			defence: "F45 the status survives the end in back-off",
			file:    "activity/call.go",
			old:     "stopped.Err = &because{e.Err, stopped.Err}",
			new:     "",
			pkg:     "./activity", test: "TestContextWins/^status_survives$",
		},
		{
			defence: "F45 a call does not wait for a token longer than its context",
			file:    "activity/credential.go",
			old: `	case <-ctx.Done():
		return nil, context.Cause(ctx)
`,
			new: "",
			pkg: "./activity", test: "TestContextWins/^waiting_for_a_token$",
		},
		{
			defence: "F45 no repeat is waited for that the deadline forbids",
			file:    "activity/call.go",
			old:     "time.Until(deadline) <= cl.wait",
			new:     "false && time.Until(deadline) <= cl.wait",
			pkg:     "./activity", test: "TestContextWins/^a_deadline",
		},
		{
			defence: "F45 nothing is sent after the end",
			file:    "activity/call.go",
			old: `	if ctx.Err() != nil {
		e := &Error{Op: cl.op, Err: ctxError(ctx)}`,
			new: `	if false {
		e := &Error{Op: cl.op, Err: ctxError(ctx)}`,
			pkg: "./activity", test: "TestContextWins/^before_the_call$",
		},
		{
			defence: "F45 a list that is left gives its connection up",
			file:    "activity/pull.go",
			old:     "defer body.Close()",
			new:     "",
			pkg:     "./activity", test: "TestBreakReleases",
			flags: []string{"-timeout=20s"},
		},
		{
			defence: "F45 a pool that is closed leaves nothing",
			file:    "activity/pool.go",
			old:     "p.idle = append(p.idle, own)",
			new:     "",
			pkg:     "./activity", test: "TestCloseLeavesNothing",
		},
		{
			defence: "a silent server is given up",
			file:    "activity/watchdog.go",
			old: `w.cancel(errTimeout)
`,
			new: "",
			pkg: "./activity", test: "TestTimeout/^(no_answer|body_stalls)",
		},
		{
			defence: "an error's body is not waited for",
			file:    "activity/call.go",
			old:     "func() { cancel(errTimeout) })",
			new:     "func() {})",
			pkg:     "./activity", test: "TestTimeout/^error",
		},
		{
			defence: "a pause of the reader is no stall",
			file:    "activity/watchdog.go",
			old:     "func (w *watchdog) rest() { w.waiting.Store(false) }",
			new:     "func (w *watchdog) rest() {}",
			pkg:     "./activity", test: "TestSlowReader",
		},
		{
			defence: "F46 a base URL is https",
			file:    "activity/options.go",
			old:     `case u.Scheme == "http" && !secureurl.Loopback(host) && host != plain:`,
			new:     "case false:",
			pkg:     "./activity", test: "TestOptions/^http_to_a_private_host$",
		},
		{
			defence: "F46 a base URL has no user, query or fragment",
			file:    "activity/options.go",
			old: `case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return bad("has more than scheme, host and path")
`,
			new: "",
			pkg: "./activity", test: "TestOptions/^(userinfo|query|fragment)$",
		},
		{
			defence: "F46 a base URL has a host",
			file:    "activity/options.go",
			old:     `case u.Opaque != "" || host == "":`,
			new:     "case false:",
			pkg:     "./activity", test: "TestOptions/^no_host$",
		},
		{
			defence: "F46 a base URL has a plain path",
			file:    "activity/options.go",
			old:     `case u.RawPath != "" || !basePath.MatchString(path):`,
			new:     "case false:",
			pkg:     "./activity", test: "TestOptions/^(dots|escapes)$",
		},
		{
			defence: "F46 a base URL does not sign wrongly",
			file:    "activity/options.go",
			old: `	case port == "80" || port == "443":
		// OAuth 1.0a signatures leave out these ports whatever the scheme, so
		// the server would see another text than was signed.
		return bad("has the other scheme's port")
`,
			new: "",
			pkg: "./activity", test: "TestOptions/^(a_port_that_signs_wrongly)$",
		},
		{
			defence: "F46 limits are not negative",
			file:    "activity/options.go",
			old: `case v.Timeout < 0 || v.MaxResponseBytes < 0 || v.MaxItemBytes < 0 || v.MinBackoff < 0 || v.MaxBackoff < 0:
		return v, errors.New("activity: a negative limit in Options")
`,
			new: "",
			pkg: "./activity", test: "TestOptions/^(negative_(timeout|limit|back-off))$",
		},
		{
			defence: "F46 the back-off is not upside down",
			file:    "activity/options.go",
			old: `case v.MinBackoff > v.MaxBackoff:
		return v, errors.New("activity: Options.MinBackoff is above MaxBackoff")
`,
			new: "",
			pkg: "./activity", test: "TestOptions/^(back-off_upside_down)$",
		},
		{
			defence: "F46 the budget is a share",
			file:    "activity/options.go",
			old: `case !(v.RetryBudget > 0 && v.RetryBudget <= 1):
		return v, errors.New("activity: Options.RetryBudget is not within 0 and 1")
`,
			new: "",
			pkg: "./activity", test: "TestOptions/^(negative_budget|budget_above_one)$",
		},
		{
			defence: "F46 a user agent is no second header",
			file:    "activity/options.go",
			old: `case strings.ContainsFunc(v.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }):
		return v, errors.New("activity: Options.UserAgent has a character that no header may hold")
`,
			new: "",
			pkg: "./activity", test: "TestOptions/^(user_agent)$",
		},
		{
			defence: "F46 a callback host is a name",
			file:    "activity/options.go",
			old:     "if !hostName.MatchString(h) {",
			new:     "if false {",
			pkg:     "./activity", test: "TestOptions/^callback_host",
		},
		{
			defence: "F46 OAuth 1.0a needs all its parts",
			file:    "activity/auth/oauth1/credential.go",
			old:     `if consumerKey == "" || consumerSecret == "" || t.AccessToken == "" || t.TokenSecret == "" {`,
			new:     "if false {",
			pkg:     "./activity/auth/oauth1", test: "TestConstructorRefuses",
		},
		{
			defence: "F46 OAuth 2 needs a source",
			file:    "activity/credential.go",
			old:     "if source == nil {",
			new:     "if false {",
			pkg:     "./activity", test: "TestOptions/^no_source$",
		},
		{
			defence: "F46 a client needs a credential",
			file:    "activity/pool.go",
			old:     "if cred == nil {",
			new:     "if false {",
			pkg:     "./activity", test: "TestOptions/^no_credential$",
		},
	}
}
