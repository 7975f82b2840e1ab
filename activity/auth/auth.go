// Package auth connects users: it takes them to Garmin's consent page and
// back, and keeps the tokens that come of it good for use.
//
//	store, err := auth.OpenFile(filepath.Join(dir, "tokens"), nil)
//	if err != nil {
//		return err
//	}
//	users, err := auth.NewUsers(auth.App{ClientID: id, ClientSecret: secret}, store, nil)
//	if err != nil {
//		return err
//	}
//	connector, err := auth.NewConnector(users, "https://example.com/garmin/callback", done, nil)
//	if err != nil {
//		return err
//	}
//	mux.HandleFunc("GET /garmin/connect", connector.Start)
//	mux.HandleFunc("GET /garmin/callback", connector.Callback)
//
// From then on a connected user is a client away, made by [Users.Client].
//
// # Refreshing
//
// An access token lasts a day. A refresh token is good for one refresh, which
// gives the next of both; if two refresh at once, or the answer is lost, the
// user is logged out and has to connect again. [Users] prevents that as far as
// it can be prevented: one refresh at a time for each user, in all processes
// that share the [TokenStore]; the new token is stored before it is used, even
// if the request that needed it is over; and the store has just taken a write
// before the refresh token is spent.
//
// What remains is a process or machine that dies between Garmin's answer and
// the end of the write, a few milliseconds; and an answer that is lost on the
// way. Call [Users.Close] before the process ends: it waits for the refreshes
// under way.
//
// A refresh token ends after 90 days without a refresh. [Users.KeepAlive]
// renews those of idle users.
//
// # Errors
//
// ErrReconnect concerns one user, who alone can mend it. ErrInvalidClient
// concerns the configuration and leaves the users' tokens alone. ErrDenied and
// ErrState concern one attempt to connect. All are found with errors.Is, also in the
// errors of a client. [Error.Fault] says whose fault an error is.
//
// # Security
//
// A callback finishes only what was begun in the same browser, in the same
// session, within ten minutes, once: what ties them is a sealed cookie. Calls
// to Garmin's servers follow no redirect, read 64 KiB at most and use nothing
// of http.DefaultClient. No error, log record or printed value holds a secret;
// a Token shows its secrets only in its fields and in MarshalBinary. Tokens in
// a file can be sealed.
//
// # OAuth 1.0a
//
// Garmin retires OAuth 1.0a on 2026-12-31. Package oauth1 is a [Scheme] for the
// users who connected with it: set Options.Scheme.
package auth
