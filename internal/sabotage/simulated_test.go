package sabotage

// simulatedRows are what the fake Garmin and its control API promise their users.
func simulatedRows() []row {
	const dir, pkg = "activity/activitytest/", "./activity/activitytest"
	return []row{
		{
			defence: "Fake: a redirect_uri that is not registered",
			file:    dir + "consent.go",
			old:     `if c.named != "" && c.named != preset && (`,
			new:     `if c.named != "" && c.named != preset && false && (`,
			pkg:     pkg, test: "TestRedirectIsRegistered",
		},
		{
			defence: "Fake: no secret in the log of requests",
			file:    dir + "requests.go",
			old:     `Took: time.Since(w.start), By: w.by, Query: hideValues(r.URL.RawQuery),`,
			new:     `Took: time.Since(w.start), By: w.by, Query: r.URL.RawQuery,`,
			pkg:     pkg, test: "TestExchange",
		},
		{
			defence: "Fake: no secret of a token server in the log",
			file:    dir + "requests.go",
			old:     `e.Sent.Body, e.Answer.Body = hideBody(e.Sent.Body), hideBody(e.Answer.Body)`,
			new:     ``,
			pkg:     pkg, test: "TestExchange",
		},
		{
			defence: "Fake: what is kept of bodies is bounded",
			file:    dir + "journal.go",
			old:     `for j.bare < len(j.list) && j.loaded > bytes {`,
			new:     `for false {`,
			pkg:     pkg, test: "TestRetention",
		},
		{
			defence: "Fake: a body under way is not part of a state that was restored",
			file:    dir + "delivery.go",
			old:     `	kept := s.arrived(p)`,
			new:     `	kept := s.arrived(p) || true`,
			pkg:     pkg, test: "TestRestoreUnderWay",
		},
		{
			defence: "Fake: an item of another user",
			file:    dir + "item.go",
			old:     `(json.Unmarshal(raw, &owner) != nil || owner != u.id)`,
			new:     `(json.Unmarshal(raw, &owner) != nil)`,
			pkg:     pkg, test: "TestAddItem",
		},
		{
			defence: "Fake: a snapshot that is broken changes nothing",
			file:    dir + "snapshot.go",
			old: `	return l.err
}

func (s *Server) loadUser`,
			new: `	return nil
}

func (s *Server) loadUser`,
			pkg: pkg, test: "TestRestoreRefuses",
		},
		{
			defence: "Control: a PUT of one field leaves the others alone",
			file:    dir + "control/endpoint.go",
			old: `		if b.URL != nil {
			e.URL = *b.URL
		}`,
			new: `		e.URL = ""
		if b.URL != nil {
			e.URL = *b.URL
		}`,
			pkg: pkg + "/control", test: "TestDeliveries",
		},
		{
			defence: "Control: a stream of events is sampled",
			file:    dir + "control/event.go",
			old:     `eventLimit = 50 `,
			new:     `eventLimit = 5000 `,
			pkg:     pkg + "/control", test: "TestEvents",
		},
		{
			defence: "Control: every answer is described",
			file:    dir + "control/state.go",
			old:     "`json:\"clientId\"`\n\tRedirectURL string               `json:\"redirectURL\"`",
			new:     "`json:\"ClientID\"`\n\tRedirectURL string               `json:\"redirectURL\"`",
			pkg:     pkg + "/control", test: "TestState",
		},
	}
}
