package sabotage

// notifyRows are the defences of the handler and the processor.
func notifyRows() []row {
	return []row{
		{
			defence: "F2 F3 a body that ended early is not acknowledged",
			file:    "notify/handler.go",
			old: `	if err := in.finish(); err != nil {
		return statusOf(err), err
	}
`,
			new: "",
			also: []edit{{"notify/handler.go", `	if in.err != nil && in.err != io.EOF {
		return statusOf(in.err), in.err
	}
	if err != nil {
`, `	if err != nil && in.err == nil {
`}},
			pkg: "./notify", test: "TestHandlerFaults",
		},
		{
			defence: "T5 the client id is compared, and not only asked for",
			file:    "notify/origin.go",
			old:     `return subtle.ConstantTimeCompare(have[:], want[:]) == 1`,
			new:     `return len(have) == len(want)`,
			pkg:     "./notify", test: "TestOrigin",
		},
		{
			defence: "T11 F4 a body over the limit is cut off",
			file:    "notify/intake.go",
			old:     `case total > in.max:`,
			new:     `case total > in.max && false:`,
			pkg:     "./notify", test: "TestHandlerAnswers",
		},
	}
}
