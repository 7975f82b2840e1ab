package admin

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// Token is the state of a user's token, without the token.
type Token struct {
	User types.UserID `json:"user"`
	// Version of OAuth, 1 or 2.
	OAuth         int       `json:"oauth"`
	Expiry        time.Time `json:"expiry,omitzero"`
	RefreshExpiry time.Time `json:"refresh_expiry,omitzero"`
	Revoked       bool      `json:"revoked"`
	// Refreshing means that a process is about to refresh it.
	Refreshing bool `json:"refreshing"`
}

func tokenOf(t *auth.Token, now time.Time) *Token {
	out := &Token{User: t.UserID, OAuth: 2, Expiry: t.Expiry, RefreshExpiry: t.RefreshExpiry, Revoked: t.Revoked, Refreshing: t.ClaimedUntil.After(now)}
	if t.RefreshToken == "" {
		out.OAuth = 1
	}
	return out
}

// Tokens lists the refresh tokens that expire soon, the next first.
type Tokens struct {
	Days   int      `json:"days"`
	Tokens []*Token `json:"tokens"`
	// More means that there are others.
	More bool `json:"more"`
}

func (a *Admin) tokens(r *http.Request) (any, error) {
	if a.opts.Tokens == nil {
		return nil, errAbsent
	}
	out := &Tokens{Days: 14, Tokens: []*Token{}}
	if text := r.FormValue("days"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 1000 {
			return nil, badRequest("days is no number from 0 to 1000")
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

// History lists the users in the ledger, in order of their ids.
type History struct {
	Users []types.UserID `json:"users"`
	// Next is the from of the next piece, or "".
	Next string `json:"next"`
}

func (a *Admin) history(r *http.Request) (any, error) {
	if a.opts.Ledger == nil {
		return nil, errAbsent
	}
	// A ledger yields its users in any order, and one may come meanwhile: so the
	// next piece begins behind an id, and not at a place in the list.
	from := types.UserID(r.FormValue("from"))
	out := &History{Users: make([]types.UserID, 0, pieceSize+1)}
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

// User is everything known of a user.
type User struct {
	ID types.UserID `json:"id"`
	// Token is nil if the user is not connected, or there is no token store.
	Token  *Token      `json:"token,omitempty"`
	Parked *ParkedUser `json:"parked,omitempty"`
	// History has a calendar for each kind with requested history.
	History []Calendar `json:"history,omitempty"`
}

// Calendar is the history of one kind.
type Calendar struct {
	Kind types.Kind `json:"kind"`
	// Days counts the days of each status; Months lists all days.
	Days   map[string]int `json:"days"`
	Months []Month        `json:"months"`
}

// Month holds the days of a calendar month.
type Month struct {
	Month string `json:"month"`
	Days  []Day  `json:"days"`
}

// Day is a day of a month.
type Day struct {
	Day     int    `json:"day"`
	Status  string `json:"status"`
	Arrived int    `json:"arrived"`
	Why     string `json:"why,omitempty"`
}

func (a *Admin) user(r *http.Request) (any, error) {
	ctx := r.Context()
	out := &User{ID: types.UserID(r.FormValue("id"))}
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

func calendarOf(c *backfill.Calendar) Calendar {
	out := Calendar{Kind: c.Kind, Days: map[string]int{}}
	for status, n := range c.Count() {
		out.Days[status.String()] = n
	}
	for _, d := range c.Days {
		month := d.Date.Format("2006-01")
		if n := len(out.Months); n == 0 || out.Months[n-1].Month != month {
			out.Months = append(out.Months, Month{Month: month})
		}
		m := &out.Months[len(out.Months)-1]
		m.Days = append(m.Days, Day{d.Date.Day(), d.Status.String(), d.Arrived, d.Why})
	}
	return out
}
