// Package activity is the client of the Garmin Activity API. It pulls one
// user's summaries, follows the callback URLs of pings, downloads files,
// requests history and ends a user's connection. Package types explains what
// these words mean.
//
//	pool, err := activity.NewPool(opts) // one for the application
//	if err != nil {
//		return err
//	}
//	defer pool.Close()
//	client, err := pool.Client(activity.OAuth2(tokens)) // one for each user
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
// Package auth makes clients for the users who connect with it. notify.Processor
// calls Follow and Download when pings arrive.
//
// # Errors
//
// Methods fail with an [*Error], which holds Garmin's answer. Use errors.Is to
// find out what to do about it ([ErrGone], [ErrNotPermitted], ...). [Error.Fault]
// says who caused it: the item, the user, the application, the network or Garmin.
// No error, log record or formatted value of this package holds a token, a secret
// or the query of a URL.
//
// # Repeats
//
// A call that fails for a temporary reason is repeated after growing, random
// waits: no answer, 408, 425, 429, and 5xx except 501 and 505. Retry-After is
// respected up to Options.MaxBackoff. Each attempt is signed anew. The pool's
// retry budget bounds the repeats of all calls together. A call ends as soon as
// its context does. [Client.Download] and [Client.Backfill] use something up and
// have their own rules.
//
// # Security
//
// A callback URL comes from the network, and anybody may have sent it. It is
// compared byte by byte with the only URL it may be, and only its query is used,
// with the client's own base URL. Redirects are errors. A final check, after the
// credential was added, rejects any request but the one the call is about. The
// size of answers is bounded after decompression.
package activity
