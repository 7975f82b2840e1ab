package notifytest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/garminkit/activityapi/notify"
)

// ClaimsHarness opens claims of an implementation for [RunClaims], and ends them
// like a crash.
type ClaimsHarness struct {
	// Open returns a handle on the claims that live in dir, an empty directory
	// at first. Each handle stands for a process; several are open at a time.
	// Claims that are kept elsewhere may take dir as a name.
	Open func(t *testing.T, dir string) notify.Claims
	// Kill ends the process of a handle, which is not closed. nil means that
	// there is nothing to do.
	Kill func(t *testing.T, c notify.Claims)
	// Advance moves the clock of the claims. nil means that they use [time.Now];
	// each clause then runs in a bubble of testing/synctest.
	Advance func(t *testing.T, d time.Duration)
}

// RunClaims checks an implementation of [notify.Claims], clause by clause.
func RunClaims(t *testing.T, h ClaimsHarness) {
	for _, c := range claimClauses {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			check := func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), 10*365*24*time.Hour)
				defer cancel()
				s := &claimsSubject{T: t, h: h, ctx: ctx, dir: dir, duty: c.duty}
				defer s.close()
				s.one, s.two = s.open(), s.open()
				c.check(s)
			}
			if h.Advance != nil {
				check(t)
				return
			}
			synctest.Test(t, check)
		})
	}
}

// claimsSubject is the claims under test, with the handles of two processes.
type claimsSubject struct {
	*testing.T
	h        ClaimsHarness
	ctx      context.Context
	dir      string
	duty     string
	one, two notify.Claims
	opened   []notify.Claims
}

const claimLease = time.Minute

func (s *claimsSubject) open() notify.Claims {
	c := s.h.Open(s.T, s.dir)
	s.opened = append(s.opened, c)
	return c
}

func (s *claimsSubject) close() {
	for _, c := range s.opened {
		if c, ok := c.(interface{ Close() error }); ok {
			_ = c.Close()
		}
	}
}

func (s *claimsSubject) kill(c notify.Claims) {
	if s.h.Kill != nil {
		s.h.Kill(s.T, c)
	}
}

func (s *claimsSubject) advance(d time.Duration) {
	if s.h.Advance != nil {
		s.h.Advance(s.T, d)
		return
	}
	time.Sleep(d)
}

func (s *claimsSubject) fail(format string, args ...any) {
	s.Helper()
	s.Fatalf("%s\n\tThe contract: %s.", fmt.Sprintf(format, args...), s.duty)
}

func claimID(n int) string {
	sum := sha256.Sum256(fmt.Append(nil, n))
	return fmt.Sprintf("%x", sum[:16])
}

// begin wants the claim taken, or not.
func (s *claimsSubject) begin(c notify.Claims, id string, want bool) notify.Claim {
	s.Helper()
	before, taken, err := c.Begin(s.ctx, id, claimLease)
	if err != nil || taken != want {
		s.fail("Begin gave taken %v and %v, want taken %v", taken, err, want)
	}
	return before
}

// settle wants the change made, or ErrLost.
func (s *claimsSubject) settle(c notify.Claims, id string, claim notify.Claim, lost bool) {
	s.Helper()
	err := c.Settle(s.ctx, id, claim)
	if lost != errors.Is(err, notify.ErrLost) || !lost && err != nil {
		s.fail("Settle to %q gave %v, want ErrLost: %v", claim.State, err, lost)
	}
}

// state wants to see the claim in such a state, which is not to be begun.
func (s *claimsSubject) state(id string, want notify.ClaimState) notify.Claim {
	s.Helper()
	c := s.open()
	before, taken, err := c.Begin(s.ctx, id, claimLease)
	if err != nil || before.State != want || taken != (want == notify.ClaimNone) {
		s.fail("the claim is %q and taken %v (%v), want %q", before.State, taken, err, want)
	}
	return before
}

// inState makes a claim of the first process' and brings it to a state.
func (s *claimsSubject) inState(id string, state notify.ClaimState) {
	s.Helper()
	if state == notify.ClaimNone {
		return
	}
	s.begin(s.one, id, true)
	if state != notify.ClaimBegun {
		s.settle(s.one, id, notify.Claim{State: state}, false)
	}
}

var claimClauses = []struct {
	name, duty string
	check      func(*claimsSubject)
}{
	{"one begins", "Begin takes a claim that there is not, and nobody else's lease is touched", func(s *claimsSubject) {
		id := claimID(1)
		if before := s.begin(s.one, id, true); before.State != notify.ClaimNone {
			s.fail("before the first Begin the claim was %q", before.State)
		}
		before := s.begin(s.two, id, false)
		if before.State != notify.ClaimBegun || before.Asked.IsZero() || before.Holder == "" {
			s.fail("the other process sees %+v", before)
		}
		s.begin(s.two, claimID(2), true)
	}},
	{"of many one begins", "of several callers at once, one takes the claim", func(s *claimsSubject) {
		var took sync.Map
		var wg sync.WaitGroup
		for _, c := range []notify.Claims{s.one, s.two, s.open(), s.open()} {
			for n := range 20 {
				wg.Go(func() {
					if _, taken, err := c.Begin(s.ctx, claimID(n), claimLease); err != nil {
						s.Errorf("Begin: %v", err)
					} else if taken {
						if _, twice := took.LoadOrStore(n, c); twice {
							s.Errorf("claim %d was taken by two processes", n)
						}
					}
				})
			}
		}
		wg.Wait()
		for n := range 20 {
			if _, ok := took.Load(n); !ok {
				s.fail("claim %d was taken by nobody", n)
			}
		}
	}},
	{"the holder begins again", "Begin takes a begun claim that is the caller's own", func(s *claimsSubject) {
		s.begin(s.one, claimID(1), true)
		if before := s.begin(s.one, claimID(1), true); before.State != notify.ClaimBegun {
			s.fail("before, the claim was %q", before.State)
		}
	}},
	{"a lease ends", "Begin takes a begun claim whose lease is over, and Asked stays", func(s *claimsSubject) {
		id := claimID(1)
		s.begin(s.one, id, true)
		asked := s.begin(s.two, id, false).Asked
		s.advance(claimLease - time.Second)
		s.begin(s.two, id, false)
		s.advance(2 * time.Second)
		before := s.begin(s.two, id, true)
		if before.State != notify.ClaimBegun || !before.Asked.Equal(asked) {
			s.fail("before, the claim was %+v, asked %v", before, asked)
		}
		if again := s.begin(s.one, id, false); !again.Asked.Equal(asked) {
			s.fail("asked %v, want %v", again.Asked, asked)
		}
	}},
	{"a lease is renewed", "Renew makes the lease end that much after now", func(s *claimsSubject) {
		id := claimID(1)
		s.begin(s.one, id, true)
		for range 4 {
			s.advance(claimLease * 2 / 3)
			if err := s.one.Renew(s.ctx, id, claimLease); err != nil {
				s.fail("Renew: %v", err)
			}
		}
		s.advance(claimLease * 2 / 3)
		s.begin(s.two, id, false)
		s.advance(claimLease)
		s.begin(s.two, id, true)
	}},
	{"the loser is told", "a holder that lost its lease gets ErrLost and changes nothing", func(s *claimsSubject) {
		id := claimID(1)
		s.begin(s.one, id, true)
		s.advance(claimLease + time.Second)
		s.begin(s.two, id, true)
		if err := s.one.Renew(s.ctx, id, claimLease); !errors.Is(err, notify.ErrLost) {
			s.fail("Renew gave %v", err)
		}
		for _, state := range []notify.ClaimState{notify.ClaimNone, notify.ClaimBegun, notify.ClaimSpent, notify.ClaimStored, notify.ClaimDone} {
			s.settle(s.one, id, notify.Claim{State: state}, true)
		}
		if err := s.two.Renew(s.ctx, id, claimLease); err != nil {
			s.fail("Renew by the new holder: %v", err)
		}
		s.settle(s.two, id, notify.Claim{State: notify.ClaimStored, Name: "two"}, false)
		if c := s.state(id, notify.ClaimStored); c.Name != "two" {
			s.fail("the claim is %+v", c)
		}
	}},
	{"late and still the holder", "a claim whose lease ran out may be settled, so long as nobody has taken it", func(s *claimsSubject) {
		s.begin(s.one, claimID(1), true)
		s.advance(2 * claimLease)
		s.settle(s.one, claimID(1), notify.Claim{State: notify.ClaimStored}, false)
		s.state(claimID(1), notify.ClaimStored)
	}},
	{"only what is begun is renewed", "Renew of a claim that is not begun is ErrLost", func(s *claimsSubject) {
		for n, state := range []notify.ClaimState{notify.ClaimNone, notify.ClaimSpent, notify.ClaimStored, notify.ClaimDone} {
			s.inState(claimID(n), state)
			if err := s.one.Renew(s.ctx, claimID(n), claimLease); !errors.Is(err, notify.ErrLost) {
				s.fail("Renew of a claim in the state %q gave %v", state, err)
			}
		}
	}},
	{"the states", "Settle makes the changes of its list and no other", func(s *claimsSubject) {
		states := []notify.ClaimState{notify.ClaimNone, notify.ClaimBegun, notify.ClaimSpent, notify.ClaimStored, notify.ClaimDone}
		anyone := map[[2]notify.ClaimState]bool{
			{notify.ClaimNone, notify.ClaimNone}:     true,
			{notify.ClaimSpent, notify.ClaimSpent}:   true,
			{notify.ClaimSpent, notify.ClaimStored}:  true,
			{notify.ClaimStored, notify.ClaimStored}: true,
			{notify.ClaimStored, notify.ClaimDone}:   true,
			{notify.ClaimDone, notify.ClaimDone}:     true,
		}
		n := 0
		for _, from := range states {
			for _, to := range states {
				for _, c := range []notify.Claims{s.one, s.two} {
					n++
					s.inState(claimID(n), from)
					ok := anyone[[2]notify.ClaimState{from, to}] || from == notify.ClaimBegun && c == s.one
					s.settle(c, claimID(n), notify.Claim{State: to}, !ok)
					switch want := to; {
					case !ok && from != notify.ClaimBegun:
						s.state(claimID(n), from)
					case ok && want != notify.ClaimBegun:
						s.state(claimID(n), want)
					}
				}
			}
		}
	}},
	{"a note is kept", "the note of a claim is there for every process", func(s *claimsSubject) {
		want := notify.Claim{State: notify.ClaimSpent, Name: "u/7.fit", Size: 1 << 40, SHA256: "ab", Odd: []string{"it is", "odd"}, Why: "it broke \x00 – after 7 bytes", Kept: "/tmp/x"}
		s.begin(s.one, claimID(1), true)
		s.settle(s.one, claimID(1), want, false)
		got := s.begin(s.two, claimID(1), false)
		if got.Asked.IsZero() {
			s.fail("Asked is zero")
		}
		if got.Name != want.Name || got.Size != want.Size || got.SHA256 != want.SHA256 || got.Why != want.Why || got.Kept != want.Kept || fmt.Sprint(got.Odd) != fmt.Sprint(want.Odd) {
			s.fail("the note is %+v, want %+v", got, want)
		}
	}},
	{"a claim is given back", "a claim that is settled as none is there for the next, and as begun too, with the doubt", func(s *claimsSubject) {
		s.begin(s.one, claimID(1), true)
		s.settle(s.one, claimID(1), notify.Claim{}, false)
		if before := s.begin(s.two, claimID(1), true); before.State != notify.ClaimNone {
			s.fail("before, the claim was %q", before.State)
		}
		asked := time.Now().Add(-time.Hour)
		s.begin(s.one, claimID(2), true)
		s.settle(s.one, claimID(2), notify.Claim{State: notify.ClaimBegun, Asked: asked, Kept: "here"}, false)
		before := s.begin(s.two, claimID(2), true)
		if before.State != notify.ClaimBegun || !before.Asked.Round(time.Second).Equal(asked.Round(time.Second)) || before.Kept != "here" {
			s.fail("before, the claim was %+v, asked %v", before, asked)
		}
	}},
	{"a process is killed", "what Begin and Settle promised survives the process, and a begun claim is free when its lease is over", func(s *claimsSubject) {
		for n, state := range []notify.ClaimState{notify.ClaimBegun, notify.ClaimSpent, notify.ClaimStored} {
			s.inState(claimID(n), state)
		}
		s.kill(s.one)
		s.advance(claimLease + time.Second)
		if before := s.begin(s.two, claimID(0), true); before.State != notify.ClaimBegun {
			s.fail("the begun claim is %q", before.State)
		}
		s.state(claimID(1), notify.ClaimSpent)
		s.state(claimID(2), notify.ClaimStored)
	}},
	{"long after", "what can be needed is never forgotten, and nothing before 30 days", func(s *claimsSubject) {
		s.inState(claimID(1), notify.ClaimDone)
		s.inState(claimID(2), notify.ClaimSpent)
		s.inState(claimID(3), notify.ClaimStored)
		s.begin(s.one, claimID(4), true)
		s.begin(s.one, claimID(5), true)
		s.settle(s.one, claimID(5), notify.Claim{State: notify.ClaimSpent, Kept: "here"}, false)
		use := func() {
			for n := range 600 {
				s.begin(s.two, claimID(1000+n), true)
				s.settle(s.two, claimID(1000+n), notify.Claim{}, false)
				s.advance(15 * time.Second)
			}
		}
		s.advance(29 * 24 * time.Hour)
		use()
		s.state(claimID(1), notify.ClaimDone)
		s.state(claimID(2), notify.ClaimSpent)
		s.advance(400 * 24 * time.Hour)
		use()
		s.state(claimID(3), notify.ClaimStored)
		s.state(claimID(5), notify.ClaimSpent)
		if before := s.begin(s.two, claimID(4), true); before.State != notify.ClaimBegun {
			s.fail("the begun claim is %q", before.State)
		}
	}},
}
