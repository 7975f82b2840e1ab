package sabotage

// verifyRows are what verification.Run demands of a receiver.
func verifyRows() []row {
	return []row{
		{
			defence: "Verify: 201 and 204 are not 200",
			file:    "activity/activitytest/verification/verification.go",
			old:     "case status != http.StatusOK:",
			new:     "case status >= 300:",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^answers_20",
		},
		{
			defence: "Verify: a signature that Garmin does not send",
			file:    "activity/activitytest/verification/verification.go",
			old: `case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return true, fmt.Errorf("answered %d: Garmin signs nothing and logs in nowhere", status)
`,
			new: "",
			pkg: "./activity/activitytest/verification", test: "TestWrong/^checks_a_signature$",
		},
		{
			defence: "Verify: a ping held open until its callback",
			file:    "activity/activitytest/verification/verification.go",
			old:     "if held {",
			new:     "if held && false {",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^holds_the_ping_open$",
		},
		{
			defence: "Verify: a callback that does not come",
			file:    "activity/activitytest/verification/verification.go",
			old:     "if v.requests(u).n == 0 {",
			new:     "if v.requests(u).n < 0 {",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^(drops_the_second_user|is_pull-only)$",
		},
		{
			defence: "Verify: a file without the token",
			file:    "activity/activitytest/verification/verification.go",
			old:     "case !c.header:",
			new:     "case false:",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^forgets",
		},
		{
			defence: "Verify: a file twice",
			file:    "activity/activitytest/verification/checks.go",
			old:     "if n := before + after; n > 1 {",
			new:     "if n := before + after; n > 2 {",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^downloads_a_file_twice$",
		},
		{
			defence: "Verify: a forged callback",
			file:    "activity/activitytest/verification/checks.go",
			old:     "if v.requests(forged[i]).n > 0 {",
			new:     "if v.requests(forged[i]).n < 0 {",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^calls_any_URL$",
		},
		{
			defence: "Verify: a second list",
			file:    "activity/activitytest/verification/checks.go",
			old:     "return v.await([]string{first, second, third}",
			new: `_, _ = second, third
	return v.await([]string{first, first, first}`,
			pkg: "./activity/activitytest/verification", test: "TestWrong/^reads_only_the_first_key$",
		},
		{
			defence: "Verify: the neighbours of an odd item",
			file:    "activity/activitytest/verification/checks.go",
			old:     `return v.await([]string{first, second}, []string{"the item before it", "the item after it"})`,
			new: `_, _ = first, second
	return nil`,
			pkg: "./activity/activitytest/verification", test: "TestWrong/^drops_a_batch_with_an_odd_item$",
		},
		{
			defence: "Verify: a burst",
			file:    "activity/activitytest/verification/checks.go",
			old:     "_, errs[i] = v.send(",
			new:     "_, errs[0*i] = v.send(",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^is_busy$",
		},
		{
			defence: "Verify: an edit and a repeat",
			file:    "activity/activitytest/verification/checks.go",
			old:     "return errors.Join(v.postString(body), v.postString(body))",
			new:     "return errors.Join(v.postString(body))",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^refuses_what_it_has$",
		},
		{
			defence: "Verify: a large body",
			file:    "activity/activitytest/verification/checks.go",
			old:     "v.options.LargeBody, 10_000_000)",
			new:     "v.options.LargeBody, 1_000_000)",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^has_an_8_MB_limit$",
		},
		{
			defence: "Verify: an unknown key",
			file:    "activity/activitytest/verification/checks.go",
			old:     `{"listsToCome":`,
			new:     `{"activities":`,
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^refuses_unknown_keys$",
		},
		{
			defence: "Verify: the token is the user's own",
			file:    "activity/activitytest/verification/verification.go",
			old:     "case c.user != u:",
			new:     "case false:",
			pkg:     "./activity/activitytest/verification", test: "TestWrong/^calls_back_with_one_token",
		},
		{
			defence: "Verify: two users need a sign of both",
			file:    "activity/activitytest/verification/delivered.go",
			old:     `return fmt.Errorf("%w: the users are made up; nothing shows whom the endpoint knows", errSkip)`,
			new:     "return nil",
			pkg:     "./activity/activitytest/verification", test: "TestSink",
		},
		{
			defence: "Verify: https needs an answer",
			file:    "activity/activitytest/verification/checks.go",
			old: `case err != nil:
		return fmt.Errorf("no answer`,
			new: `case err != nil && false:
		return fmt.Errorf("no answer`,
			pkg: "./activity/activitytest/verification", test: "TestNobodyThere",
		},
		{
			defence: "Verify: a certificate that nobody checked",
			file:    "activity/activitytest/verification/checks.go",
			old:     "case res.TLS == nil || len(res.TLS.VerifiedChains) == 0:",
			new:     "case res.TLS == nil:",
			pkg:     "./activity/activitytest/verification", test: "TestUncheckedCertificate",
		},
		{
			defence: "Verify: a body that was not read",
			file:    "activity/activitytest/verification/verification.go",
			old:     "case sent.n.Load() < size:",
			new:     "case false:",
			pkg:     "./activity/activitytest/verification", test: "TestHalfThere/read",
		},
		{
			defence: "Verify: an endpoint that hangs is not asked for ever",
			file:    "activity/activitytest/verification/verification.go",
			old:     "case v.silent >= tooSilent:",
			new:     "case false:",
			pkg:     "./activity/activitytest/verification", test: "TestHangs",
		},
		{
			defence: "Verify: what was not looked at is said",
			file:    "activity/activitytest/verification/report.go",
			old:     "if o.Delivered == nil {",
			new:     "if false {",
			pkg:     "./activity/activitytest/verification", test: "TestSink",
		},
		{
			defence: "Verify: a report of nothing is no pass",
			file:    "activity/activitytest/verification/report.go",
			old:     "return r.count(Passed) > 0 && ",
			new:     "return ",
			pkg:     "./activity/activitytest/verification", test: "TestSink",
		},
		{
			defence: "Verify: an application that says yes to all",
			file:    "activity/activitytest/verification/delivered.go",
			old: `case has:
`,
			new: `case has && false:
`,
			pkg: "./activity/activitytest/verification", test: "TestDelivered/^says_yes",
		},
		{
			defence: "Verify: the second user's summary",
			file:    "activity/activitytest/verification/delivered.go",
			old: `	return v.awaitDelivered(v.wait(), first, second)
}

func (v *verifier) checkPingDelivered`,
			new: `	_ = second
	return v.awaitDelivered(v.wait(), first)
}

func (v *verifier) checkPingDelivered`,
			pkg: "./activity/activitytest/verification", test: "TestDelivered/^stores_the_first",
		},
		{
			defence: "Verify: the endpoint's path is secret",
			file:    "activity/activitytest/verification/verification.go",
			old:     `s += "/..."`,
			new:     "s += u.Path",
			pkg:     "./activity/activitytest/verification", test: "TestSink",
		},
		{
			defence: "M8 the control API has its own names",
			file:    "activity/activitytest/control/guard.go",
			old:     "if !secureurl.Loopback(host) && ",
			new:     "if secureurl.Loopback(host) && false && ",
			pkg:     "./activity/activitytest/control", test: "TestStrangers",
		},
		{
			defence: "M8 writes from other web pages",
			file:    "activity/activitytest/control/guard.go",
			old:     "h = same.Handler(h)",
			new:     "",
			pkg:     "./activity/activitytest/control", test: "TestStrangers",
		},
	}
}
