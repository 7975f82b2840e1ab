// Package silence notices that data has stopped. It learns when a consumer key
// and each of its users are usually heard, and says who is quiet for longer than
// that, with the likely cause. With d of [New] or [Load]:
//
//	opts := &notify.ProcessorOptions{Observe: d.Observe}
//	processor, err := notify.NewProcessor(inbox, users, d.Wrap(callbacks), opts)
//
// and every minute or so:
//
//	for _, s := range d.Check(time.Now()) {
//		alarm(s.String())
//	}
//
// # Whole key first
//
// A key that is silent has silent users, so it is said alone, and the time does
// not count for any user. The key and each kind have a rate for every hour of
// the week, and a level that follows the season. A silence is one that chance
// gives once in 10^9 looks, by the bound of Chernoff on a Poisson count, even
// if the rate were half of what is expected; if some still come, a fifth. That
// takes 42 arrivals that did not come: 15 minutes at 170 an hour.
//
// # Users
//
// An interval of a user is the time between two days, or other times, with data:
// what comes within six hours is one. [Silence.Interval] is what 95 of 100 of
// the last do not exceed, and a third of [Options.Holiday] more, since everybody
// goes on a holiday now and then. A user is silent after three of them, or, if
// the cause is known, after one without the holiday. Nothing is said of a user
// with less than eight intervals and 28 days, and nothing again before the
// user is heard.
//
// A user's activities that always had a file or details, and have none any more,
// are a silence of that kind.
//
// # State
//
// A [Detector] holds some 500 bytes for each user and 20 KB for each key, whatever
// comes; a snapshot has 300. It has no clock and no goroutine.
package silence

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Options are the settings of a [Detector]. Nil means the defaults.
type Options struct {
	// Key is a name for the consumer key, for [Silence.Key]. Where a process serves
	// several applications, see [types.UserID], each is followed by itself and
	// Silence.Key is the name of those that have one.
	Key string
	// Holiday is the longest break that is usual. Zero means 21 days. A shorter
	// one finds dead users earlier, and takes more holidays for a silence.
	Holiday time.Duration
	// MaxUsers is how many users of a key are followed at most; one who is not heard for
	// 400 days makes room. Zero means a million.
	MaxUsers int
}

func (o *Options) withDefaults() (Options, error) {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Holiday == 0 {
		d.Holiday = 21 * day
	}
	if d.MaxUsers == 0 {
		d.MaxUsers = 1_000_000
	}
	if d.Holiday < 0 || d.Holiday > year || d.MaxUsers < 0 {
		return d, fmt.Errorf("silence: Options: Holiday is %v, want up to a year, and MaxUsers %d, want more than 0", d.Holiday, d.MaxUsers)
	}
	return d, nil
}

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// Cause is why data has stopped, as far as the detector was told.
type Cause string

// The causes.
const (
	// CauseUnknown: nothing was told. Of a whole key it is most often the
	// endpoint: switched off at Garmin, or not reached.
	CauseUnknown Cause = ""
	// CauseToken: Garmin refuses the user's token. Let them connect again.
	CauseToken Cause = "token"
	// CausePermission: the user has taken back the permission for activities.
	CausePermission Cause = "permission"
	// CauseLeft: the user is said to have disconnected. Call [Detector.Forget]
	// where a user is deleted.
	CauseLeft Cause = "left"
	// CauseFading: the user came less and less.
	CauseFading Cause = "fading"
	// CauseEndpoint: nothing of the key, or of a kind, comes in, and no other
	// cause is known.
	CauseEndpoint Cause = "endpoint"
	// CauseOutage: Garmin is not reached, or refuses the application.
	CauseOutage Cause = "outage"
	// CauseQueue: the queue fails or does not move.
	CauseQueue Cause = "queue"
	// CauseFiles: activities that should have files are not followed by their
	// file pings.
	CauseFiles Cause = "files"
)

// text says what a cause means and what to do.
func (c Cause) text() string {
	switch c {
	case CauseToken:
		return "Garmin refuses the token: ask the user to connect again"
	case CausePermission:
		return "the user has taken back the permission for activities"
	case CauseLeft:
		return "the user is said to have disconnected"
	case CauseFading:
		return "the user came less and less"
	case CauseEndpoint:
		return "see whether the endpoint answers, and is enabled at Garmin"
	case CauseOutage:
		return "Garmin is not reached or refuses the application"
	case CauseQueue:
		return "the queue fails or does not move"
	case CauseFiles:
		return "file pings are missing for activities that have files: see whether their endpoint is enabled at Garmin"
	}
	return "the cause is not known"
}

// Silence is a key, a kind or a user that is not heard any more.
type Silence struct {
	// Key is [Options.Key].
	Key string
	// User is the Garmin user, or "" if all are silent.
	User types.UserID
	// Kind is what does not come any more, or "" for all kinds.
	Kind types.Kind
	// Since is when it was last heard.
	Since time.Time
	// Interval is the user's own: see the package comment. Zero for a key.
	Interval time.Duration
	// Expected is how many arrivals should have come since, of a key; of a kind
	// of one user, how many activities were without it.
	Expected float64
	Cause    Cause
}

// String is the silence in one line.
func (s Silence) String() string {
	who, what := "key "+s.Key, "nothing"
	if s.Key == "" {
		who = "the key"
	}
	if s.User != "" {
		who = "user " + string(s.User)
	}
	if s.Kind != "" {
		what = "no " + string(s.Kind)
	}
	text := fmt.Sprintf("%s: %s since %s", who, what, s.Since.UTC().Format(time.RFC3339))
	switch {
	case s.Kind != "" && s.User != "":
		text += fmt.Sprintf(", for %.0f activities", s.Expected)
	case s.User != "":
		text += fmt.Sprintf(", own interval %.1f days", s.Interval.Hours()/24)
	default:
		text += fmt.Sprintf(", %.0f expected", s.Expected)
	}
	return text + "; " + s.Cause.text()
}

// LogValue gives the fields that are set.
func (s Silence) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Time("since", s.Since)}
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(name, value))
		}
	}
	add("key", s.Key)
	add("user", string(s.User))
	add("kind", string(s.Kind))
	add("cause", string(s.Cause))
	return slog.GroupValue(attrs...)
}
