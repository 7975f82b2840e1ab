// Package notify receives Garmin's notifications: it decodes ping and push
// bodies, stores them durably before Garmin gets its 200, and hands each item
// to the partner's code.
//
//	inbox, err := spool.Open(dir, nil)
//	if err != nil {
//		return err
//	}
//	defer inbox.Close()
//	mux.Handle("POST /garmin", notify.NewHandler(inbox, nil))
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
// Every item of a stored body has its own fate: it is taken by the callbacks,
// or it becomes a dead letter. Nothing else ends it, and none runs again because
// its neighbour failed. Callbacks are called at least once: an item runs twice
// if the process dies between a callback's nil and the mark that follows it, or
// if Garmin sends it twice. [Delivery] has a Key to tell a repetition by. An
// edited activity comes with the same summary id and another Key; it is no
// repetition.
//
// # Users
//
// A [Resolver] finds the partner's users behind a Garmin user id, anew for each
// attempt. Data for an id that nobody has is tried for a minute and then buried.
// A pull that brings another user's data than its ping named is not delivered at
// all ([ErrWrongUser]).
//
// # Order
//
// Items of one Garmin user begin in the order in which they arrived, one at a
// time; users run in parallel. An item that failed waits by itself, and later
// items pass it, except those that must not: an edit of the same summary, a ping
// of the same callback, a file of the same activity, and among deregistrations
// and permission changes each the next. So a poison item holds back neither the
// user's files nor their deregistration. What is nearest to its deadline goes
// first.
//
// # Failures
//
// A failed attempt is repeated, after a jittered wait that doubles, until the
// deadline: 24 hours after arrival for files and 7 days for pings, since Garmin
// keeps the data no longer, and 7 days for all else by default. Errors that know
// better are heard, see [Follower] and [Permanent]. While Garmin refuses a
// user's token or consent, all of the user's pings and files are parked: one of
// them asks now and then, and a permission change revives them at once.
//
// What is given up on is buried with the reason and the bytes, and so is what
// cannot be read: see [Queue] for the letters and for driving them again.
//
// # Files
//
// Garmin gives a file out once. See [Files] for how that is honoured over
// repeated pings and crashes.
//
// # Scaling
//
// One process works on a queue. Memory is bounded by [ProcessorOptions], not by
// the backlog.
package notify
