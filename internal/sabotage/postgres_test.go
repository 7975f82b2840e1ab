package sabotage

// postgresRows are the defences of the queue in PostgreSQL, which is a module of
// its own.
func postgresRows() []row {
	const (
		pkg    = "./postgres"
		tables = "postgres/migrations/0001_queue.sql"
		append = "postgres/migrations/0003_repeats.sql"
		late   = "postgres/migrations/0008_late.sql"
		store  = "postgres/migrations/0009_append.sql"
		member = "postgres/member.go"
	)
	return []row{
		{
			defence: "a share that the process forgot comes back",
			file:    member,
			old:     "		if m.hand[n] != nil || slices.Contains(m.ended, right{n, g.epoch}) {\n",
			new:     "		if m.boot != ([16]byte{}) || m.hand[n] != nil || slices.Contains(m.ended, right{n, g.epoch}) {\n",
			pkg:     pkg, test: "TestForgottenShareComesBack",
		},
		{
			defence: "an answer that comes late gives no right",
			file:    member,
			old:     "	if !time.Now().Before(m.until) {\n		m.lapse(\"the lease was not renewed in time\")\n		return\n",
			new:     "	if m.until.IsZero() {\n		return\n",
			pkg:     pkg, test: "TestLateAnswerGivesNothing",
		},
		{
			defence: "a right ends before another has it",
			file:    member,
			old:     "m.id, m.until = me, sent.Add(m.q.db.lease*2/3)",
			new:     "m.id, m.until = me, sent.Add(m.q.db.lease)",
			pkg:     pkg, test: "TestRightEndsBefore",
		},
		{
			defence: "after a crash of the server no number of an item is used again",
			file:    append,
			old:     "      PERFORM setval('{s}.item_seq', top);\n",
			new:     "      PERFORM 1;\n",
			pkg:     pkg, test: "TestNumbersAreNotUsedAgain",
		},
		{
			defence: "after a crash of the server its items are looked through",
			file:    member,
			old:     "	if m.boot != boot && m.boot",
			new:     "	if false && m.boot",
			pkg:     pkg, test: "TestCrashedServerIsLookedThrough",
		},
		{
			defence: "an item that kills its process is given up on",
			file:    "postgres/suspect.go",
			old:     "	if begun > s.q.db.begun {\n",
			new:     "	if begun > 100 {\n",
			pkg:     pkg, test: "TestItemThatKillsIsGivenUp",
		},
		{
			defence: "an item that killed nobody counts from zero again",
			file:    "postgres/suspect.go",
			old:     "SET begun = 0 FROM",
			new:     "SET begun = begun FROM",
			pkg:     pkg, test: "TestSuspectsAreCleared",
		},
		{
			defence: "a share whose owner died is known",
			file:    late,
			old:     "died = true",
			new:     "died = false",
			pkg:     pkg, test: "TestItemThatKillsIsGivenUp",
		},
		{
			defence: "a queue that is full takes nothing",
			file:    "postgres/put.go",
			old:     "	if q.room.full.Load() {\n",
			new:     "	if false {\n",
			pkg:     pkg, test: "TestMaxBytes",
		},
		{
			defence: "letters are removed after their time",
			file:    "postgres/sweep.go",
			old:     "DELETE FROM {s}.letter WHERE buried <",
			new:     "DELETE FROM {s}.letter WHERE false AND buried <",
			pkg:     pkg, test: "TestLetterRetention",
		},
		{
			defence: "a body that another process stored a moment ago is a repeat",
			file:    store,
			old:     "      ) t WHERE t.sum = ANY (fresh);\n",
			new:     "      ) t WHERE false;\n",
			pkg:     pkg, test: "TestRepeats",
		},
		{
			defence: "an Erase leaves nothing of rows that were deleted",
			file:    "postgres/rewrite.go",
			old:     "`CLUSTER {s}.`+table+` USING `+table+`_pkey`",
			new:     "`SELECT FROM {s}.`+table+` LIMIT 0`",
			pkg:     pkg, test: "TestEraseBytes",
		},
		{
			defence: "an Erase waits for transactions that may see what was deleted",
			file:    "postgres/rewrite.go",
			old:     "		if !ended {\n",
			new:     "		if false && !ended {\n",
			pkg:     pkg, test: "TestEraseTellsOfTables",
		},
		{
			defence: "ANALYZE copies nothing of a user",
			file:    "postgres/migrations/0011_statistics.sql",
			old:     "    EXECUTE format('ALTER TABLE %s ALTER %I SET STATISTICS 0', c.of, c.name);\n",
			new:     "",
			pkg:     pkg, test: "TestEraseBytes",
		},
		{
			defence: "a letter that was read before an Erase is not redriven",
			file:    "postgres/erase_letter.go",
			old:     "size = size - $3 + $4 WHERE",
			new:     "size = size - $3 + 0 * $4 WHERE",
			pkg:     pkg, test: "TestEraseRedrive",
		},
		{
			defence: "a user is taken out of large bodies",
			file:    "postgres/erase_large.go",
			old:     "		if !touches(cuts, n*chunkSize, int64(len(p))) {\n",
			new:     "		if len(p) > 0 {\n",
			pkg:     pkg, test: "TestErase",
		},
		{
			defence: "an update keeps nothing of an activity that has changed",
			file:    "postgres/joined.go",
			old:     "	return kept && err == nil, err\n",
			new:     "	return kept || err == nil, err\n",
			pkg:     pkg, test: "TestJoinedOutOfTurn",
		},
		{
			defence: "no version of an activity returns after it was forgotten",
			file:    "postgres/joined.go",
			old:     "1 + rand.Int64N(math.MaxInt64)",
			new:     "row.version + 1 + 0*rand.Int64N(math.MaxInt64)",
			pkg:     pkg, test: "TestJoinedOutOfTurn",
		},
		{
			defence: "details that stay are not written again",
			file:    "postgres/joined.go",
			old:     "row.record.Details != details)",
			new:     "row.record.Details != details || details != nil)",
			pkg:     pkg, test: "TestJoinedDetailsStay",
		},
		{
			defence: "activities are removed after their time",
			file:    "postgres/joined.go",
			old:     "WHERE changed < {s}",
			new:     "WHERE false AND changed < {s}",
			pkg:     pkg, test: "TestJoinedRetention",
		},
		{
			defence: "no item appears behind a scan: who stores has the append lock",
			file:    store,
			old:     "  PERFORM pg_advisory_xact_lock(lock_key);\n",
			new:     "",
			pkg:     pkg, test: "TestNothingAppearsBehindAScan",
		},
		{
			defence: "no item appears behind a scan: numbers are not taken ahead",
			file:    tables,
			old:     "CREATE SEQUENCE {s}.item_seq CACHE 1;",
			new:     "CREATE SEQUENCE {s}.item_seq CACHE 50;",
			pkg:     pkg, test: "TestNothingAppearsBehindAScan",
		},
		{
			defence: "a transaction that is open for long holds up no item",
			file:    "postgres/scan.go",
			old:     "i.id > q.after ORDER BY",
			new:     "i.id > q.after AND i.xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY",
			pkg:     pkg, test: "TestLongTransactionHoldsNothingUp",
		},
		{
			defence: "a share that the table gave to another is lost",
			file:    member,
			old:     "		case mine[n].epoch != s.epoch:\n",
			new:     "		case n < 0 && mine[n].epoch != s.epoch:\n",
			pkg:     pkg, test: "TestShareOfAnotherIsLost",
		},
		{
			defence: "an answer to who we were makes us nobody",
			file:    member,
			old:     "	if m.id != id {\n		return // we lapsed",
			new:     "	if false {\n		return // we lapsed",
			pkg:     pkg, test: "TestAnswerToAFormerSelf",
		},
		{
			defence: "who stores does not NOTIFY in that transaction",
			file:    store,
			old:     "WHERE old IS NULL OR t.sum IS NULL OR t.sum <> ALL (old);\n",
			new:     "WHERE old IS NULL OR t.sum IS NULL OR t.sum <> ALL (old);\n  PERFORM pg_notify('activityapi:' || trim('\"' FROM '{s}.'), 'new');\n",
			pkg:     pkg, test: "TestNothingIsToldInTheInsert",
		},
		{
			defence: "a user's name is bytes and no text",
			file:    store,
			old:     "t.user_id, t.touch, t.data\n",
			new:     "convert_to(convert_from(t.user_id, 'UTF8'), 'UTF8'), t.touch, t.data\n",
			pkg:     pkg, test: "TestQueueKeepsBytes",
		},
		{
			defence: "the reason of a letter is bytes and no text",
			file:    "postgres/settle.go",
			old:     "      g.reason, g.quarantined",
			new:     "      convert_to(convert_from(g.reason, 'UTF8'), 'UTF8'), g.quarantined",
			pkg:     pkg, test: "TestQueueKeepsBytes",
		},
		{
			defence: "locks belong to a schema",
			file:    "postgres/migrate.go",
			old:     `"activityapi/" + schema + "/" + what`,
			new:     `"activityapi//" + what`,
			pkg:     pkg, test: "TestSchemasAreApart",
		},
		{
			defence: "channels belong to a schema",
			file:    "postgres/migrate.go",
			old:     `if name := what + ":" + schema; len`,
			new:     `if name := what; len`,
			pkg:     pkg, test: "TestSchemasAreApart",
		},
		{
			defence: "settings end with their transaction",
			file:    "postgres/settle.go",
			old:     "set_config('synchronous_commit', 'off', true)",
			new:     "set_config('synchronous_commit', 'off', false)",
			pkg:     pkg, test: "TestSettingsEndWithTheirTransaction",
		},
		{
			defence: "after an outage who comes first does not take all",
			file:    late,
			old:     "AND m.since < at - lease / 20)",
			new:     ")",
			pkg:     pkg, test: "TestOutageMovesNothing",
		},
		{
			defence: "after an outage nobody counts twice",
			file:    member,
			old:     "	if id == 0 && former != 0 {\n",
			new:     "	if false {\n",
			pkg:     pkg, test: "TestOutageMovesNothing",
		},
		{
			defence: "a lease of a clock that was set back ends",
			file:    late,
			old:     "m.expires > at + 3 * lease;",
			new:     "false;",
			pkg:     pkg, test: "TestClockJumps",
		},
		{
			defence: "a server that takes no writes is refused",
			file:    "postgres/postgres.go",
			old:     `case readOnly == "on":`,
			new:     `case readOnly == "never":`,
			pkg:     pkg, test: "TestReadOnlyServerIsRefused",
		},
		{
			defence: "a migration does not end with a role's lock_timeout",
			file:    "postgres/migrate.go",
			old:     "SELECT set_config('lock_timeout', '0', true), set",
			new:     "SELECT set",
			pkg:     pkg, test: "TestTimeoutsOfTheDBA",
		},
		{
			defence: "items are found by their key",
			file:    "postgres/share.go",
			old:     "const byIndex = noJIT + `, set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)",
			new:     "const byIndex = noJIT + `",
			pkg:     pkg, test: "TestItemsGoByIndex",
		},
		{
			defence: "no verdict reads all items of a share",
			file:    "postgres/settle.go",
			old:     "WHERE i.share = d.share AND i.class = d.class AND i.id = d.id`), number, classes, ids, attempts",
			new:     "WHERE i.share = $1 AND i.class = d.class AND i.id = d.id`), number, classes, ids, attempts",
			pkg:     pkg, test: "TestItemsGoByIndex",
		},
	}
}

// riverRows are the defences of what River does.
func riverRows() []row {
	const pkg = "./postgres/river"
	return []row{
		{
			defence: "a job that is done is in nobody's way",
			file:    "postgres/river/garminriver.go",
			old:     "		rivertype.JobStateRunning, rivertype.JobStateScheduled,\n",
			new:     "		rivertype.JobStateRunning, rivertype.JobStateScheduled, rivertype.JobStateCompleted,\n",
			pkg:     pkg, test: "TestHistoryIsOncePerUser",
		},
		{
			defence: "a job whose process stops has not failed",
			file:    "postgres/river/garminriver.go",
			old:     "	if ctx.Err() != nil {\n",
			new:     "	if false {\n",
			pkg:     pkg, test: "TestStopIsNoFailure",
		},
		{
			defence: "a job is never out of reach of the rule for the dead",
			file:    "postgres/river/history.go",
			old:     "return w.opts.Slice + grace }",
			new:     "return -1 }",
			pkg:     pkg, test: "TestTimeouts",
		},
		{
			defence: "a user whom another run has is put off",
			file:    "postgres/river/history.go",
			old:     "	case errors.Is(err, backfill.ErrBusy):\n",
			new:     "	case errors.Is(err, backfill.ErrOverlap):\n",
			pkg:     pkg, test: "TestHistoryStops",
		},
		{
			defence: "users have their turn",
			file:    "postgres/river/history.go",
			old:     "time.Now().Add(w.opts.Slice)",
			new:     "time.Now().Add(time.Hour)",
			pkg:     pkg, test: "TestUsersTakeTurns",
		},
		{
			defence: "who waits long for leave gives up the worker",
			file:    "postgres/river/patient.go",
			old:     "	wait := min(p.wait, left)\n",
			new:     "	wait := left\n",
			pkg:     pkg, test: "TestHistoryIsPutOff",
		},
		{
			defence: "one user who cannot be in a job does not keep others from theirs",
			file:    "postgres/river/history.go",
			old:     "		if !utf8.ValidString(string(id)) ||",
			new:     "		if false && !utf8.ValidString(string(id)) ||",
			also:    []edit{{"postgres/river/history.go", `strings.Contains(string(id), "\x00")`, `strings.Contains(string(id), "\x01")`}},
			pkg:     pkg, test: "TestScanGoesInBatches",
		},
		{
			defence: "what is to be stored is not swept",
			file:    "postgres/river/sweep.go",
			old:     "			default:\n				continue\n",
			new:     "			default:\n",
			pkg:     pkg, test: "TestSweeps",
		},
	}
}
