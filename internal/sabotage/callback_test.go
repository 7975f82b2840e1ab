package sabotage

// callbackRows are the threats to package activity, and the traps of its libraries.
func callbackRows() []row {
	return []row{
		{
			defence: "T1 a callback is the URL of its resource",
			file:    "activity/callback.go",
			old:     "if !p.isResource(where, kind.Resource()) {",
			new:     "if !p.isResource(where, kind.Resource()) && false {",
			pkg:     "./activity", test: "TestHostileCallbacks",
		},
		{
			defence: "T1 only hosts that were opted in",
			file:    "activity/callback.go",
			old:     "for _, host := range p.opts.CallbackHosts {",
			new:     `for _, host := range []string{"apis.garmin.com", "healthapi.garmin.com"} {`,
			pkg:     "./activity", test: "TestHostileCallbacks",
		},
		{
			defence: "T1 unknown parameters",
			file:    "activity/callback.go",
			old: `		case n < 0:
			return "an unknown parameter"
`,
			new: `		case n < 0:
			continue
`,
			pkg: "./activity", test: "TestHostileCallbacks/^(unknown_key|oauth_key|id_for_a_summary)$",
		},
		{
			defence: "T1 repeated parameters",
			file:    "activity/callback.go",
			old:     "case seen[n]:",
			new:     "case false:",
			pkg:     "./activity", test: "TestHostileCallbacks/^repeated_key$",
		},
		{
			defence: "T1 values that are not well escaped",
			file:    "activity/callback.go",
			old:     "case !plainValue(value):",
			new:     "case false:",
			pkg:     "./activity", test: "TestHostileCallbacks",
		},
		{
			defence: "T1 times that are no numbers",
			file:    "activity/callback.go",
			old:     "case n > 0 && kind",
			new:     "case false && n > 0 && kind",
			pkg:     "./activity", test: "TestHostileCallbacks",
		},
		{
			defence: "T1 parameters without value",
			file:    "activity/callback.go",
			old:     `if !ok || value == "" {`,
			new:     "if false && !ok {",
			pkg:     "./activity", test: "TestHostileCallbacks",
		},
		{
			defence: "T1 a callback of 9 KB",
			file:    "activity/callback.go",
			old:     "case len(s) > callbackLimit:",
			new:     "case false:",
			pkg:     "./activity", test: "TestHostileCallbacks/^9_KB$",
		},
		{
			defence: "T1 a callback is not dialled as it came",
			file:    "activity/pull.go",
			old: `query, err = c.pool.callback(kind, callbackURL)
`,
			new: `query, err = c.pool.callback(kind, callbackURL)
			if _, host, _ := strings.Cut(string(callbackURL), "//"); err == nil {
				own := *c.pool
				base := *own.base
				base.Host, _, _ = strings.Cut(host, "/")
				own.base = &base
				c = &Client{pool: &own, shared: c.shared, once: c.once}
			}
`,
			also: []edit{
				{"activity/pull.go", `	"net/http"
`, `	"net/http"
	"strings"
`},
			},
			pkg: "./activity", test: "TestGoodCallbacks",
		},
		{
			defence: "T1 the query is sent as it came",
			file:    "activity/call.go",
			old:     "RawQuery: cl.query}",
			new:     "RawQuery: again(cl.query)}",
			also: []edit{
				{"activity/call.go", "func (cl *call) verb() string {", `func again(raw string) string {
	v, _ := url.ParseQuery(raw)
	return v.Encode()
}

func (cl *call) verb() string {`},
			},
			pkg: "./activity", test: "TestGoodCallbacks",
		},
		{
			defence: "T2 redirects are not followed",
			file:    "activity/call.go",
			old:     "CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },",
			new:     "",
			also: []edit{
				{"activity/call.go", `resp.Header.Del("Location")`, ""},
				{"activity/transport.go", `u.Scheme != p.base.Scheme, u.Host != p.base.Host, req.Host != "" && req.Host != p.base.Host,
		u.User != nil, u.Opaque != "", u.RawPath != "", u.Path != p.base.Path+cl.path,
		u.RawQuery != cl.query, req.Method != cl.verb():`, "u == nil:"},
			},
			pkg: "./activity", test: "TestRedirects",
		},
		{
			defence: "T2 redirects are not followed by the client either",
			file:    "activity/call.go",
			old:     "CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },",
			new:     "",
			also: []edit{
				{"activity/call.go", `resp.Header.Del("Location")`, ""},
			},
			pkg: "./activity", test: "TestRedirects",
		},
		{
			defence: "T2 below the credential only the call's request passes",
			file:    "activity/transport.go",
			old:     "if err := p.check(req, cl); err != nil {",
			new:     "if err := p.check(req, cl); err != nil && cl == nil {",
			pkg:     "./activity", test: "TestPin",
		},
		{
			defence: "T2 a request without its call does not pass",
			file:    "activity/transport.go",
			old: `	case cl == nil:
		return errOrigin
`,
			new: `	case cl == nil:
		return nil
`,
			also: []edit{
				{"activity/transport.go", `	auth := req.Header.Get("Authorization")
`, `	if cl == nil {
		return p.next.RoundTrip(req)
	}
	auth := req.Header.Get("Authorization")
`},
			},
			pkg: "./activity", test: "TestPin/^lost_context$",
		},
		{
			defence: "T2 a credential adds no second header",
			file:    "activity/transport.go",
			old:     "return errHeader",
			new:     "",
			pkg:     "./activity", test: "TestPin/^line_break$",
		},
		{
			defence: "T3 a callback's resource is that of its kind",
			file:    "activity/callback.go",
			old:     `if s == p.base.String()+"/"+resource {`,
			new:     `if strings.HasPrefix(s, p.base.String()+"/") {`,
			pkg:     "./activity", test: "TestHostileCallbacks",
		},
		{
			defence: "T3 a callback's resource is of the same kind",
			file:    "activity/callback.go",
			old:     "if !p.isResource(where, kind.Resource()) {",
			new: `any := false
	for _, k := range types.Kinds() {
		any = any || p.isResource(where, k.Resource())
	}
	if !any {`,
			pkg: "./activity", test: "TestHostileCallbacks/^(details_for|activities_for|manual_for|file_for)",
		},
		{
			defence: "T3 a file is not followed",
			file:    "activity/pull.go",
			old:     "if kind != types.KindActivityFiles {",
			new:     "if true {",
			pkg:     "./activity", test: "TestFollowKinds",
		},
		{
			defence: "T18 an error is scrubbed",
			file:    "activity/scrub.go",
			old: `	if s == "" {
		return s
	}
	for`,
			new: `	if s != "" {
		return s
	}
	for`,
			pkg: "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "T18 the call's own secrets are scrubbed",
			file:    "activity/scrub.go",
			old:     "for _, secret := range cl.secrets() {",
			new:     "for _, secret := range cl.secrets()[:0] {",
			pkg:     "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "T18 pairs of a query are scrubbed",
			file:    "activity/scrub.go",
			old:     `s = queryPair.ReplaceAllString(s, "${1}"+redact.Mark)`,
			new:     "",
			pkg:     "./activity", test: "TestOthersSecretsStayHidden",
		},
		{
			defence: "T18 bearer tokens are scrubbed",
			file:    "activity/scrub.go",
			old:     `s = bearerText.ReplaceAllString(s, "${1}"+redact.Mark)`,
			new:     "",
			pkg:     "./activity", test: "TestOthersSecretsStayHidden",
		},
		{
			defence: "T18 named tokens are scrubbed",
			file:    "activity/scrub.go",
			old:     `return namedText.ReplaceAllString(s, "${1}"+redact.Mark)`,
			new:     "return s",
			pkg:     "./activity", test: "TestOthersSecretsStayHidden",
		},
		{
			defence: "T18 a url.Error is taken apart",
			file:    "activity/scrub.go",
			old: `	for errors.As(err, &ue) {
		err = ue.Err
	}`,
			new: "\t_ = ue",
			pkg: "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "T18 an error that holds a secret is replaced",
			file:    "activity/scrub.go",
			old:     "case !cl.tainted(err):",
			new:     "case true:",
			pkg:     "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "T18 so is one that wraps a secret",
			file:    "activity/scrub.go",
			old: `	switch u := err.(type) {
	case interface{ Unwrap() error }:`,
			new: `	switch u := any(nil).(type) {
	case interface{ Unwrap() error }:`,
			pkg: "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "T18 the excerpt of a page is scrubbed",
			file:    "activity/pull.go",
			old:     "cut(b.call.scrub(head), excerptLimit)",
			new:     "cut(head, excerptLimit)",
			pkg:     "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "T18 the trace id is scrubbed",
			file:    "activity/answer.go",
			old:     "e.TraceID = cut(scrub(oneLine(id)), 64)",
			new:     "e.TraceID = cut(oneLine(id), 64)",
			pkg:     "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "T18 Garmin's message is scrubbed",
			file:    "activity/answer.go",
			old:     "message = scrub(oneLine(message))",
			new:     "message = oneLine(message)",
			pkg:     "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "T18 a body's error is scrubbed",
			file:    "activity/body.go",
			old: `	default:
		err = b.call.safe(err)
`,
			new: `	default:
`,
			pkg: "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "T18 a base URL that is none is not printed",
			file:    "activity/options.go",
			old:     `return nil, errors.New("activity: Options.BaseURL is not a URL")`,
			new:     "return nil, err",
			pkg:     "./activity", test: "TestPanicsHideSecrets",
		},
		{
			defence: "T18 a callback is not printed",
			file:    "activity/callback.go",
			old:     "return refuse(p.difference(where, kind.Resource()))",
			new:     "return refuse(p.difference(s, kind.Resource()) + s)",
			pkg:     "./activity", test: "TestSecretsStayHidden",
		},
		{
			defence: "trap 5: clients of a pool share connections",
			file:    "activity/pool.go",
			old:     "shared, err := cred.Transport(p.shared)",
			new:     "shared, err := cred.Transport(&pin{base: p.base, next: newTransport(p.base.Hostname())})",
			pkg:     "./activity", test: "TestPoolSharesConnections",
		},
		{
			defence: "trap 7: retryablehttp logs nothing",
			file:    "activity/call.go",
			old:     "RetryMax:     o.MaxRetries,",
			new: `RetryMax:     o.MaxRetries,
		Logger:       retryablehttp.NewClient().Logger,`,
			pkg: "./activity", test: "TestNothingIsPrinted",
		},
		{
			defence: "trap 13: no proxy from the environment",
			file:    "activity/transport.go",
			old:     "DialContext:            dialer.DialContext,",
			new: `DialContext:            dialer.DialContext,
		Proxy:                  http.ProxyFromEnvironment,`,
			pkg: "./activity", test: "TestNoProxy",
		},
		{
			defence: "trap 18: the caller's request is not changed",
			file:    "activity/credential.go",
			old:     "req = req.Clone(req.Context())",
			new:     "",
			pkg:     "./activity", test: "TestCredentialsChangeACopy",
		},
		{
			defence: "trap 21: clients share no oauth1.Config",
			file:    "activity/auth/oauth1/credential.go",
			old: `		config := &dghubble.Config{
			ConsumerKey:    consumerKey,
			ConsumerSecret: string(consumerSecret),
			Noncer:         dghubble.HexNoncer{},
		}`,
			new: `		config := sharedConfig
		config.ConsumerKey, config.ConsumerSecret = consumerKey, string(consumerSecret)`,
			also: []edit{
				{"activity/auth/oauth1/credential.go", "// credential prints", `var sharedConfig = &dghubble.Config{}

// credential prints`},
			},
			pkg: "./activity/auth/oauth1", test: "TestClientsShareNothing",
			flags: []string{"-race"},
		},
		{
			defence: "trap 26: nonces are plain",
			file:    "activity/auth/oauth1/credential.go",
			old: `			Noncer:         dghubble.HexNoncer{},
`,
			new: "",
			pkg: "./activity/auth/oauth1", test: "TestSignatures",
		},
		{
			defence: "trap 33: times are whole numbers",
			file:    "activity/pull.go",
			old:     "\tStart int64  `",
			new:     "\tStart float64  `",
			also: []edit{
				{"activity/pull.go", "pullQuery{w.Start.Unix(),", "pullQuery{float64(w.Start.Unix()),"},
			},
			pkg: "./activity", test: "TestQueries",
		},
	}
}
