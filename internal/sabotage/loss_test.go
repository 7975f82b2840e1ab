package sabotage

// lossRows are defences of docs/reliability.md, "Losses, row by row", whose tests
// have no other row.
func lossRows() []row {
	return []row{
		{
			defence: "L6 a pulled item has a largest size",
			file:    "activity/pull.go",
			old:     "			MaxItem:    most,\n",
			new:     "			MaxItem:    0,\n",
			pkg:     "./activity", test: "TestHugeItem",
		},
		{
			defence: "L4 the piece of a body that cannot be read is all of it",
			file:    "notify/split.go",
			old:     "				if _, err := io.Copy(io.Discard, in); err != nil {\n",
			new:     "				if in.n < 0 {\n",
			pkg:     "./notify/spool", test: "TestGarbage", flags: []string{"-short"},
		},
		{
			defence: "K1 the end of a connection proves nothing",
			file:    "activity/body.go",
			old:     "	b.ends = resp.ContentLength >= 0 || resp.ProtoMajor > 1 || len(resp.TransferEncoding) > 0\n",
			new:     "	b.ends = true\n",
			pkg:     "./activity", test: "TestDownloadIsWhole",
		},
		{
			defence: "K5 what an outage holds is given up at its deadline",
			file:    "notify/schedule_attempt.go",
			old:     "	if now >= t.due {\n",
			new:     "	if false {\n",
			pkg:     "./notify", test: "TestOutageUntilTheDeadline",
		},
		{
			defence: "again: the revision of a pulled summary is that of its bytes",
			file:    "notify/delivery.go",
			old:     "	if raw == nil {\n",
			new:     "	if true {\n",
			pkg:     "./notify", test: "TestRevisionOfPull",
		},
		{
			defence: "K4 a page is no file",
			file:    "notify/files_check.go",
			old:     "		if strings.EqualFold(is, \"html\") && fileType != \"HTML\" {\n",
			new:     "		if false {\n",
			pkg:     "./notify", test: "TestCheckFileIsNone",
		},
		{
			defence: "M7 a part of a name that a partner made has a largest length",
			file:    "notify/files_name.go",
			old:     "		elements[i] = shorten(e, maxForeign, ext)\n",
			new:     "		elements[i] = shorten(e, maxName, ext)\n",
			pkg:     "./notify", test: "TestForeignFileNames",
		},
		{
			defence: "H4 what came of a file that fills the disk is kept",
			file:    "notify/files_download.go",
			old:     "		err = join(err, d.s.turn(&p, partBroken))\n",
			new:     "		d.s.drop(p)\n",
			pkg:     "./notify", test: "TestFileFillsDisk",
		},
		{
			defence: "config: a refusal says which check failed",
			file:    "notify/handler.go",
			old:     "			return &foreignError{\"origin: \", err}\n",
			new:     "			return errors.New(\"origin\")\n",
			pkg:     "./notify", test: "TestHandlerSaysWhichCheckFailed",
		},
		{
			defence: "H2 what cannot be read is counted",
			file:    "notify/spool/cursor.go",
			old:     "	s.counts.Unreadable++\n",
			new:     "",
			pkg:     "./notify/spool", test: "TestUnreadable",
		},
		{
			defence: "C5 a request gives back the room it took, however it ends",
			file:    "notify/intake.go",
			old:     "	in.h.budget.release(&in.share)\n",
			new:     "",
			pkg:     "./notify", test: "TestRoomAfterOddEndings",
		},
		{
			defence: "M3 a user without tokens can still be forgotten",
			file:    "activity/auth/disconnect.go",
			old:     "	if errors.Is(err, ErrNotConnected) || errors.Is(err, ErrReconnect) {\n		return true, nil\n",
			new:     "	if errors.Is(err, ErrReconnect) {\n		return true, nil\n",
			pkg:     "./activity/auth", test: "TestDisconnected",
		},
	}
}
