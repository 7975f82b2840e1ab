package sabotage

// eraseRows are the defences of what a user's erasure must remove, and must leave.
func eraseRows() []row {
	const (
		pkg = "./notify/spool"
		dir = "notify/spool/"
	)
	return []row{
		{
			defence: "what is erased is marked before its bytes go",
			file:    dir + "erase_segment.go",
			old:     "	if err := e.settle(&g.unit, st, w.mine); err != nil {\n		return err\n	}\n	if err := w.write(in); err != nil {",
			new:     "	if err := w.write(in); err != nil {",
			pkg:     pkg, test: "TestErase",
		},
		{
			defence: "an erased body may have another checksum than its name says",
			file:    dir + "rebuild.go",
			old:     "	return append([]uint32{l.sum}, st.sums...), nil",
			new:     "	_ = st\n	return []uint32{l.sum}, nil",
			pkg:     pkg, test: "TestErase",
		},
		{
			defence: "a part that is taken out of what is no JSON does not make it JSON",
			file:    "internal/erasure/cuts.go",
			old:     "	case c.fill == asBlank && i == 0:\n		return 0\n",
			new:     "",
			pkg:     "./internal/erasure", test: "TestLook",
		},
		{
			defence: "a name is found under escapes",
			file:    "internal/erasure/names.go",
			old:     "	for range layers + 1 {",
			new:     "	for range 1 {",
			pkg:     "./internal/erasure", test: "TestNamed",
		},
		{
			defence: "who leaves is noted before anything goes",
			file:    "activity/service/solo/leaving.go",
			old:     "	if err := l.note(user); err != nil {",
			new:     "	if err := error(nil); err != nil {",
			pkg:     "./activity/service/solo", test: "TestLeaving",
		},
		{
			defence: "who leaves goes from the queue too",
			file:    "activity/service/solo/accounts.go",
			old:     "	receipt, err := s.Service.Erase(ctx, user, false)",
			new:     "	receipt, err := s.Service.Erase(ctx, user, true)",
			pkg:     "./activity/service/solo", test: "TestLeaving",
		},
		{
			defence: "what is kept of a download stays while the download is under way",
			file:    "notify/files_retain.go",
			old:     "	if !ok || !isPart(name) || !s.lock(id) {\n		return\n	}\n	defer s.unlock(id)\n",
			new:     "	if !ok || !isPart(name) || id == \"\" {\n		return\n	}\n",
			pkg:     "./notify", test: "TestRetention",
		},
		{
			defence: "retention removes no file that has another's name",
			file:    "notify/files_retain.go",
			old:     "	return s.opts.Name != nil || madeName.MatchString(name)",
			new:     "	return s.opts.Name != nil || madeName != nil && name != \"\"",
			pkg:     "./notify", test: "TestRetention",
		},
		{
			defence: "the retention of a file that is stored again begins anew",
			file:    "notify/filestore.go",
			old:     "		_ = d.root.Chtimes(name, now, now)\n",
			new:     "		_ = now\n",
			pkg:     "./notify", test: "TestStoredAgain",
		},
		{
			defence: "what arrives is sealed before it is on disk",
			file:    "notify/files_download.go",
			old:     "	w := d.s.dir.writer(f)",
			new:     "	w := openWriter{f}",
			pkg:     "./notify", test: "TestSealed",
		},
		{
			defence: "it shows after a crash that a sealed download had begun",
			file:    "notify/files_seal.go",
			old:     "	if err := w.Begin(); err != nil {\n		return 0, err\n	}\n",
			new:     "",
			pkg:     "./notify", test: "TestSealedFileFaults",
		},
		{
			defence: "a sealed part that was cut is not taken for the file",
			file:    "notify/files_fetch.go",
			old:     "		return Claim{}, false, nil // A crash has cut it short, or the disk has changed it.",
			new:     "		return Claim{}, true, nil",
			pkg:     "./notify", test: "TestSealedPartCut",
		},
	}
}
