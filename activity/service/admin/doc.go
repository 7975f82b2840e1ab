// Package admin shows what a service holds, and lets its operators drive dead
// letters again: an [net/http.Handler] with pages and a JSON API, to be mounted
// behind the partner's own log-in.
//
//	panel, err := admin.New(inbox, auditLog, &admin.Options{Processor: svc.Processor(), Ledger: ledger, Tokens: tokens})
//	if err != nil {
//		return err
//	}
//	mux.Handle("/admin/", onlyOperators(http.StripPrefix("/admin", panel)))
//
// It works on every [notify.Queue], [backfill.Ledger] and [auth.TokenStore]
// through their interfaces, and keeps nothing in memory but a few figures.
//
// # Addresses
//
// Each page has the same content as JSON under api/, with the same parameters, in
// the query of a GET and the form of a POST:
//
//	GET  overview  depth, oldest age and rate by class, bodies, letters
//	GET  parked    users whose token is refused, and why
//	GET  letters   key, user, reason, after, before, from
//	GET  letter    id: a letter, and its content with values left out
//	POST reveal    id: its content, without secrets
//	POST redrive   id, or the filter of letters; dry_run=false to do it
//	POST discard   the same
//	GET  history   users in the ledger, from
//	GET  tokens    tokens that end within days
//	GET  drift     what Garmin sends and this version does not know, without values
//	GET  user      id: token, history day by day, parked or not
//
// A list that is long comes in pieces: its Next is the from of the next piece, and
// is "" at the end. An answer looks for 80 ms, or for the seconds asked for, up to 20:
// a search through many letters that finds little may have an empty piece.
//
// Redrive and discard of many letters count first and do nothing; with
// dry_run=false they do it, for letters that were buried before the count.
//
// # Security
//
// The handler itself lets everybody in. A request that changes something is
// refused if a browser sent it from another site. The pages hold no script, load
// nothing from elsewhere, and cannot be framed. The content of a letter is a
// user's: it is shown with its values left out, and the rest only on request, never
// with tokens. Every action is written to the audit log before it is done, and
// what came of it after.
package admin
