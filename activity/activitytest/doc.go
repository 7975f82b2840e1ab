// Package activitytest is a fake Garmin: the Activity API, its notifications,
// its OAuth servers and its web tools, for tests of programs that use them.
//
//	fake := activitytest.NewServer()
//	user := fake.AddUser(nil)
//	fake.SetEndpoints(activitytest.Endpoint{Handler: receiver, Enabled: true, Push: true})
//
//	user.Add(&types.Activity{ActivityType: activitytype.Running})
//	for _, d := range fake.Deliver(ctx) {
//		fmt.Println(d.Key, d.Items, d.Status)
//	}
//
// # In memory or on a socket
//
// A [Server] is an net/http.RoundTripper that answers for Garmin's hosts without
// a socket or goroutine, so that it works inside testing/synctest: use it as the
// base transport of the code under test. It is also an net/http.Handler; behind a
// listener, set [Server.BaseURL] to the listener's address.
//
// The clock is time.Now. It decides when tokens expire, when files are gone, and
// when failed notifications are sent again.
//
// # Users and data
//
// [Server.AddUser] connects a user, who then has tokens. [User.Add] and
// [User.AddFile] upload data now and queue the notifications; [User.AddHistory]
// adds what only a backfill brings. [User.Upload] takes any JSON too. A [Generator] makes up realistic workouts,
// which [User.Sync] uploads as a device does, with files of all that a device
// writes: see [Generator.File].
//
// To go through consent instead, pass the authorization URL to [Server.Consent],
// or open it in a browser. Package oauth1test adds OAuth 1.0a.
//
// # Notifications
//
// Each list key has an [Endpoint], a row of Garmin's configuration tool.
// [Server.Deliver] sends what is due now and returns the results, so that a test
// controls each step. [Server.DeliverAll] also waits for what is sent again, and
// [Server.Run] delivers continuously.
//
// An in-memory Handler runs in its own goroutine for each notification. The
// goroutine ends when the handler returns, which may be after the time-out.
//
// # When things go wrong
//
// [Server.SetFaults] breaks the next requests like a network, and [Server.Intercept]
// can break them in any other way. [Server.SetQuirks] turns on behaviour of real
// traffic that Garmin's document does not mention; see [Quirk]. [Server.Requests]
// returns the log of requests, [Server.Deliveries] that of notifications.
// [Server.State] and [User.State] have what else a test may ask for: queues,
// counts, tokens, the clock.
//
// # What is known and what is not
//
// Limits, codes and texts are those of Garmin's document and of recorded traffic.
// Where these are silent, the server does what makes the safer test, and a field
// of Server changes it: a pull includes the last second of its range
// (EndExclusive), and one shared second makes a backfill a duplicate
// (BackfillExactDuplicates). A refresh token that is used twice ends the
// connection. The schedule of repeated notifications is invented.
//
// # Around it
//
// Package verification tests a running endpoint as Garmin's review does, and
// package control offers all of this to programs in other languages.
package activitytest
