// Package backfill asks Garmin for the history of users: every day once, as
// fast as the key's limit allows, and with an account of what came of it
// (Activity API, section 8).
//
//	ledger, err := backfill.OpenLedger(dir, nil)
//	if err != nil {
//		return err
//	}
//	defer ledger.Close()
//	limiter := backfill.NewLimiter(backfill.Evaluation)
//	user := &backfill.User{ID: garminID, Requester: client, Window: history, Kinds: []backfill.Kind{backfill.MoveIQ}}
//	for p, err := range backfill.Run(ctx, user, limiter, ledger, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Printf("%d of %d days: %s\n", p.DaysDone, p.DaysTotal, p.Chunk)
//	}
//
// Garmin answers a request at once and sends the summaries later, as
// notifications like any other. Call [Arrival] where these are saved; the
// ledger then tells for each day what was asked for, refused and delivered.
// [NewReport] shows it.
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
// much is faster. Use one limiter for a key; after a restart, the ledger tells
// it what the process before had asked for.
//
// # Duplicates
//
// Garmin takes a request for a range once and answers 409 after that. A
// request whose answer was lost, in the network or in a crash, is repeated for
// the very same range: a 409 that names this range then means that it was
// accepted. Any other 409 is never counted as data. Where the earlier request
// covers the chunk, the chunk is a [Duplicate]; where it does not, nobody has
// the data, and the chunk is a [Hole]. To ask again for what was asked before,
// the user must disconnect and connect again.
//
// # Errors
//
// 412 and 401 stop the user, 400 for a range too early is clipped to what
// Garmin gives, 429 makes the limiter wait, 5xx and lost answers are repeated
// with growing pauses, and a summary type that is not enabled stops everything,
// since it is a mistake in the configuration of the key.
package backfill
