// Package adminapi has the answers of the JSON API of package admin, for the
// handler that writes them and the programs here that read them.
package adminapi

import (
	"time"

	"github.com/garminkit/activityapi/types"
)

// Overview is the content of the first page.
type Overview struct {
	Classes []Class `json:"classes"`
	// Bodies counts bodies that are not split yet, Letters the dead letters.
	Bodies  int64 `json:"bodies"`
	Letters int64 `json:"letters"`
	Bytes   int64 `json:"bytes"`
	// The following are of this process, and zero without a Processor.
	ParkedUsers   int         `json:"parked_users"`
	Shares        int         `json:"shares"`
	Outage        types.Fault `json:"outage,omitempty"`
	OutageSeconds float64     `json:"outage_seconds,omitempty"`
}

// Class holds the figures of a class of items.
type Class struct {
	Class         string  `json:"class"`
	Items         int64   `json:"items"`
	OldestSeconds float64 `json:"oldest_seconds"`
	// The following are of this process. PerMinute is the rate of finished items
	// over the last minutes.
	PerMinute float64 `json:"per_minute"`
	Queued    int     `json:"queued"`
	Running   int     `json:"running"`
	Hung      int     `json:"hung"`
	Waiting   int     `json:"waiting"`
	Behind    int     `json:"behind"`
	Parked    int     `json:"parked"`
	Held      int     `json:"held"`
}

// Parked is the list of users whose token is refused.
type Parked struct {
	Users []ParkedUser `json:"users"`
	// Total counts all of them; Users has those parked the longest.
	Total int `json:"total"`
}

// ParkedUser is a user whose token is refused.
type ParkedUser struct {
	User         types.UserID `json:"user"`
	Items        int          `json:"items"`
	Refusals     int          `json:"refusals"`
	SinceSeconds float64      `json:"since_seconds"`
	NextSeconds  float64      `json:"next_seconds"`
	Reason       string       `json:"reason"`
}

// Letters is a piece of the list of dead letters.
type Letters struct {
	Filter  Filter   `json:"filter"`
	Letters []Letter `json:"letters"`
	// Seen counts the letters examined for this piece.
	Seen int    `json:"seen"`
	Next string `json:"next"`
}

// Filter selects letters; see [notify.LetterFilter].
type Filter struct {
	Key    string       `json:"key,omitempty"`
	User   types.UserID `json:"user,omitempty"`
	Reason string       `json:"reason,omitempty"`
	After  time.Time    `json:"after,omitzero"`
	Before time.Time    `json:"before,omitzero"`
}

// Letter is a dead letter without its content.
type Letter struct {
	ID          string       `json:"id"`
	Key         string       `json:"key"`
	User        types.UserID `json:"user"`
	Items       int          `json:"items"`
	Reason      string       `json:"reason"`
	Quarantined bool         `json:"quarantined"`
	Attempts    int          `json:"attempts"`
	Received    time.Time    `json:"received"`
	Buried      time.Time    `json:"buried"`
	Size        int64        `json:"size"`
}

// Content is a letter with its content.
type Content struct {
	Letter Letter `json:"letter"`
	// Content is JSON without values, or without secrets if values were
	// requested. It is not JSON if the letter is not.
	Content string `json:"content"`
	// Cut means that the letter is longer, Revealed that the values are shown.
	Cut      bool `json:"cut"`
	Revealed bool `json:"revealed"`
}

// Action is the answer to redrive and discard.
type Action struct {
	Action string `json:"action"`
	Filter Filter `json:"filter"`
	ID     string `json:"id,omitempty"`
	// DryRun means that nothing was done. Matched counts the letters found, Done
	// those now gone, and Failed the others; Errors has their first errors.
	DryRun  bool     `json:"dry_run"`
	Matched int      `json:"matched"`
	Done    int      `json:"done"`
	Failed  int      `json:"failed"`
	Errors  []string `json:"errors,omitempty"`
	// Next is the parameter from to continue with, if there was no time for all.
	Next string `json:"next"`
}

// History lists the users in the ledger, in order of their ids.
type History struct {
	Users []types.UserID `json:"users"`
	// Next is the from of the next piece, or "".
	Next string `json:"next"`
}

// Tokens lists the refresh tokens that expire soon, the next first.
type Tokens struct {
	Days   int      `json:"days"`
	Tokens []*Token `json:"tokens"`
	// More means that there are others.
	More bool `json:"more"`
}

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
