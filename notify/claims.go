package notify

import (
	"context"
	"fmt"
	"time"
)

// ClaimState is how far the one download of a file has come.
type ClaimState string

// The states of a claim. It begins as none, and goes on as [Claims] says.
const (
	// ClaimNone: Garmin was not asked, or has provably not given the file out.
	ClaimNone ClaimState = ""
	// ClaimBegun: somebody asks Garmin, or has asked and died.
	ClaimBegun ClaimState = "begun"
	// ClaimSpent: Garmin has given the file out, or never will, and it is not
	// stored. Bytes that came are where Claim.Kept says.
	ClaimSpent ClaimState = "spent"
	// ClaimStored: the file is in the [FileStore], and a callback has yet to
	// take it.
	ClaimStored ClaimState = "stored"
	// ClaimDone: the callbacks have taken it.
	ClaimDone ClaimState = "done"
)

// Claim is the note of one download. Nothing in it is secret.
type Claim struct {
	State ClaimState `json:"state"`
	// Holder is who works on a begun claim, until Until at most. The engine
	// sets both.
	Holder string    `json:"holder,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	// Asked is when the claim was first begun. The engine sets it, and keeps it
	// when a begun claim passes to another holder.
	Asked time.Time `json:"asked,omitzero"`

	// Name, Size, SHA256 and Odd are those of the [File] once it is stored.
	Name   string   `json:"name,omitempty"`
	Size   int64    `json:"size,omitempty"`
	SHA256 string   `json:"sha256,omitempty"`
	Odd    []string `json:"odd,omitempty"`

	// Why is what came of a spent claim, in words, and Kept the path of the
	// bytes that came of it, on the machine that asked.
	Why  string `json:"why,omitempty"`
	Kept string `json:"kept,omitempty"`
}

// Claims are the durable notes that keep a file from being asked for twice,
// since Garmin gives each out once. They belong to the [Queue]: all processes
// that share its items share its claims. A Queue that keeps them has a method
// Claims() Claims; [ClaimDir] is for one that does not.
//
// A claim has an id of up to 64 characters from 0-9 and a-f. Its lease is
// wall time by the engine's clock, which may jump: a lease that lies further
// ahead than a new one would is over.
//
// All methods are safe for concurrent use. An error other than [ErrLost] leaves
// it open whether the change was made; the caller may repeat it.
type Claims interface {
	// Begin takes the claim if there is none, or one that is begun and whose
	// lease is over or is the caller's own. taken tells whether it did, and
	// before is the claim as it was. When taken is true, the begun claim
	// survives a power cut. Of several callers at once, one takes it.
	Begin(ctx context.Context, id string, lease time.Duration) (before Claim, taken bool, err error)

	// Renew makes the lease end that much after now. It is ErrLost if the claim
	// is not begun or not the caller's.
	Renew(ctx context.Context, id string, lease time.Duration) error

	// Settle changes the state to c's, and the note with it:
	//
	//   - The caller's begun claim becomes none (it is forgotten), begun (the
	//     lease is over and the doubt, with c.Asked and c.Kept, stays), spent,
	//     stored or done.
	//   - A spent claim becomes spent or stored by anyone: its bytes were kept.
	//   - A stored one becomes stored or done by anyone, and a done one done.
	//   - No claim becomes none.
	//
	// Anything else is ErrLost. The caller may settle a claim whose lease ran
	// out, so long as nobody has taken it. Begun, spent and stored survive a
	// power cut when Settle has returned nil; done and none need not.
	//
	// A claim that is begun, stored, or spent with bytes kept is never
	// forgotten, and any other not before 30 days: longer than Garmin repeats a
	// ping (7 days) and keeps a file (24 hours), so that whatever is driven
	// again later has nothing to lose.
	Settle(ctx context.Context, id string, c Claim) error
}

// claimAge is how long a claim that nobody can need any more is kept.
const claimAge = 30 * 24 * time.Hour

// MaySettle is the table of [Claims.Settle]: it reports whether a claim may go
// from c to the state next. holder is who asks. It is for engines.
func (c Claim) MaySettle(next ClaimState, holder string) bool {
	switch c.State {
	case ClaimNone:
		return next == ClaimNone
	case ClaimBegun:
		return c.Holder == holder
	case ClaimSpent:
		return next == ClaimSpent || next == ClaimStored
	case ClaimStored:
		return next == ClaimStored || next == ClaimDone
	case ClaimDone:
		return next == ClaimDone
	}
	return false
}

// over reports whether a begun claim may be taken at now, for such a lease.
func (c Claim) over(now time.Time, lease time.Duration) bool {
	return !now.Before(c.Until) || c.Until.After(now.Add(lease))
}

// spent is the error of a file that the attempt c has spent, or may have.
func (c Claim) spent() error {
	var at string
	if !c.Asked.IsZero() {
		at = " at " + c.Asked.UTC().Format(time.RFC3339)
	}
	why := c.Why
	if why == "" {
		why = "the process ended"
	}
	if c.Kept != "" && c.State == ClaimBegun {
		why += fmt.Sprintf("; what came is kept as %q", c.Kept)
	}
	return fmt.Errorf("%w: we asked for it%s: %s", ErrSpent, at, why)
}
