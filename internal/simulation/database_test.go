package simulation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// database is the partner's, where everything ends up. It outlives processes.
type database struct {
	mu       sync.Mutex
	users    map[types.UserID][]string // the partner's users by Garmin user
	former   map[types.UserID]time.Time
	keys     map[string]content // what was stored under which delivery key
	taken    map[content]string // and the other way round
	current  map[slot]string    // the mark that a user sees
	last     map[slot]int       // the place in the queue of the latest push
	perms    map[types.UserID]*notify.PermissionChange
	busy     map[lane]int
	redriven map[string]bool       // marks that come again by hand
	history  map[types.UserID]bool // whose is wanted and not settled
}

// lane is what runs one item at a time: a user's data, or the user's account.
type lane struct {
	user    types.UserID
	account bool
}

// slot is where one of the partner's users has one record.
type slot struct {
	partner string
	recordID
}

type content struct {
	slot
	mark   string
	pulled bool
}

func (db *database) init() {
	db.users, db.former = map[types.UserID][]string{}, map[types.UserID]time.Time{}
	db.keys, db.taken, db.current, db.last = map[string]content{}, map[content]string{}, map[slot]string{}, map[slot]int{}
	db.history = map[types.UserID]bool{}
	db.perms, db.busy, db.redriven = map[types.UserID]*notify.PermissionChange{}, map[lane]int{}, map[string]bool{}
}

func (db *database) connect(garmin types.UserID, partners []string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.users[garmin] = partners
}

func (db *database) forget(garmin types.UserID) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.users, garmin)
	delete(db.perms, garmin)
	delete(db.history, garmin)
	db.former[garmin] = time.Now()
}

func (db *database) partners(garmin types.UserID) []string {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.users[garmin]
}

var (
	errDatabase = errors.New("the database does not answer")
	errDead     = fmt.Errorf("this process is dead: %w", notify.ErrLost)
)

// flaky runs f, which commits, as a remote database does: slowly, at times not
// at all, and at times without telling that it did.
func (p *process) flaky(ctx context.Context, d *notify.Delivery, f func()) error {
	l := p.l
	at := lane{d.UserID, !d.Kind.Known()}
	l.db.mu.Lock()
	l.db.busy[at]++
	n := l.db.busy[at]
	l.db.mu.Unlock()
	defer func() {
		l.db.mu.Lock()
		l.db.busy[at]--
		l.db.mu.Unlock()
	}()
	if n > 1 && !p.dead.Load() {
		l.fail("I2", string(d.UserID), "two items of %s run at a time", d.UserID)
	}
	_, x := l.try("database", d.Key)
	if err := nap(ctx, time.Duration(x*float64(7919))%3000*time.Millisecond); err != nil {
		return err
	}
	switch {
	case p.dead.Load():
		return errDead
	case l.weather.is(databaseDown, ""):
		return errDatabase
	case x < .04:
		l.count("fault: callback fails")
		return errDatabase
	case x < .045:
		l.count("fault: callback panics")
		panic("a bug")
	case x < .047:
		l.count("fault: callback hangs")
		<-ctx.Done()
		return ctx.Err()
	}
	f()
	if err := nap(ctx, time.Duration(x*float64(104729))%2000*time.Millisecond); err != nil {
		return err
	}
	if x > .97 {
		l.count("fault: callback fails after its commit")
		return errDatabase
	}
	return nil
}

func (p *process) save(ctx context.Context, d *notify.Delivery, s types.Summary) error {
	id := recordID{s.Kind(), d.UserID, s.ID()}
	if err := backfill.Arrival(ctx, p.ledger, d.UserID, s); err != nil && !p.dead.Load() {
		p.l.fail("I5", string(d.UserID), "arrival: %v", err)
	}
	return p.flaky(ctx, d, func() { p.l.commit(d, id, markOf(s)) })
}

func (p *process) file(ctx context.Context, d *notify.Delivery, f *notify.File) error {
	id := recordID{types.KindActivityFiles, d.UserID, f.Announced.SummaryID}
	return p.flaky(ctx, d, func() { p.l.commit(d, id, f.SHA256) })
}

// commit stores a delivery, unless its key is there, and checks that it is one
// that may come.
func (l *life) commit(d *notify.Delivery, id recordID, mark string) {
	l.truth.mu.Lock()
	r := l.truth.records[id]
	known := r != nil && contains(r.marks, mark)
	seq := l.truth.seqs[seqKey(id, mark)]
	l.truth.mu.Unlock()
	if !known {
		l.fail("I2", string(id.id), "made up, or somebody else's: %s with %q", id, mark)
		return
	}
	l.db.mu.Lock()
	defer l.db.mu.Unlock()
	at := slot{d.User.ID, id}
	c := content{at, mark, d.Pulled}
	if !contains(l.db.users[d.UserID], d.User.ID) {
		l.fail("I2", string(d.UserID), "%s is delivered to %s, who is not (or no longer) on that account", id, d.User.ID)
		return
	}
	if was, ok := l.db.keys[d.Key]; ok {
		if was != c {
			l.fail("I2", string(id.id), "one key for two contents: %v and %v", was, c)
		}
		l.count("repeat dropped at the sink")
		return
	}
	if key, ok := l.db.taken[c]; ok && id.kind != types.KindActivityFiles {
		l.fail("I2", string(id.id), "two keys for one content, %v: %s and %s", c, key, d.Key)
		return
	}
	if l.sabotage != nil && l.sabotage.sink != nil && l.sabotage.sink(l, at, mark) {
		return
	}
	if !d.Pulled && !l.db.redriven[seqKey(id, mark)] {
		if seq == 0 || seq <= l.db.last[at] {
			l.fail("I2", string(id.id), "%s: %q, number %d of the queue, comes after number %d", id, mark, seq, l.db.last[at])
			return
		}
		l.db.last[at] = seq
	}
	if _, ok := l.db.current[at]; ok {
		l.count("delivered as an update")
	}
	l.db.keys[d.Key], l.db.taken[c], l.db.current[at] = c, d.Key, mark
	l.note("stored", "%s %q for %s", id, mark, d.User.ID)
}

func (db *database) has(at slot, mark string) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	_, pushed := db.taken[content{at, mark, false}]
	_, pulled := db.taken[content{at, mark, true}]
	return pushed || pulled
}

func seqKey(id recordID, mark string) string {
	return fmt.Sprint(id.kind, "/", id.user, "/", id.id, "/", mark)
}

func contains[T comparable](list []T, x T) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

func (p *process) permissions(ctx context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
	return p.flaky(ctx, d, func() {
		db := &p.l.db
		db.mu.Lock()
		defer db.mu.Unlock()
		if have := db.perms[d.UserID]; have == nil || have.ChangeTimeInSeconds <= e.ChangeTimeInSeconds {
			db.perms[d.UserID] = e
		}
	})
}

// deregistration believes nobody: it asks Garmin whether the user is gone.
func (p *process) deregistration(ctx context.Context, d *notify.Delivery, e *notify.Deregistration) error {
	who := p.l.truth.person(d.UserID)
	client, err := p.client(who)
	if err != nil {
		return err
	}
	_, err = client.UserID(ctx)
	var u interface{ Fault() types.Fault }
	switch {
	case err == nil:
		p.l.count("forged deregistration seen through")
		return nil
	case !errors.As(err, &u) || u.Fault() != types.FaultUser:
		return err
	case p.l.weather.is(tokenBad, d.UserID):
		return errors.New("our own token is in trouble: nothing can be told")
	}
	return p.flaky(ctx, d, func() {
		if who.user.State().Connected {
			p.l.fail("I2", string(d.UserID), "%s is connected, and was forgotten", d.UserID)
		}
		p.l.db.forget(d.UserID)
		p.l.note("user forgotten", "%s", d.UserID)
	})
}
