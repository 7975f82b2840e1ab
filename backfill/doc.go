// Package backfill asks Garmin for the history of users: every day once, as
// fast as the key's limit allows, and with an account of what came of it
// (Activity API, section 8).
//
//	ledger, err := backfill.OpenLedger(dir, nil)
//	if err != nil {
//		return err
//	}
//	defer ledger.Close()
//	runner := backfill.NewRunner(backfill.NewLimiter(backfill.Evaluation, ledger), ledger, nil)
//	user := &backfill.User{ID: garminID, Requester: client, Window: history, Kinds: []types.Kind{types.KindMoveIQ}}
//	for p, err := range runner.Run(ctx, user) {
//		if err != nil {
//			return err
//		}
//		fmt.Printf("%d of %d days: %s\n", p.DaysDone, p.DaysTotal, p.Chunk)
//	}
//
// Garmin answers a request at once and sends the summaries later, as
// notifications like any other. Call [Arrival] where these are saved; the
// ledger then shows for each day what was asked for, refused and delivered.
// [NewReport] prints it.
//
// # Ranges
//
// Windows are half-open: the chunks of a plan share no second and leave none
// out. A request spans at most 30 days, whether Garmin counts both ends or
// not: chunks are cut at midnight UTC and touch at most 30 dates. [Cost] counts
// those dates, which is the most that Garmin can count.
//
// # The limit
//
// Garmin limits the days asked for in a minute, over all users of a key. A
// [Limiter] holds a request's days from before it is sent until a minute after
// its response, since the server may have counted it at any moment between.
// That cannot exceed the limit at the server, and no limiter that can prove as
// much is faster. Use one limiter for a key. After a restart it reads from the
// ledger what the process before had asked for.
//
// # Several processes
//
// A run claims its user in the ledger and saves through the claim. A process
// that was paused and lost its claim saves nothing more, and since a request is
// saved before it is sent, it sends nothing more for that user. [MemoryLimiter]
// and [FileLedger] are for one process; a limiter and a ledger that processes
// share implement the same interfaces, which package backfilltest checks.
//
// # Duplicates
//
// Garmin takes a request for a range once and answers 409 after that. A
// request whose answer was lost, in the network or in a crash, is repeated for
// the very same range: a 409 that names this range then means that it was
// accepted. Any other 409 is never counted as data. Where the earlier request
// covers the chunk, the chunk is a [StateDuplicate]; where it does not, nobody has
// the data, and the chunk is a [StateHole].
//
// A user who disconnects and connects again is given everything anew. Call
// [Ledger].Forget then: otherwise what the ledger has as accepted is not asked
// for again, and the history of the new connection never comes.
//
// # Errors
//
// Only Garmin's own word settles a chunk or stops a user. 412 and 401 stop the
// user; 400 for a range too early is clipped to what Garmin gives; 429 makes the
// limiter wait; 5xx, lost answers and the pages of firewalls are repeated with
// growing pauses, and then stop the user with the chunk still open. A summary
// type that is not enabled, a refused application and a ledger or limiter that
// fails end the whole run, since no user can do better.
package backfill
