package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"slices"
	"sync"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// books count the items of bodies on their way: posted, answered 200, stored,
// and come to an end. Items are counted by a reader of their own, not by the
// package under test.
type books struct {
	mu    sync.Mutex
	items map[types.Kind]*items // by list key; "" are other keys and what is no JSON
	posts posts

	// bodies and ended are those of the round.
	bodies map[[sha256.Size]byte]*body
	ended  map[notify.ItemID]bool
	// failures must not happen.
	failures failures
}

// items counts those of a list key. Again are those of the stored ones whose
// body, byte for byte, was stored before.
type items struct{ sent, acknowledged, stored, again, done, quarantined, dead, unknown int }

// open counts the items that must have come to an end and did not, extra the
// ends that belong to none. A queue may drop what it knows already.
func (n *items) open() int  { return max(n.stored-n.again-n.ends(), 0) }
func (n *items) extra() int { return max(n.ends()-n.stored, 0) }

// ends counts the items that came to an end.
func (n *items) ends() int { return n.done + n.quarantined + n.dead + n.unknown }

func (n *items) add(o *items) {
	n.sent += o.sent
	n.acknowledged += o.acknowledged
	n.stored += o.stored
	n.again += o.again
	n.done += o.done
	n.quarantined += o.quarantined
	n.dead += o.dead
	n.unknown += o.unknown
}

// posts counts bodies.
type posts struct{ sent, acknowledged, stored int }

type failures struct {
	// unstored bodies were answered 200 and are not in the store, strange ones
	// are there and were not sent.
	unstored, strange int
	// twice counts items that came to an end again, queue the failures of the
	// queue.
	twice, queue int
}

// body is what is known of the bodies of one content.
type body struct {
	items map[types.Kind]int
	posts
}

func newBooks() *books {
	b := &books{items: map[types.Kind]*items{}}
	for _, key := range append(listKeys(), "") {
		b.items[key] = &items{}
	}
	b.begin()
	return b
}

// begin forgets the round.
func (b *books) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bodies, b.ended = map[[sha256.Size]byte]*body{}, map[notify.ItemID]bool{}
}

// sent notes that a body is being posted.
func (b *books) sent(data []byte) {
	sum := sha256.Sum256(data)
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.bodies[sum]
	if known == nil {
		known = &body{items: count(data)}
		b.bodies[sum] = known
	}
	known.sent++
	b.posts.sent++
	for key, n := range known.items {
		b.items[key].sent += n
	}
}

// acknowledged notes that Garmin has a 200 for a body.
func (b *books) acknowledged(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.bodies[sha256.Sum256(data)]
	known.acknowledged++
	b.posts.acknowledged++
	for key, n := range known.items {
		b.items[key].acknowledged += n
	}
}

// stored notes that the store took a body.
func (b *books) stored(sum [sha256.Size]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.bodies[sum]
	if known == nil {
		b.failures.strange++
		return
	}
	known.stored++
	b.posts.stored++
	for key, n := range known.items {
		b.items[key].stored += n
		if known.stored > 1 {
			b.items[key].again += n
		}
	}
}

// observe notes the end of an item.
func (b *books) observe(o notify.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.items[listKey(o.Key)]
	switch o.Result {
	case notify.ResultDone:
		n.done++
	case notify.ResultQuarantined:
		n.quarantined++
	case notify.ResultBuried:
		n.dead++
	case notify.ResultUnknownUser:
		n.unknown++
	case notify.ResultQueueFailed:
		b.failures.queue++
		return
	default:
		return
	}
	if b.ended[o.ID] {
		b.failures.twice++
	}
	b.ended[o.ID] = true
}

// check looks for bodies that were acknowledged and not stored.
func (b *books) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, known := range b.bodies {
		b.failures.unstored += max(known.acknowledged-known.stored, 0)
	}
}

// letterEnds counts the ends that leave a dead letter. Of a departure or a change
// of permissions of an unknown user nobody needs to know.
func (b *books) letterEnds() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, i := range b.items {
		n += i.quarantined + i.dead
		if key.Known() || key == "" {
			n += i.unknown
		}
	}
	return n
}

// sum adds up all keys.
func (b *books) sum() (posts, items) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var sum items
	for _, n := range b.items {
		sum.add(n)
	}
	return b.posts, sum
}

// counting writes down what next took.
func (b *books) counting(next put) put {
	return func(ctx context.Context, r io.Reader) error {
		hash := sha256.New()
		if err := next(ctx, io.TeeReader(r, hash)); err != nil {
			return err
		}
		b.stored([sha256.Size]byte(hash.Sum(nil)))
		return nil
	}
}

// listKey folds what a list may be called.
func listKey(key string) types.Kind {
	switch {
	case key == "file":
		return types.KindActivityFiles
	case slices.Contains(listKeys(), types.Kind(key)):
		return types.Kind(key)
	}
	return ""
}

// count counts the items of a body by list key. Empty objects are none, and
// where the JSON breaks there is one more.
func count(data []byte) map[types.Kind]int {
	n := map[types.Kind]int{}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		n[""]++
		return n
	}
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			n[""]++
			return n
		}
		var list []json.RawMessage
		if err := dec.Decode(&list); err != nil {
			n[""]++
			return n
		}
		for _, item := range list {
			if string(item) != "{}" {
				n[listKey(key)]++
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		n[""]++
	} else if _, err := dec.Token(); err != io.EOF {
		n[""]++
	}
	return n
}
