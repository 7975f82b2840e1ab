// Package activitytest is a fake Garmin: the Activity API, its notifications
// and its OAuth servers, for tests of programs that use them.
//
//	fake := activitytest.NewServer()
//	user := fake.AddUser(nil)
//	fake.SetEndpoints(activitytest.Endpoint{Handler: receiver, Enabled: true, Push: true})
//
//	user.Add(&types.Activity{ActivityType: activitytype.Running, ...})
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
// [User.AddHistory] adds what only a backfill brings.
//
// # Notifications
//
// Each list key has an [Endpoint], a row of Garmin's configuration tool.
// [Server.Deliver] sends what is due now and tells what became of it: so a test
// controls each step. [Server.Run] is the engine that goes by itself.
//
// # When things go wrong
//
// [Server.Fail] breaks the next requests in the ways networks do, and
// [Server.Intercept] in any other. [Server.Requests] is the log.
package activitytest
