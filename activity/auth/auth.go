// Package auth connects users: it takes them to Garmin's consent page and back,
// and keeps the resulting tokens valid.
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
// From then on [Users.Client] returns a client for a connected user.
//
// # Refreshing
//
// An access token lasts a day. A refresh token can be used once: the refresh
// returns a new access token and a new refresh token. If two processes refresh at
// once, or the answer is lost, no valid refresh token is left and the user has to
// connect again. [Users] prevents that as far as possible. It makes one refresh
// at a time for each user, across all processes that share the [TokenStore]. It
// proves that the store is writable before it uses the refresh token. It stores
// the new tokens before it uses them, even if the request that needed them has
// ended.
//
// Two cases remain: a process or machine that dies within the few milliseconds
// between Garmin's answer and the end of the write, and an answer that is lost on
// the way. Call [Users.Close] before the process ends: it waits for running
// refreshes.
//
// A refresh token expires after 90 days without a refresh. [Users.KeepAlive]
// renews those of idle users.
//
// # Errors
//
// ErrReconnect concerns one user, and only that user can fix it. ErrInvalidClient
// concerns the configuration and does not affect tokens. ErrDenied and ErrState
// concern one attempt to connect. errors.Is finds all of them, even in the errors
// of a client. [Error.Fault] says who caused an error.
//
// # Security
//
// A callback can only finish a connection that was begun in the same browser and
// session within the last ten minutes, and only once. A sealed cookie ties them
// together. Calls to Garmin's servers follow no redirect, read at most 64 KiB and
// do not use http.DefaultClient. No error, log record or printed value holds a
// secret; a Token shows its secrets only in its fields and in MarshalBinary.
// Tokens in a file can be sealed, that is, encrypted and authenticated.
//
// # OAuth 1.0a
//
// Garmin retires OAuth 1.0a on 2026-12-31. For users who connected with it, set
// Options.Scheme to the [Scheme] of package oauth1.
package auth
