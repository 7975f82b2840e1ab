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
// A [Server] is an [net/http.RoundTripper] that answers for Garmin's hosts
// without a socket and without a goroutine, so that it works inside
// testing/synctest: give it to the code under test as its base transport. It is
// also an [net/http.Handler]; behind a listener, set [Server.BaseURL] to the
// listener's address.
//
// The clock is time.Now. Tokens expire, files are gone and failed notifications
// are sent again when it says so.
//
// # Users and data
//
// [Server.AddUser] connects a user and gives its tokens. [User.Add] and
// [User.AddFile] upload data now and queue the notifications;
// [User.AddHistory] adds what only a backfill brings. A [Generator] makes up
// realistic workouts, which [User.Sync] uploads as a device does, with files of
// all that a device writes: see [Generator.FileAs].
//
// To go through consent instead, send the authorization URL to [Server.Consent],
// or a browser to the page. Package oauth1test adds OAuth 1.0a.
//
// # Notifications
//
// Each list key has an [Endpoint], a row of Garmin's configuration tool.
// [Server.Deliver] sends what is due now and tells what became of it: so a test
// controls each step. [Server.DeliverAll] also waits for what is sent again,
// and [Server.Run] is the engine that goes by itself.
//
// A notification is given to an in-memory Handler in a goroutine of its own,
// which ends when the handler returns; that may be after the time-out.
//
// # When things go wrong
//
// [Server.Fail] breaks the next requests in the ways networks do, and
// [Server.Intercept] in any other. [Server.SetQuirks] turns on what real
// traffic does and Garmin's document does not say: see [Quirk].
// [Server.Requests] is the log of what was asked.
//
// # What is known and what is not
//
// Limits, codes and texts are those of Garmin's document and of recorded
// traffic. Where neither says, the server does what a partner is safer to be
// tested with, and a field of Server says so: a pull includes the last second
// of its range (EndExclusive), one shared second makes a backfill a duplicate
// (Backfill.ExactDuplicates), a refresh token that comes twice ends the
// connection. The schedule of repeated notifications is made up.
//
// # Around it
//
// Package verification sends a running endpoint what Garmin's review asks of it,
// and package control gives all of this to programs in other languages.
package activitytest
