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
// A Server is an [net/http.RoundTripper]: use it as the transport of the code
// under test. It answers for Garmin's hosts without a socket or goroutine, so
// that it works inside testing/synctest. It is also an [net/http.Handler]; behind
// a listener, set [Server.BaseURL] to the listener's address.
//
// The clock is time.Now, plus what [Server.Advance] has added. It decides when
// tokens expire, when files are gone, and when failed notifications are sent
// again.
//
// # Users and data
//
// [Server.AddUser] connects a user, who then has tokens. [User.Add] and [User.AddFile]
// upload data now and queue the notifications; [User.AddHistory] adds what only a
// backfill brings. [User.Upload] takes any JSON too. A [Generator] makes realistic
// workouts, which [User.Sync] uploads as a device does, with details and files.
//
// To go through consent instead, pass the authorization URL to [Server.Consent],
// or open it in a browser. Package oauth1test adds OAuth 1.0a.
//
// # Notifications
//
// A list key is the name of a list in a notification, such as "activities";
// package types calls it a kind. Each list key has an [Endpoint], a row of
// Garmin's configuration tool. [Server.Deliver] sends what is due now and
// returns the results, so that a test controls each step. [Server.DeliverAll]
// also waits for what is sent again, and [Server.Run] delivers continuously.
//
// An in-memory Handler runs in its own goroutine for each notification. The
// goroutine ends when the handler returns, which may be after the time-out.
//
// # When things go wrong
//
// [Server.SetFaults] makes the next requests fail, as a network or an overloaded
// server does, and [Server.Intercept] can answer them in any other way.
// [Server.SetQuirks] turns on behaviour of real traffic that Garmin's document does
// not mention; see [Quirk]. [Server.Requests] returns the log of requests,
// [Server.Deliveries] that of notifications. [Server.State] and [User.State] have
// what else a test may ask for: queues, counts, tokens, the clock.
//
// # What is known and what is not
//
// Limits, codes and texts are those of Garmin's document and of recorded traffic.
// Where these say nothing, the server does what makes the stricter test, and a
// field of Server changes it: a pull includes the last second of its range unless
// EndExclusive is set, and one shared second makes a backfill a duplicate unless
// BackfillExactDuplicates is set. A refresh token that is used twice ends the
// connection. The schedule of repeated notifications is invented.
//
// # Around it
//
// Package verification tests a running endpoint as Garmin's review does, and
// package control offers all of this to programs in other languages.
package activitytest
