package sabotage

// fakeRows keep secrets out of recordings, the fake's authority to its own hosts,
// and what nobody saw out of the dossier.
func fakeRows() []row {
	const recording = "./notify/recording"
	return []row{
		{
			defence: "a number under a key that nobody knows is made up",
			file:    "notify/recording/body.go",
			old:     "	default:\n		literal = d.number(literal, 0)\n",
			new:     "	default:\n",
			pkg:     recording, test: "TestNoSecretIsLeft",
		},
		{
			defence: "a measurement has no room for an id",
			file:    "notify/recording/disguise.go",
			old:     "		if seen++; seen > keep {",
			new:     "		if seen++; keep == 0 {",
			pkg:     recording, test: "TestNoSecretIsLeft",
		},
		{
			defence: "the decimals of a height are not those of a place",
			file:    "notify/recording/disguise.go",
			old:     "		b[i] = d.digit(b[i], false)\n	}\n	return head",
			new:     "		_ = b[i]\n	}\n	return head",
			pkg:     recording, test: "TestNoSecretIsLeft",
		},
		{
			defence: "a key that nobody knows is disguised",
			file:    "notify/recording/body.go",
			old:     "			s = w.d.text(s)\n",
			new:     "",
			pkg:     recording, test: "TestNoSecretIsLeft",
		},
		{
			defence: "tokens of a URL are crossed out",
			file:    "notify/recording/url.go",
			old:     "		case slices.Contains(tokens, key):\n			value = strings.Repeat(\"x\", len(value))\n",
			new:     "		case slices.Contains(tokens, key):\n",
			pkg:     recording, test: "TestURLs",
		},
		{
			defence: "the path of a receiver, which is a secret, is not recorded",
			file:    "notify/recording/recording.go",
			old:     "	if apiPath(h.path) {\n",
			new:     "	if true {\n",
			pkg:     recording, test: "TestHandler",
		},
		{
			defence: "who trusts the fake's authority trusts it for the fake alone",
			file:    "internal/fake/certificate.go",
			old:     "PermittedDNSDomainsCritical: true, PermittedDNSDomains: names,",
			new:     "",
			pkg:     "./internal/fake", test: "TestAuthority",
		},
		{
			defence: "a line of the review that is seen at Garmin alone does not pass",
			file:    "internal/verify/dossier.go",
			old:     "	case proved && !m.unseen:\n",
			new:     "	case proved:\n",
			pkg:     "./internal/verify", test: "TestSinkDoesNotPass",
		},
		{
			defence: "a check that was not tried is no proof",
			file:    "internal/verify/dossier.go",
			old:     "				if c.Verdict != verification.Passed {\n",
			new:     "				if c.Verdict == verification.Failed {\n",
			pkg:     "./internal/verify", test: "TestNoPassForWhatWasNotSeen",
		},
		{
			defence: "a check that was never made is no proof",
			file:    "internal/verify/dossier.go",
			old:     "		if !found {\n			return false\n",
			new:     "		if !found {\n			continue\n",
			pkg:     "./internal/verify", test: "TestNoPassForWhatWasNotSeen",
		},
	}
}
