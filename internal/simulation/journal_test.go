package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// journal remembers what happened in a life: how often each thing did, the
// latest events one by one, and the first breach of an invariant.
type journal struct {
	mu     sync.Mutex
	counts map[string]int
	ring   [4000]event
	n      int
	breach *breach
}

type event struct {
	at   time.Time
	text string
}

// breach is an invariant that did not hold. Only the first is kept: what
// follows from it says nothing new.
type breach struct {
	invariant string
	text      string
	at        time.Time
	subject   string // a user or summary, to pick its events by
	events    []event
}

// note counts an event of a kind and remembers it.
func (j *journal) note(kind, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[kind]++
	j.ring[j.n%len(j.ring)] = event{time.Now(), kind + ": " + fmt.Sprintf(format, args...)}
	j.n++
}

// count counts what is too frequent to be remembered.
func (j *journal) count(kind string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[kind]++
}

func (j *journal) fail(invariant, subject, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.breach != nil {
		return
	}
	b := &breach{invariant: invariant, subject: subject, text: fmt.Sprintf(format, args...), at: time.Now()}
	const last = 40
	for i := max(0, j.n-len(j.ring)); i < j.n; i++ {
		e := j.ring[i%len(j.ring)]
		if i >= j.n-last && !strings.HasPrefix(e.text, "stored:") || subject != "" && strings.Contains(e.text, subject) {
			b.events = append(b.events, e)
		}
	}
	j.breach = b
}

func (j *journal) failed() *breach {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.breach
}

func (j *journal) tally() map[string]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.counts)
}

func (b *breach) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s at %s: %s\n", b.invariant, b.at.Format(time.DateTime), b.text)
	if b.subject != "" {
		fmt.Fprintf(&s, "the last events, and all of %s:\n", b.subject)
	}
	for _, e := range b.events {
		fmt.Fprintf(&s, "  %s  %s\n", e.at.Format("2006-01-02 15:04:05.000"), e.text)
	}
	return s.String()
}

// table prints counts, a line for each.
func table(counts map[string]int) string {
	var s strings.Builder
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&s, "  %9d  %s\n", counts[k], k)
	}
	return s.String()
}
