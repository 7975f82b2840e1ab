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
	report, err := backfill.NewReport(ctx, a.opts.Ledger, out.ID)
	if err != nil {
		return nil, err
	}
	for _, k := range backfill.Kinds() {
		if days := report.Days[k]; len(days) > 0 {
			out.History = append(out.History, calendarOf(k, days))
		}
	}
	return out, nil
}

func calendarOf(k types.Kind, days []backfill.Day) adminapi.Calendar {
	out := adminapi.Calendar{Kind: k, Days: map[string]int{}}
	for _, d := range days {
		out.Days[d.String()]++
		month := d.Date.Format("2006-01")
		if n := len(out.Months); n == 0 || out.Months[n-1].Month != month {
			out.Months = append(out.Months, adminapi.Month{Month: month})
		}
		m := &out.Months[len(out.Months)-1]
		m.Days = append(m.Days, adminapi.Day{Day: d.Date.Day(), Status: d.String(), Arrived: d.Arrived, Why: d.Why})
	}
	return out
}
