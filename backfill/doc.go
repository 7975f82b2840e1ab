// Package backfill asks Garmin for the history of users, that is, for activities
// from before they connected (Activity API, section 8). It requests every day
// once, as fast as Garmin's limit for the application allows, and keeps a record
// of the results, the ledger.
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
// notifications like any other. Call [Arrival] where you save these; the ledger
// then shows for each day what was requested, refused and delivered. [NewReport]
// makes a report of it.
//
// # Ranges
//
// A history is split into chunks, one for each request. Their windows are
// half-open, so that they neither overlap nor leave gaps. A chunk is cut at
// midnight UTC and touches at most 30 dates, so that it is within Garmin's 30
// days even if Garmin counts both ends. [Cost] counts these dates, which is the
// most that Garmin can count.
//
// A chunk is settled once Garmin has accepted or finally refused it. A settled
// chunk is not requested again.
//
// # The limit
//
// Garmin limits the days requested per minute, over all users of an
// application, which it knows by its consumer key (the client id). A [Limiter]
// holds the days of a request from before it is sent until a minute after its
// response, since the server may count it at any moment in between. Requests
// then never exceed the limit at the server, and no provably safe limiter is
// faster. Use one limiter per key. After a restart it reads the requests of the
// previous process from the ledger.
//
// # Several processes
//
// A run claims its user in the ledger, for itself alone, and saves through the
// claim. A process that was paused and lost its claim cannot save. Since a
// request is saved before it is sent, that process also sends nothing more for
// that user. [NewLimiter] and [OpenLedger] are for one process. Module postgres
// has a limiter and a ledger that processes share, with the same interfaces;
// package backfilltest checks implementations.
//
// # Duplicates
//
// Garmin accepts a request for a range once and answers 409 after that. A request
// whose answer was lost, in the network or in a crash, is repeated for the same
// range: a 409 that names this range then means that it was accepted. Any other
// 409 never counts as data. If the earlier request covers the chunk, the chunk
// gets [StateDuplicate]. If not, nobody has the data, and the chunk gets
// [StateHole].
//
// After a user disconnects and connects again, Garmin gives everything again.
// Call Ledger.Forget then. Otherwise accepted ranges are not requested again, and
// the history of the new connection never arrives.
//
// # Errors
//
// Only Garmin's own answer settles a chunk. 412 and 401 stop the user: the run
// requests nothing more for this user. After a 400 for a range that is too early,
// the range is clipped to what Garmin gives. 429 makes the limiter wait. After
// 5xx, lost answers and pages of firewalls, the request is repeated with growing
// pauses; if that does not help, the user is stopped with the chunk still open. A
// summary type that is not enabled, a refused application and a failing ledger or
// limiter end the whole run, since no other user could succeed.
package backfill
