// Package activity is the client of the Garmin Activity API: it pulls one
// user's summaries, follows the callback URLs of pings, downloads files and
// calls the user endpoints.
//
//	pool, err := activity.NewPool(opts) // one for the application
//	if err != nil {
//		return err
//	}
//	defer pool.Close()
//	client, err := pool.Client(activity.OAuth2{Source: tokens}) // one for each user
//	if err != nil {
//		return err
//	}
//	for summary, err := range client.Follow(ctx, types.KindActivities, callbackURL) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(summary.Kind(), summary.ID())
//	}
//
// Package auth makes the clients of users who connect with it, and
// notify.Processor calls Follow and Download when pings come.
//
// # Errors
//
// Methods fail with an [*Error], which has what Garmin said. What a caller can
// do about it is found with errors.Is ([ErrGone], [ErrNotPermitted], ...), and
// [Error.Fault] says whose fault it is: this item's, the user's, the
// application's, the network's or Garmin's. No error, log record or formatted
// value of this package holds a token, a secret or the query of a URL.
//
// # Repeats
//
// A call that failed for a reason that may pass is repeated with growing,
// random waits: no answer, 408, 425, 429, and 5xx but 501 and 505. Retry-After
// is respected up to Options.MaxBackoff. Each attempt is signed afresh. The
// pool's retry budget bounds the repeats of all calls together. When the
// context ends, so does the call, at once. [Client.Download] and
// [Client.Backfill] spend something and have rules of their own.
//
// # Security
//
// A callback URL comes from the network, and anybody may have sent it. It is
// compared byte by byte with the one URL it can be, and only its query is used,
// on the client's own base URL. Redirects are errors. Below the credential a
// last check lets only the request pass that the call is about. The size of
// answers is bounded after inflation.
package activity
