// Package notify receives Garmin's notifications. It stores each one before
// Garmin gets its 200, splits it into items, and passes each item to your
// functions.
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
// A notification is a POST from Garmin. Its body has lists of items of one or
// many users, each list under a key such as "activities". The items of a push
// are data; those of a ping have a callback URL, from which the data must be
// pulled. Other items say that a user has disconnected or has changed
// permissions.
//
// Garmin forgets a notification once it has a 200 for it. So the handler only
// stores the body in a [Queue], and the [Processor] does the rest at its own
// pace. You write [Callbacks]: a function that saves a summary, and the two
// that Garmin requires. Pushed summaries and summaries pulled after a ping
// reach the same function.
//
// # Delivery
//
// Each item of a stored body is handled on its own. In the end either the
// callbacks have accepted it or it is a dead letter, and a failed item does not
// repeat the others of its body. A callback may be called more than once for an
// item: if the process dies after the callback returned nil and before that is
// recorded, or if Garmin sends the item again.
//
// An edited activity comes with the same summary id and other content. An edit by
// hand also comes under another list key. Store a summary under
// [Delivery].Record, after asking [Delivery.Replaces] whether to. Then a repeat
// changes nothing, and an old version never replaces a newer one.
//
// # Users
//
// A [Resolver] finds your users for a Garmin user id. It is called for each
// attempt. Data for an id that no user has is retried for a minute and then
// becomes a dead letter. If a pull returns data of a user other than the one its
// ping named, none of it is delivered; of a pull of more than about 2,000 summaries,
// which is delivered in parts, none from that part on.
//
// When a user leaves, delete the tokens first and your own record of the user
// last. If something fails in between, the deregistration comes again, and still
// finds the user.
//
// # Order
//
// Items of one Garmin user start in the order of their arrival, one at a time.
// Users run in parallel. Later items may overtake a failed one unless they
// concern the same summary, callback or file, or both are deregistrations or both
// permission changes. So one bad item delays neither the user's files nor the
// deregistration. Deregistrations and permission changes run before the user's other
// items, and do not wait for one that takes longer than half a second. Among users,
// the earliest deadline runs first.
//
// # Failures
//
// A failed attempt is repeated until the item's deadline. The wait doubles each
// time and has a random part. The deadline is 24 hours after arrival for files
// and 7 days for pings, since Garmin keeps the data no longer, and by default 7
// days for everything else. An error may override this; see [Permanent],
// [RetryAfter] and [Failure].
//
// An error from a call to Garmin also decides what else waits. While Garmin
// refuses a user's token or consent, that user is parked: the user's pings and
// files wait, one of them is tried now and then, and after a permission change
// all are tried at once ([ResultParked]). While no call can succeed, because the
// application is refused or Garmin cannot be reached, the pings and files of all
// users wait, each until its own deadline, and are tried one at a time, or beside
// one that takes longer than a minute ([ResultOutage]). Pushes continue in both cases.
//
// # Dead letters
//
// An item that is given up, or cannot be read, becomes a [DeadLetter] with the
// reason and its bytes. [Queue] has methods to list letters, to read one, to
// redrive it, which makes it an item again, and to discard it.
//
// # Files
//
// Garmin allows one download of a file. [Files] says how that is kept in spite of
// repeated pings and crashes.
//
// # Scaling
//
// A [Queue] divides its items by Garmin user into shares, and each [Share]
// belongs to one process at a time. The queue of package spool has one share, for
// one process; that of module postgres has many. A waiting item takes only a few
// bytes of memory. [ProcessorOptions] limits how many items run at once.
package notify
