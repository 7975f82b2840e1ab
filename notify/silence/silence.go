// Package silence detects that data has stopped. It learns how often data
// normally arrives, for each user and for the whole consumer key, which is one
// application at Garmin. It reports who has been silent for longer than that,
// with the likely cause. With d from [New] or [Load]:
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
// If a key is silent, so are all its users. Then only the key is reported, and
// the time does not count for any user.
//
// The key and each kind have an expected rate for every hour of the week, times
// a level that follows the season. A gap is reported as a silence if chance
// alone would cause it less than once in 10^9 checks (by the Chernoff bound for
// a Poisson count), even if the true rate were half of the expected, or a fifth
// of it if some data still arrives. That takes 42 missing arrivals: 15 minutes
// at 170 an hour.
//
// # Users
//
// A user's intervals are the gaps between arrivals; arrivals within six hours
// count as one. [Silence].Interval is the 95th percentile of the latest intervals
// plus a third of [Options].Holiday, since everybody takes a holiday now and
// then. A user is silent after three times that. If the cause is known, the
// percentile alone is enough. A user is not reported before there have been eight
// intervals and 28 days, nor a second time before new data has arrived.
//
// If a user's activities always came with a file or details, and no longer do,
// that kind is reported as silent for the user.
//
// # State
//
// A [Detector] holds about 500 bytes for each user and 20 KB for each key,
// whatever arrives. A snapshot of it in a file has 300 bytes for each user. It
// has no clock and no goroutine.
package silence

import (
	"fmt"
	"time"

	"github.com/garminkit/activityapi/types"
)

// Options are the optional settings of a [Detector]. Nil means the defaults.
type Options struct {
	// Key is the name of the consumer key in [Silence].Key. If a process serves
	// several applications (see [types.UserID]), each is followed separately,
	// and Silence.Key is the name of the application instead, if it has one.
	Key string
	// Holiday is the longest usual break. Zero means 21 days. A shorter one finds
	// dead users earlier, but reports more holidays as silences.
	Holiday time.Duration
	// MaxUsers limits the number of users that are followed for each key. Beyond
	// it, new users are followed only when others have had no data for 400 days.
	// Zero means a million.
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

// The causes of a [Silence], which says what they mean.
const (
	causeUnknown    = ""
	causeToken      = "token"
	causePermission = "permission"
	causeLeft       = "left"
	causeFading     = "fading"
	causeEndpoint   = "endpoint"
	causeOutage     = "outage"
	causeQueue      = "queue"
	causeFiles      = "files"
)

// advice says what a cause means and what to do.
func advice(cause string) string {
	switch cause {
	case causeToken:
		return "Garmin refuses the token: ask the user to connect again"
	case causePermission:
		return "the user has taken back the permission for activities"
	case causeLeft:
		return "the user is said to have disconnected"
	case causeFading:
		return "the user came less and less"
	case causeEndpoint:
		return "see whether the endpoint answers, and is enabled at Garmin"
	case causeOutage:
		return "Garmin is not reached or refuses the application"
	case causeQueue:
		return "the queue fails or does not move"
	case causeFiles:
		return "file pings are missing for activities that have files: see whether their endpoint is enabled at Garmin"
	}
	return "the cause is not known"
}

// Silence is a key, a kind or a user whose data has stopped.
type Silence struct {
	// Key is [Options.Key].
	Key string
	// User is the silent Garmin user, or "" if all are silent.
	User types.UserID
	// Kind is the silent kind, or "" for all kinds.
	Kind types.Kind
	// Since is when data last arrived.
	Since time.Time
	// Interval is the user's interval; see the package comment. It is zero for a
	// key.
	Interval time.Duration
	// Expected is the number of arrivals that a key should have had since. For a
	// kind of one user it is the number of activities without it.
	Expected float64
	// Cause is why data has stopped, as far as the detector knows. For a user:
	//
	//	"token"       Garmin refuses the token: ask the user to connect again
	//	"permission"  the user has withdrawn the permission for activities
	//	"left"        the user has disconnected: see [Detector.Forget]
	//	"fading"      the user's data became less and less frequent
	//
	// For a key or a kind:
	//
	//	"endpoint"    no other cause is known: see whether the endpoint answers, and
	//	              is enabled at Garmin
	//	"outage"      Garmin cannot be reached, or refuses the application
	//	"queue"       the queue fails or is stalled
	//	"files"       activities that should have files come without file pings; of a
	//	              user, too
	//
	// It is "" if the cause is unknown. [Silence.String] says it in words.
	Cause string
}

// String returns the silence in one line.
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
	return text + "; " + advice(s.Cause)
}
