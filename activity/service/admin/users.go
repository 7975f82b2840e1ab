package admin

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/internal/adminapi"
	"github.com/garminkit/activityapi/types"
)

func tokenOf(t *auth.Token, now time.Time) *adminapi.Token {
	out := &adminapi.Token{User: t.UserID, OAuth: 2, Expiry: t.Expiry, RefreshExpiry: t.RefreshExpiry, Revoked: t.Revoked, Refreshing: t.ClaimedUntil.After(now)}
	if t.RefreshToken == "" {
		out.OAuth = 1
	}
	return out
}

func (a *pages) tokens(r *http.Request) (any, error) {
	if a.opts.Tokens == nil {
		return nil, errAbsent
	}
	out := &adminapi.Tokens{Days: 14, Tokens: []*adminapi.Token{}}
	if text := r.FormValue("days"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 1000 {
			return nil, badRequest("days is not a number from 0 to 1000")
		}
		out.Days = n
	}
	now := time.Now()
	for t, err := range a.opts.Tokens.Due(r.Context(), now.AddDate(0, 0, out.Days)) {
		if err != nil {
			return nil, err
		}
		if out.More = len(out.Tokens) == pieceSize; out.More {
			break
		}
		out.Tokens = append(out.Tokens, tokenOf(t, now))
	}
	return out, nil
}

func (a *pages) history(r *http.Request) (any, error) {
	if a.opts.Ledger == nil {
		return nil, errAbsent
	}
	// A ledger yields its users in any order, and one may come meanwhile: so the
	// next piece begins behind an id, and not at a place in the list.
	from := types.UserID(r.FormValue("from"))
	out := &adminapi.History{Users: make([]types.UserID, 0, pieceSize+1)}
	for id, err := range a.opts.Ledger.Users(r.Context()) {
		if err != nil {
			return nil, err
		}
		at, there := slices.BinarySearch(out.Users, id)
		if id <= from || there || at == pieceSize+1 {
			continue
		}
		out.Users = slices.Insert(out.Users[:min(len(out.Users), pieceSize)], min(at, pieceSize), id)
	}
	if len(out.Users) > pieceSize {
		out.Users = out.Users[:pieceSize]
		out.Next = string(out.Users[pieceSize-1])
	}
	return out, nil
}

func (a *pages) user(r *http.Request) (any, error) {
	ctx := r.Context()
	out := &adminapi.User{ID: types.UserID(r.FormValue("id"))}
	if out.ID == "" {
		return nil, badRequest("id is missing")
	}
	if a.opts.Tokens != nil {
		t, err := a.opts.Tokens.Token(ctx, out.ID)
		if err != nil && !errors.Is(err, auth.ErrNotConnected) {
			return nil, err
		}
		if err == nil {
			out.Token = tokenOf(t, time.Now())
		}
	}
	if p := a.opts.Processor; p != nil {
		for _, u := range p.Parked(int(^uint(0) >> 1)) {
			if u.UserID == out.ID {
				found := parkedUser(&u)
				out.Parked = &found
			}
		}
	}
	if a.opts.Ledger == nil {
		return out, nil
	}
	report, err := backfill.NewReport(ctx, a.opts.Ledger, out.ID, nil)
	if err != nil {
		return nil, err
	}
	for i := range report.Kinds {
		out.History = append(out.History, calendarOf(&report.Kinds[i]))
	}
	return out, nil
}

func calendarOf(c *backfill.Calendar) adminapi.Calendar {
	out := adminapi.Calendar{Kind: c.Kind, Days: map[string]int{}}
	for status, n := range c.Count() {
		out.Days[status.String()] = n
	}
	for _, d := range c.Days {
		month := d.Date.Format("2006-01")
		if n := len(out.Months); n == 0 || out.Months[n-1].Month != month {
			out.Months = append(out.Months, adminapi.Month{Month: month})
		}
		m := &out.Months[len(out.Months)-1]
		m.Days = append(m.Days, adminapi.Day{Day: d.Date.Day(), Status: d.Status.String(), Arrived: d.Arrived, Why: d.Why})
	}
	return out
}
