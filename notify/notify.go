// Package notify receives Garmin's notifications: it decodes ping and push
// bodies, stores them durably before Garmin gets its 200, and hands each item
// to the partner's code.
//
//	inbox, err := spool.Open(dir, nil)
//	if err != nil {
//		return err
//	}
//	defer inbox.Close()
//	mux.Handle("/garmin", notify.NewHandler(inbox, nil))
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
// Garmin says each thing once: what it has a 200 for, it forgets. So the handler
// does nothing but store, and the [Processor] does the rest at its own pace. A
// partner writes a function that saves a summary and the two callbacks that
// Garmin asks for. A summary that was pushed and one that was pulled after a
// ping come to the same function.
//
// # Delivery
//
// Every item of a stored body has its own fate: the callbacks take it, or it
// becomes a dead letter. Nothing else ends it, and none runs again because
// another item of its body failed. Callbacks are called at least once: an item
// runs twice if the process dies between a callback's nil and the record of it,
// or if Garmin sends it again.
//
// An edited activity comes with the same summary id and other content; if the
// user has edited it by hand, under another list key too. Store a summary under
// [Delivery.Record], and ask [Delivery.Replaces] first: then a repetition changes
// nothing, and an old version never replaces a new one.
//
// # Users
//
// A [Resolver] finds the partner's users behind a Garmin user id, anew for each
// attempt. Data for an id that nobody has is tried for a minute and then becomes a
// dead letter. A pull that brings another user's data than its ping named is not
// delivered at all ([ErrWrongUser]).
//
// When a user leaves, delete the tokens first and your own record of the user
// last. If something fails in between, the deregistration comes again, and still
// finds the user.
//
// # Order
//
// Items of one Garmin user begin in the order in which they arrived, one at a
// time; users run in parallel. Later items may overtake a failed one unless they
// concern the same summary, callback, file or account. So one bad item holds up
// neither the user's files nor the deregistration. Deregistrations and permission
// changes go before the user's other items, and do not wait for one that takes
// longer than half a second. Among users, the earliest deadline goes first.
//
// # Failures
//
// A failed attempt is repeated, after a jittered wait that doubles, until the
// deadline: 24 hours after arrival for files and 7 days for pings, since Garmin
// keeps the data no longer, and 7 days for all else by default. An error may
// override this; see [Permanent], [RetryAfter] and [Failure].
//
// An error of a call to Garmin also says what else waits. While Garmin refuses
// a user's token or consent, the user's pings and files wait; one of them asks
// now and then, and a permission change lets all try at once ([ResultParked]).
// While nobody's calls can succeed, because the application is refused or Garmin
// is not reached, all pings and files wait, each until its own deadline, and one
// at a time asks ([ResultOutage]). Pushes go on.
//
// # Dead letters
//
// An item that is given up on, or cannot be read, becomes a [DeadLetter] with
// the reason and its bytes. Letters lists them, OpenLetter reads one, Redrive
// makes its items new ones, Discard removes it; see [Letters].
//
// # Files
//
// Garmin gives a file out once. See [Files] for how that is honoured over
// repeated pings and crashes.
//
// # Scaling
//
// A [Queue] is a table of items, divided by Garmin user into shares, and each
// [Share] belongs to one process at a time. The embedded queue of package spool
// has one share, for one process. What waits takes some bytes of memory for each
// item, and its content none; [ProcessorOptions] bounds what runs.
package notify
