package sabotage

// verifyRows are what activitytest.Verify demands of a receiver.
func verifyRows() []row {
	return []row{
		{
			defence: "Verify: 201 and 204 are not 200",
			file:    "activity/activitytest/verify.go",
			old:     "case status != http.StatusOK:",
			new:     "case status >= 300:",
			pkg:     "./activity/activitytest", test: "TestVerifyWrong/^answers_20",
		},
		{
			defence: "Verify: a signature that Garmin does not send",
			file:    "activity/activitytest/verify.go",
			old: `case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("answered %d: Garmin signs nothing and logs in nowhere", status)
`,
			new: "",
			pkg: "./activity/activitytest", test: "TestVerifyWrong/^checks_a_signature$",
		},
		{
			defence: "Verify: a ping held open until its callback",
			file:    "activity/activitytest/verify.go",
			old: `	case held:
		return fmt`,
			new: `	case held && false:
		return fmt`,
			pkg: "./activity/activitytest", test: "TestVerifyWrong/^holds_the_ping_open$",
		},
		{
			defence: "Verify: a callback that does not come",
			file:    "activity/activitytest/verify.go",
			old:     "if n, _ := v.requests(u); n == 0 {",
			new:     "if n, _ := v.requests(u); n < 0 {",
			pkg:     "./activity/activitytest", test: "TestVerifyWrong/^(drops_the_second_user|is_pull-only)$",
		},
		{
			defence: "Verify: a file without the token",
			file:    "activity/activitytest/verify_checks.go",
			old:     "); !bearer {",
			new:     "); false && !bearer {",
			pkg:     "./activity/activitytest", test: "TestVerifyWrong/^forgets",
		},
		{
			defence: "Verify: a file twice",
			file:    "activity/activitytest/verify_checks.go",
			old:     "if n := before + after; n > 1 {",
			new:     "if n := before + after; n > 2 {",
			pkg:     "./activity/activitytest", test: "TestVerifyWrong/^downloads_a_file_twice$",
		},
		{
			defence: "Verify: a forged callback",
			file:    "activity/activitytest/verify_checks.go",
			old: `; n > 0 {
			return fmt.Errorf("the forged`,
			new: `; n < 0 {
			return fmt.Errorf("the forged`,
			pkg: "./activity/activitytest", test: "TestVerifyWrong/^calls_any_URL$",
		},
		{
			defence: "Verify: a second list",
			file:    "activity/activitytest/verify_checks.go",
			old:     "return v.await([]string{first, second, third}",
			new: `_, _ = second, third
	return v.await([]string{first, first, first}`,
			pkg: "./activity/activitytest", test: "TestVerifyWrong/^reads_only_the_first_key$",
		},
		{
			defence: "Verify: the neighbours of an odd item",
			file:    "activity/activitytest/verify_checks.go",
			old:     `return v.await([]string{first, second}, []string{"the item before it", "the item after it"})`,
			new: `_, _ = first, second
	return nil`,
			pkg: "./activity/activitytest", test: "TestVerifyWrong/^drops_a_batch_with_an_odd_item$",
		},
		{
			defence: "Verify: a burst",
			file:    "activity/activitytest/verify_checks.go",
			old:     "case status != http.StatusOK:",
			new:     "case false:",
			pkg:     "./activity/activitytest", test: "TestVerifyWrong/^is_busy$",
		},
		{
			defence: "Verify: an edit and a repeat",
			file:    "activity/activitytest/verify_checks.go",
			old:     "return errors.Join(v.postString(body), v.postString(body))",
			new:     "return errors.Join(v.postString(body))",
			pkg:     "./activity/activitytest", test: "TestVerifyWrong/^refuses_what_it_has$",
		},
		{
			defence: "Verify: a large body",
			file:    "activity/activitytest/verify_checks.go",
			old:     "v.options.LargeBody, 10_000_000)",
			new:     "v.options.LargeBody, 1_000_000)",
			pkg:     "./activity/activitytest", test: "TestVerifyWrong/^has_an_8_MB_limit$",
		},
		{
			defence: "Verify: an unknown key",
			file:    "activity/activitytest/verify_checks.go",
			old:     `{"listsToCome":`,
			new:     `{"activities":`,
			pkg:     "./activity/activitytest", test: "TestVerifyWrong/^refuses_unknown_keys$",
		},
	}
}
