package sabotage

// garminctlRows are the defences of cmd/garminctl, which is a module of its own.
func garminctlRows() []row {
	const (
		pkg      = "./cmd/garminctl"
		dir      = "cmd/garminctl/"
		endpoint = dir + "doctor_endpoint.go"
		letters  = dir + "letters.go"
		migrate  = dir + "migrate.go"
	)
	return []row{
		{
			defence: "doctor follows no redirect",
			file:    endpoint,
			old:     "		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },\n",
			new:     "",
			pkg:     pkg, test: "TestPlanted/endpoint_behind_a_redirect",
		},
		{
			defence: "doctor tells where a redirect leads to without its path",
			file:    endpoint,
			old:     "where = l.Scheme + \"://\" + l.Host",
			new:     "where = l.String()",
			pkg:     pkg, test: "TestPlanted/endpoint_behind_a_redirect",
		},
		{
			defence: "doctor tries a wrong path secret",
			file:    endpoint,
			old:     "err == nil && status == http.StatusOK {",
			new:     "err == nil && status == 0 {",
			pkg:     pkg, test: "TestPlanted/path_secret_that_nobody_looks_at",
		},
		{
			defence: "doctor tries the secrets of two keys crosswise",
			file:    dir + "doctor_garmin.go",
			old:     "		if crossed {\n",
			new:     "		if crossed && c.ClientID == \"\" {\n",
			pkg:     pkg, test: "TestPlanted/swapped_evaluation_and_production_keys",
		},
		{
			defence: "letters are only counted without -yes",
			file:    letters,
			old:     "	if !c.Yes {\n",
			new:     "	if !c.Yes && counted < 0 {\n",
			pkg:     pkg, test: "TestScripts/letters",
		},
		{
			defence: "nothing is done to all letters without -all",
			file:    letters,
			old:     "	if chosen != 1 {\n",
			new:     "	if chosen > 1 {\n",
			pkg:     pkg, test: "TestScripts/letters",
		},
		{
			defence: "a token file is not made by a wrong name",
			file:    dir + "stores.go",
			old:     "	if _, err := os.Stat(path); err != nil {\n",
			new:     "	if _, err := os.Stat(path); err != nil && path == \"\" {\n",
			pkg:     pkg, test: "TestScripts/tokens",
		},
		{
			defence: "a log-in goes over TLS, or stays on this machine",
			file:    dir + "panel.go",
			old:     "	if header != \"\" {\n",
			new:     "	if header == \"-\" {\n",
			pkg:     pkg, test: "TestScripts/letters",
		},
		{
			defence: "nobody is moved to OAuth 2 before all is ready",
			file:    migrate,
			old:     "c.Yes && m.Preflight.Failed == 0 {",
			new:     "c.Yes {",
			pkg:     pkg, test: "TestScripts/migrate",
		},
		{
			defence: "users are moved only if the stored ids are Garmin's",
			file:    migrate,
			old:     "		case got != id:\n",
			new:     "		case got != id && got == \"\":\n",
			pkg:     pkg, test: "TestScripts/migrate",
		},
	}
}
