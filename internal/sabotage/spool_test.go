package sabotage

// spoolRows are the defences of the spool: first its syncs, which the power cut
// proves.
func spoolRows() []row {
	const (
		pkg     = "./notify/spool"
		spool   = "notify/spool/spool.go"
		log     = "notify/spool/log.go"
		large   = "notify/spool/large.go"
		letter  = "notify/spool/letter.go"
		marks   = "notify/spool/marks.go"
		segment = "notify/spool/segment.go"
		fs      = "notify/spool/fs.go"
	)
	return []row{
		{
			defence: "F17 records are synced",
			file:    log,
			old:     "	err := w.f.Sync()\n",
			new:     "	err := error(nil)\n",
			pkg:     pkg, test: "TestPowerCut",
		},
		{
			defence: "F17 a new segment's name is synced",
			file:    log,
			old:     "	if err := s.fs.SyncDir(s.path(logDir)); err != nil {\n		f.Close()\n",
			new:     "	if err := error(nil); err != nil {\n		f.Close()\n",
			also:    []edit{{spool, "[]string{largeDir, letterDir, logDir, \"\"} {\n		if err := fs.SyncDir", "[]string{largeDir, letterDir, \"\"} {\n		if err := fs.SyncDir"}},
			pkg:     pkg, test: "TestPowerCut",
		},
		{
			defence: "F17 a large body is synced",
			file:    large,
			old:     "	if err := f.Sync(); err != nil {\n		return fmt.Errorf(\"spool: %w\", err)\n	}\n	err, f",
			new:     "	err, f",
			pkg:     pkg, test: "TestPowerCut",
		},
		{
			defence: "F17 a large body's name is synced",
			file:    large,
			old:     "	if err := s.fs.SyncDir(s.path(largeDir)); err != nil {\n		return fmt.Errorf(\"spool: %w\", err)\n	}\n",
			new:     "",
			pkg:     pkg, test: "TestPowerCut",
		},
		{
			defence: "F17 a letter is synced",
			file:    letter,
			old:     "		err = f.Sync()\n",
			new:     "",
			pkg:     pkg, test: "TestPowerCut",
		},
		{
			defence: "F17 a letter's name is synced",
			file:    letter,
			old:     "	if err := s.fs.SyncDir(s.path(letterDir)); err != nil {\n		return fmt.Errorf(\"spool: %w\", err)\n	}\n",
			new:     "",
			pkg:     pkg, test: "TestPowerCut",
		},
		{
			defence: "F17 what is recovered after a kill is synced before it is handed out",
			file:    log,
			old:     "	return f.Sync()\n}\n\n// beginLog",
			new:     "	return nil\n}\n\n// beginLog",
			pkg:     pkg, test: "TestRecoveredIsSafe",
		},
		{
			defence: "F17 names found after a kill are synced before their bodies are handed out",
			file:    spool,
			old:     "		if err := fs.SyncDir(filepath.Join(dir, d)); err != nil {\n			return nil, fmt.Errorf(\"spool: %w\", err)\n		}\n",
			new:     "		_ = d\n",
			pkg:     pkg, test: "TestRecoveredIsSafe",
		},
		{
			defence: "F17 the name of that note's file is synced",
			file:    letter,
			old:     "	if err := s.fs.SyncDir(s.path(logDir)); err != nil { // the marks may be new\n		return fmt.Errorf(\"spool: %w\", err)\n	}\n",
			new:     "",
			pkg:     pkg, test: "TestDamageIsToldOnceDespitePowerCut",
		},
		{
			defence: "F17 the note that damage was dealt with is synced",
			file:    letter,
			old:     "	if err := g.marks.sync(); err != nil {\n		return fmt.Errorf(\"spool: %w\", err)\n	}\n",
			new:     "",
			pkg:     pkg, test: "TestDamageIsToldOnceDespitePowerCut",
		},
		{
			defence: "F17 a finished segment is gone before its marks are",
			file:    log,
			old:     "	err := s.fs.Remove(s.path(logDir, g.file))\n	if err == nil {\n		err = s.fs.SyncDir(s.path(logDir))\n	}\n	if err == nil {\n		err = g.marks.remove()\n	}\n",
			new:     "	err := g.marks.remove()\n	if err == nil {\n		err = s.fs.Remove(s.path(logDir, g.file))\n	}\n",
			pkg:     pkg, test: "TestPowerCut",
		},
		{
			defence: "F16 F17 the real disk is synced, file and directory",
			file:    fs,
			old:     "func (f diskFile) Sync() error        { return syncFile(f.File) }",
			new:     "func (f diskFile) Sync() error        { return nil }",
			pkg:     pkg, test: "TestRealDiskIsSynced",
		},
		{
			defence: "F16 F17 a directory of the real disk is synced",
			file:    fs,
			old:     "{ return filelock.SyncDir(dir) }",
			new:     "{ return nil }",
			pkg:     pkg, test: "TestRealDiskIsSynced",
		},
		{
			defence: "F13 marks are read again",
			file:    log,
			old:     "	if marked {\n",
			new:     "	if false {\n",
			pkg:     pkg, test: "TestBodiesSurviveReopen",
		},
		{
			defence: "F14 nothing is acknowledged before it is written",
			file:    "notify/spool/put.go",
			old:     "		<-b.done\n		err = b.err\n",
			new:     "		_ = b\n",
			pkg:     pkg, test: "TestDiskFaults",
		},
		{
			defence: "F14 what a kill left half-made is cleared away",
			file:    large,
			old:     "		case isMarks, strings.HasSuffix(e.name, tempSuffix):\n",
			new:     "		case isMarks:\n",
			pkg:     pkg, test: "TestLeftoversAreCleared",
		},
		{
			defence: "F16 a write error is no success",
			file:    log,
			old:     "		w.poison(err)\n		return err\n",
			new:     "		w.poison(err)\n		return nil\n",
			pkg:     pkg, test: "TestDiskFaults",
		},
		{
			defence: "F16 a failed sync poisons the segment",
			file:    log,
			old:     "		w.poison(err)\n",
			new:     "",
			pkg:     pkg, test: "TestDiskFaults/F16_sync_error_in_the_log",
		},
		{
			defence: "F16 the refused end of a segment is cut off",
			file:    log,
			old:     "w.f.Truncate(w.end); err != nil {",
			new:     "error(nil); err != nil {",
			pkg:     pkg, test: "TestDiskFaults/F16_sync_error_in_the_log",
		},
		{
			defence: "F16 a large body that was refused is taken away",
			file:    large,
			old:     "if rerr := s.fs.Remove(current); rerr != nil {",
			new:     "if rerr := error(nil); rerr != nil {",
			pkg:     pkg, test: "TestDiskFaults",
		},
		{
			defence: "F16 a short write is an error: log",
			file:    log,
			old:     "if err == nil && n < len(p) {",
			new:     "if false && n < len(p) {",
			pkg:     pkg, test: "TestDiskFaults",
		},
		{
			defence: "F16 a short write is an error: large body",
			file:    large,
			old:     "if err == nil && n < have {",
			new:     "if false && n < have {",
			pkg:     pkg, test: "TestDiskFaults",
		},
		{
			defence: "F16 a short write is an error: letter",
			file:    letter,
			old:     "if err == nil && n < len(data) {",
			new:     "if false && n < len(data) {",
			pkg:     pkg, test: "TestMarkFaults",
		},
		{
			defence: "F16 a short write is an error: mark",
			file:    marks,
			old:     "if err == nil && n < len(p) {",
			new:     "if false && n < len(p) {",
			pkg:     pkg, test: "TestMarkFaults",
		},
		{
			defence: "F17 F18 a record has a checksum",
			file:    segment,
			old:     "it.damaged = len(it.body) < int(h.size) || crc32.Checksum(it.body, castagnoli) != h.sum",
			new:     "it.damaged = len(it.body) < int(h.size)",
			pkg:     pkg, test: "TestBitFlip",
		},
		{
			defence: "F18 a record's header has a checksum",
			file:    segment,
			old:     " ||\n		binary.LittleEndian.Uint32(p[28:]) != crc32.Update(salt, castagnoli, p[:28]) {",
			new:     " {",
			pkg:     pkg, test: "TestDamageIsToldOnce",
		},
		{
			defence: "F18 a large body has a checksum",
			file:    large,
			old:     "if size != l.size || sum != l.sum {",
			new:     "if size != l.size {",
			pkg:     pkg, test: "TestDamageIsToldOnce",
		},
		{
			defence: "F18 a letter has a checksum",
			file:    letter,
			old:     "	if string(first) != want {\n",
			new:     "	if len(first) > len(want) {\n",
			pkg:     pkg, test: "TestDamagedLetter",
		},
		{
			defence: "F18 a mark has a checksum",
			file:    marks,
			old:     "if m.encode(k) == [markSize]byte(p) {",
			new:     "if true {",
			pkg:     pkg, test: "TestDamagedMark",
		},
		{
			defence: "F18 a body that looks like a record is none",
			file:    segment,
			old:     "salt: crc32.Checksum([]byte(name), castagnoli),",
			new:     "salt: 0,",
			pkg:     pkg, test: "TestForgedRecord",
		},
		{
			defence: "F18 what cannot be read holds nothing else up",
			file:    "notify/spool/queue.go",
			old:     "	s.unreadable(err, f.seg.file)\n	f.leaveSegment()\n	return nil\n",
			new:     "	s.unreadable(err, f.seg.file)\n	f.leaveSegment()\n	return err\n",
			pkg:     pkg, test: "TestUnreadable",
		},
		{
			defence: "F19 T8 what the spool takes of the disk is bounded",
			file:    large,
			old:     "if n > 0 && s.opts.MaxBytes > 0 && s.bytes+n > s.opts.MaxBytes {",
			new:     "if false {",
			pkg:     pkg, test: "TestMaxBytes",
		},
		{
			defence: "F13 one process has the directory",
			file:    fs,
			old:     "	case err == nil && !ok:\n		err",
			new:     "	case err == nil && !ok && false:\n		err",
			pkg:     pkg, test: "TestSecondOwner",
		},
		{
			defence: "F46 a directory of another format is refused",
			file:    spool,
			old:     "		return ErrFormat\n",
			new:     "		return nil\n",
			pkg:     pkg, test: "TestFormat",
		},
	}
}
