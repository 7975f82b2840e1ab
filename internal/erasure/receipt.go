package erasure

import "github.com/garminkit/activityapi/notify"

// Remove counts n things as removed.
func Remove(e *notify.Erasure, what string, n int) {
	if n == 0 {
		return
	}
	if e.Removed == nil {
		e.Removed = map[string]int{}
	}
	e.Removed[what] += n
}

// Leave notes n things that stay, and why.
func Leave(e *notify.Erasure, what string, n int, why string) {
	if n == 0 {
		return
	}
	for i := range e.Left {
		if l := &e.Left[i]; l.What == what && l.Why == why {
			l.Count += n
			return
		}
	}
	e.Left = append(e.Left, notify.Leftover{What: what, Count: n, Why: why})
}
