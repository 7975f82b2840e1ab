package admin

import (
	"net/http"
	"strconv"

	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/types"
)

// erase counts what there is of a user, or with dry_run=false removes it.
func (a *pages) erase(r *http.Request) (any, error) {
	if a.opts.Erase == nil {
		return nil, errAbsent
	}
	user := types.UserID(r.FormValue("user"))
	if user == "" {
		return nil, badRequest("user is missing")
	}
	dry := true
	if text := r.FormValue("dry_run"); text != "" {
		var err error
		if dry, err = strconv.ParseBool(text); err != nil {
			return nil, badRequest("dry_run is neither true nor false")
		}
	}
	out := &erased{User: user}
	if dry {
		receipt, err := a.opts.Erase(r.Context(), user, true)
		out.Receipt = receipt
		return out, err
	}
	a.begin(r, "erase", "user", string(user))
	receipt, err := a.opts.Erase(r.Context(), user, false)
	out.Receipt = receipt
	a.end(r, "erase", err, "user", string(user), "complete", receipt != nil && receipt.Complete())
	if receipt != nil && len(receipt.Stores) > 0 {
		err = nil // The receipt tells which store failed, and why.
	}
	return out, err
}

// erased is what erase answers.
type erased struct {
	User    types.UserID      `json:"user"`
	Receipt *personal.Receipt `json:"receipt"`
}

// export answers with a zip. An answer that was cut short is no zip: its end is
// missing.
func (a *pages) export(w http.ResponseWriter, r *http.Request) {
	err := parse(r, "user")
	user := types.UserID(r.FormValue("user"))
	switch {
	case err != nil:
		http.Error(w, err.Error(), statusOf(err))
		return
	case a.opts.Export == nil:
		http.Error(w, errAbsent.Error(), statusOf(errAbsent))
		return
	case user == "":
		http.Error(w, "user is missing", http.StatusBadRequest)
		return
	}
	a.begin(r, "export", "user", string(user))
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="export.zip"`)
	defer unlimited(w)()
	m, err := a.opts.Export(r.Context(), user, slowWriter{w})
	n := 0
	if m != nil {
		n = len(m.Entries)
	}
	a.end(r, "export", err, "user", string(user), "entries", n)
	if err != nil {
		panic(http.ErrAbortHandler) // The status is sent already.
	}
}
