// Package admin shows operators what a service holds, and lets them redrive or
// discard dead letters: items that could not be delivered. Its handler has
// pages and a JSON API. Mount it behind your own login.
//
//	panel, err := admin.New(inbox, auditLog, &admin.Options{Processor: svc.Processor(), Ledger: ledger, Tokens: tokens})
//	if err != nil {
//		return err
//	}
//	mux.Handle("/admin/", onlyOperators(http.StripPrefix("/admin", panel)))
//
// It works with every [notify.Queue], [backfill.Ledger] and [auth.TokenStore],
// and keeps only a few figures in memory.
//
// # Addresses
//
// The content of each page is also available as JSON under api/, with the same
// parameters, in the query of a GET or the form of a POST. The file
// internal/adminapi/adminapi.go of this module describes the fields.
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
//	POST erase     user: what there is of a user; dry_run=false to remove it
//	POST export    user: the same as a zip
//
// A POST with a parameter that it does not have is refused, since one that is
// misspelt would be left out, and the action would be done to more letters.
//
// A long list comes in pieces. The field Next of a piece is the parameter from
// of the next one, and is "" at the end. A search takes at most 80 ms, or as
// long as the parameter seconds says, up to 20. A search through many letters
// may therefore return an empty piece that is not the last.
//
// Redrive and discard of many letters only count by default. With dry_run=false
// they act, on letters that became one before the count. One letter, by its id, is
// not counted first, unless dry_run=true says so.
//
// # Security
//
// The handler itself does not authenticate anyone. A request that changes
// something is refused if a browser sent it from another site. The pages have no
// scripts, load nothing from elsewhere, and cannot be framed. The content of a
// letter is personal data: values are shown only on request, and tokens never.
// Every action is written to the audit log before it is done, and its result
// afterwards.
package admin
