package activitytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Garmin's web tools (Activity API, sections 3 and 6.2). The Endpoint
// Configuration Tool is SetEndpoint, the Data Generator is Generator with
// User.Sync, the API Pull Token tool is UserState.PullToken.

// Record is a row of the Data Viewer.
type Record struct {
	Kind  types.Kind `json:"kind"`
	ID    types.ID   `json:"id"`
	Start time.Time  `json:"start"`
	// Uploaded is zero for history that no backfill has brought yet.
	Uploaded time.Time       `json:"uploaded,omitzero"`
	JSON     json.RawMessage `json:"json"`
	// CallbackURL is the callback URL of a ping for the record. It is set only if
	// [Upload.Silent] was.
	CallbackURL string `json:"-"`
}

// View works like Garmin's web tool Data Viewer: it returns the user's records of a
// kind, or of all kinds for "", that were recorded within w. The time of the upload
// does not matter. The zero Window means all time. The JSON must not be changed.
func (u *User) View(kind types.Kind, w types.Window) []Record {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	list := []Record{}
	for _, r := range u.records {
		if (kind == "" || r.kind == kind) && (w == types.Window{} || w.Contains(r.start)) {
			list = append(list, r.view())
		}
	}
	return list
}

// Backfill requests history like Garmin's web tool of that name. It follows the
// rules of the API's backfill endpoint, and its error has the endpoint's text.
// Both ends of the window are included.
func (u *User) Backfill(kind types.Kind, w types.Window) error {
	if !slices.Contains(backfillKinds(), kind) {
		return fmt.Errorf("activitytest: %s have no backfill", kind)
	}
	if err := u.s.backfill(u, kind, w.Start, w.End); err != nil {
		return fmt.Errorf("activitytest: %d: %s", err.status, err.text)
	}
	return nil
}

// Resend works like Garmin's web tool Summary Resender: it queues again the
// notifications of everything the user has uploaded, of the given kinds or of
// all. It returns the number of records, which is 0 for a user who is not connected.
func (u *User) Resend(kinds ...types.Kind) int {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	n := 0
	for _, r := range u.records {
		if !u.gone && !r.uploaded.IsZero() && (len(kinds) == 0 || slices.Contains(kinds, r.kind)) {
			u.s.announce(u, r)
			n++
		}
	}
	return n
}
