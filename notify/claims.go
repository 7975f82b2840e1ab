package notify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/garminkit/activityapi/internal/owner"
	"github.com/garminkit/activityapi/types"
)

// ClaimState is the progress of a file's only download.
type ClaimState string

// The states of a claim. It starts as ClaimNone; [Claims] describes the changes.
const (
	// ClaimNone: Garmin was not asked, or has provably not sent the file.
	ClaimNone ClaimState = ""
	// ClaimBegun: a process is asking Garmin, or has asked and died.
	ClaimBegun ClaimState = "begun"
	// ClaimSpent: Garmin has sent the file, or never will, and it is not stored.
	// Claim.Kept says where received bytes are.
	ClaimSpent ClaimState = "spent"
	// ClaimStored: the file is in the [FileStore]; a callback has yet to accept
	// it.
	ClaimStored ClaimState = "stored"
	// ClaimDone: the callbacks have accepted it.
	ClaimDone ClaimState = "done"
)

// Claim records one download. Nothing in it is secret.
type Claim struct {
	State ClaimState `json:"state"`
	// Holder works on a begun claim, at most until Until. The engine sets both.
	Holder string    `json:"holder,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	// Asked is when the claim was first begun. The engine sets it, and keeps it
	// when another holder takes the claim over.
	Asked time.Time `json:"asked,omitzero"`

	// Owner is a hash of the id of the user whose file it is. A begun claim may
	// have none.
	Owner string `json:"owner,omitempty"`

	// Name, Size, SHA256 and Odd are those of the stored [File].
	Name   string   `json:"name,omitempty"`
	Size   int64    `json:"size,omitempty"`
	SHA256 string   `json:"sha256,omitempty"`
	Odd    []string `json:"odd,omitempty"`

	// Why explains a spent claim in words. Kept is the path of the bytes that
	// arrived, on the machine that asked.
	Why  string `json:"why,omitempty"`
	Kept string `json:"kept,omitempty"`
}

// Claims are durable records of which files were asked for. They prevent asking
// for a file twice, since Garmin allows one download. They belong to the
// [Queue]: all processes that share its items share its claims. Only those who
// implement a Queue need to know them.
//
// A claim has an id of up to 64 characters from 0-9 and a-f. While a process
// downloads the file it holds the claim under a lease, a time after which
// another process may take the claim over. The implementation's clock decides.
// It may jump: a lease that ends later than a new one would end counts as over.
//
// All methods are safe for concurrent use. After an error other than [ErrLost]
// the change may or may not have been made; the caller may repeat it.
type Claims interface {
	// Begin takes the claim if there is none, or if it is begun and its lease has
	// ended or is the caller's own. taken reports whether it did, and before is
	// the claim as it was. If taken is true, the begun claim survives a power
	// cut. Only one of several concurrent callers takes it.
	Begin(ctx context.Context, id string, lease time.Duration) (before Claim, taken bool, err error)

	// Renew makes the lease end that long from now. It fails with ErrLost if the
	// claim is not begun or not the caller's.
	Renew(ctx context.Context, id string, lease time.Duration) error

	// Settle replaces the claim by c. It allows these changes:
	//
	//   - The caller's begun claim becomes none (it is forgotten), begun (the
	//     lease ends; the doubt stays, with c.Asked and c.Kept), spent, stored or
	//     done.
	//   - Any caller may make a spent claim spent or stored, since its bytes were
	//     kept.
	//   - Any caller may make a stored claim stored or done, and a done claim
	//     done.
	//   - If there is no claim, any caller may settle it as none.
	//
	// Anything else is ErrLost. The caller may settle a claim whose lease has
	// ended, as long as nobody has taken it. After Settle has returned nil,
	// begun, spent and stored survive a power cut; done and none need not.
	//
	// A claim that is begun, stored, or spent with bytes kept is never forgotten.
	// Any other is kept for at least 30 days: longer than Garmin repeats a ping
	// (7 days) or keeps a file (24 hours), so that a later redrive has nothing to
	// lose.
	Settle(ctx context.Context, id string, c Claim) error
}

// OwnedBy reports whether c is a claim on a file of the user. It is for
// implementations of [Claims].
func (c *Claim) OwnedBy(user types.UserID) bool {
	mark := owner.Of(user)
	return c.Owner == mark || strings.Contains(c.Kept, partOwner(mark)) || strings.HasPrefix(c.Name, userDir(user)+"/")
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
	return fmt.Errorf("%w: we asked for it%s: %s", errSpent, at, why)
}
