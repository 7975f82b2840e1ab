// Package notify receives Garmin's notifications: it decodes ping and push
// bodies, stores them durably before Garmin gets its 200, and hands each item
// to the partner's code.
//
//	inbox, err := spool.Open(dir, nil)
//	if err != nil {
//		return err
//	}
//	defer inbox.Close()
//	mux.Handle("/garmin", notify.NewHandler(inbox.Put, nil))
//
//	processor, err := notify.NewProcessor(inbox, users, notify.Callbacks{
//		Save:             save,
//		Deregistration:   forget,
//		PermissionChange: permit,
//	}, nil)
//	if err != nil {
//		return err
//	}
//	return processor.Run(ctx)
//
// Garmin forgets a notification once it has a 200 for it. So the handler only
// stores, and the [Processor] does the rest at its own pace. A partner writes a
// function that saves a summary, and the two callbacks that Garmin requires.
// Pushed summaries and summaries pulled after a ping reach the same function.
//
// # Delivery
//
// Each item of a stored body is handled on its own: the callbacks accept it, or
// it becomes a dead letter. Nothing else ends it, and a failed item never repeats
// the others of its body. Callbacks are called at least once: an item runs twice
// if the process dies after a callback returned nil and before that is recorded,
// or if Garmin sends the item again.
//
// An edited activity comes with the same summary id and other content. An edit by
// hand also comes under another list key. Store a summary under
// [Delivery.Record], and ask [Delivery.Replaces] first. Then a repetition changes
// nothing, and an old version never replaces a newer one.
//
// # Users
//
// A [Resolver] finds the partner's users for a Garmin user id, again for each
// attempt. Data for an id that no user has is retried for a minute and then
// becomes a dead letter. If a pull returns data of a user other than the one its
// ping named, none of it is delivered.
//
// When a user leaves, delete the tokens first and your own record of the user
// last. If something fails in between, the deregistration comes again, and still
// finds the user.
//
// # Order
//
// Items of one Garmin user start in the order of their arrival, one at a time.
// Users run in parallel. Later items may overtake a failed one unless they
// concern the same summary, callback, file or account. So one bad item delays
// neither the user's files nor the deregistration. Deregistrations and permission
// changes run before the user's other items, and do not wait for one that takes
// longer than half a second. Among users, the earliest deadline runs first.
//
// # Failures
//
// A failed attempt is repeated, after a jittered wait that doubles each time,
// until the deadline. That is 24 hours after arrival for files and 7 days for
// pings, since Garmin keeps the data no longer, and by default 7 days for all
// else. An error may override this; see [Permanent], [RetryAfter] and [Failure].
//
// An error from a call to Garmin also decides what else waits. While Garmin
// refuses a user's token or consent, that user's pings and files wait; one of
// them is tried now and then, and a permission change lets all try at once
// ([ResultParked]). While no call can succeed, because the application is refused
// or Garmin cannot be reached, all pings and files wait, each until its own
// deadline, and are tried one at a time ([ResultOutage]). Pushes continue.
//
// # Dead letters
//
// An item that is given up, or cannot be read, becomes a [DeadLetter] with the
// reason and its bytes. See [Queue] for how to list, read, redrive and discard
// them.
//
// # Files
//
// Garmin allows one download of a file. See [Files] for how repeated pings and
// crashes keep to that.
//
// # Scaling
//
// A [Queue] is a table of items, divided by Garmin user into shares. Each [Share]
// belongs to one process at a time. The embedded queue of package spool has one
// share, for one process. A waiting item takes a few bytes of memory, without its
// content; [ProcessorOptions] bounds what runs.
package notify
