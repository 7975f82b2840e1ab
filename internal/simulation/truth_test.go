package simulation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

// truth is what there is at Garmin, which the partner should come to know.
type truth struct {
	mu      sync.Mutex
	people  []*person
	byID    map[types.UserID]*person
	records map[recordID]*record
	open    map[recordID]*record       // not yet judged
	history map[types.UserID][]*record // by user
	marks   int
	seqs    map[string]int // when which content was first stored, by recordID and mark
	seq     int
}

// person is a Garmin user of the partner's.
type person struct {
	l        *life
	id       types.UserID
	user     *activitytest.User
	partners []string // the partner's users on this account
	joined   time.Time
	gone     time.Time // when the user disconnected
	taken    time.Time // when a permission was taken away
	judged   bool      // the history
	recent   []*types.Activity

	mu     sync.Mutex
	access string
}

type recordID struct {
	kind types.Kind
	user types.UserID
	id   types.ID
}

func (r recordID) String() string { return fmt.Sprintf("%s of %s, %s", r.kind, r.user, r.id) }

// record is a summary or file and its revisions, each with a mark that its
// content carries.
type record struct {
	recordID
	marks []string
	at    time.Time // of the latest revision; of history, when it was asked for
	start time.Time // of history
}

func (r *record) latest() string { return r.marks[len(r.marks)-1] }

func (t *truth) init() {
	t.byID, t.records, t.open, t.seqs = map[types.UserID]*person{}, map[recordID]*record{}, map[recordID]*record{}, map[string]int{}
	t.history = map[types.UserID][]*record{}
}

func (t *truth) person(id types.UserID) *person {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byID[id]
}

func (t *truth) connected() []*person {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.people), func(p *person) bool { return !p.gone.IsZero() })
}

// add notes a new revision.
func (t *truth) add(id recordID, mark string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.records[id]
	if r == nil {
		r = &record{recordID: id}
		t.records[id] = r
	}
	r.marks = append(r.marks, mark)
	r.at = time.Now()
	t.open[id] = r
}

func (t *truth) mark() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks++
	return fmt.Sprintf("rev-%d", t.marks)
}

// markOf reads the mark of a summary's content.
func markOf(s types.Summary) string {
	switch s := s.(type) {
	case *types.Activity:
		return s.ActivityName
	case *types.ManualActivity:
		return s.ActivityName
	case *types.ActivityDetails:
		return s.Summary.ActivityName
	case *types.MoveIQ:
		return s.ActivitySubType
	}
	return ""
}

// Token gives the user's access token, refreshed if need be.
func (p *person) Token() (*oauth2.Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.l.weather.is(tokenBad, p.id) {
		return &oauth2.Token{AccessToken: "fake-access-stale-" + string(p.id)}, nil
	}
	if p.user.State().Connected {
		if !time.Now().Add(time.Minute).Before(p.user.State().AccessExpires) {
			p.user.Connect()
		}
		p.access = p.user.State().AccessToken
	}
	return &oauth2.Token{AccessToken: p.access}, nil
}

func (l *life) somebody() *person {
	list := l.truth.connected()
	if len(list) == 0 {
		return nil
	}
	return list[l.script.IntN(len(list))]
}

// join connects a new user. The partner's database knows of it a little later.
func (l *life) join() {
	if len(l.truth.connected()) >= 5 {
		return
	}
	u := l.fake.AddUser(nil)
	if l.script.IntN(4) == 0 {
		u.Change(func(s *activitytest.UserState) { s.ItemToken = "old-token" })
	}
	p := &person{l: l, id: u.ID(), user: u, access: u.State().AccessToken, joined: time.Now().Truncate(time.Second)}
	n := len(l.truth.people)
	p.partners = []string{fmt.Sprintf("partner-%d", n)}
	if l.script.IntN(4) == 0 { // two of the partner's users share the account
		p.partners = append(p.partners, fmt.Sprintf("partner-%d-too", n))
	}
	l.truth.mu.Lock()
	l.truth.people = append(l.truth.people, p)
	l.truth.byID[p.id] = p
	l.truth.mu.Unlock()
	l.note("user connects", "%s", p.id)
	known := l.between(time.Millisecond, 30*time.Second)
	time.AfterFunc(known, func() { l.db.connect(p.id, p.partners) })
	past := l.script.IntN(3) > 0
	if past {
		l.past(p)
	}
	if l.script.IntN(2) == 0 {
		l.upload(p)
	}
	time.Sleep(30 * time.Second)
	l.mu.Lock()
	proc := l.proc
	l.mu.Unlock()
	if past && proc != nil {
		proc.background.Add(1)
		go proc.fetch(proc.ctx, p)
	}
}

func (l *life) sync() {
	for range 1 + l.script.IntN(2) {
		if p := l.somebody(); p != nil {
			l.upload(p)
		}
	}
}

// ambush kills the process while it is at work.
func (l *life) ambush() {
	if l.script.IntN(4) == 0 {
		l.edit()
	}
	l.sync()
	l.sync()
	time.Sleep(l.between(500*time.Millisecond, 40*time.Second))
	l.kill()
}

// upload is what follows a workout: an activity with details and its file, and
// other things at times.
func (l *life) upload(p *person) {
	for _, a := range l.gen.Activities("", time.Now().Add(-2*time.Hour)) {
		a.DurationInSeconds %= 20
		a.ActivityName = l.truth.mark()
		list := []types.Summary{a}
		l.truth.add(recordID{types.KindActivities, p.id, a.SummaryID}, a.ActivityName)
		if !a.Manual {
			d := l.gen.Details(a)
			d.Summary.ActivityName = l.truth.mark()
			l.truth.add(recordID{types.KindActivityDetails, p.id, d.SummaryID}, d.Summary.ActivityName)
			list = append(list, d)
			if l.script.IntN(2) == 0 {
				f, content := l.gen.File("FIT", d)
				sum := sha256.Sum256(content)
				l.truth.add(recordID{types.KindActivityFiles, p.id, f.SummaryID}, hex.EncodeToString(sum[:]))
				p.user.AddFile(f, content)
			}
		}
		p.user.Add(list...)
		p.recent = append(p.recent, a)
		if len(p.recent) > 20 {
			p.recent = p.recent[1:]
		}
		l.note("workout", "%s of %s", a.SummaryID, p.id)
	}
	if l.script.IntN(4) == 0 {
		m := l.gen.MoveIQ(time.Now().Add(-time.Hour))
		m.ActivitySubType = l.truth.mark()
		l.truth.add(recordID{types.KindMoveIQ, p.id, m.SummaryID}, m.ActivitySubType)
		p.user.Add(m)
		l.note("Move IQ event", "%s of %s", m.SummaryID, p.id)
	}
}

// edit changes an activity: it comes again under its id, or as a manually
// updated one, and often twice within minutes.
func (l *life) edit() {
	p := l.somebody()
	if p == nil || len(p.recent) == 0 {
		return
	}
	a := *p.recent[l.script.IntN(len(p.recent))]
	for range 1 + l.script.IntN(3) {
		a.ActivityName = l.truth.mark()
		if l.script.IntN(2) == 0 {
			l.truth.add(recordID{types.KindActivities, p.id, a.SummaryID}, a.ActivityName)
			p.user.Add(&a)
		} else {
			m := types.ManualActivity(a)
			l.truth.add(recordID{types.KindManualActivities, p.id, a.SummaryID}, a.ActivityName)
			p.user.Add(&m)
		}
		l.note("edit", "%s of %s is now %s", a.SummaryID, p.id, a.ActivityName)
		time.Sleep(l.between(time.Second, 20*time.Minute))
	}
}

// leave disconnects a user, from Garmin's side or from ours.
func (l *life) leave() {
	p := l.somebody()
	if p == nil || len(l.truth.connected()) < 2 {
		return
	}
	if l.script.IntN(2) == 0 {
		l.mu.Lock()
		proc := l.proc
		l.mu.Unlock()
		if proc == nil || l.weather.is(tokenBad, p.id) {
			return
		}
		if err := proc.deregister(p); err != nil {
			l.note("own deregistration fails", "%s: %v", p.id, err)
		}
		if p.user.State().Connected {
			return
		}
	} else {
		p.user.Deregister()
	}
	l.truth.mu.Lock()
	p.gone = time.Now()
	l.truth.mu.Unlock()
	l.note("user disconnects", "%s", p.id)
}

// consent takes a permission away and gives it back.
func (l *life) consent() {
	p := l.somebody()
	if p == nil || l.weather.is(consentGone, p.id) {
		return
	}
	l.truth.mu.Lock()
	p.taken = time.Now()
	l.truth.mu.Unlock()
	p.user.SetPermissions(types.PermissionHistoricalDataExport)
	long := l.between(time.Minute, 3*day)
	l.trouble(consentGone, p.id, long)
	time.AfterFunc(long, p.grant)
}

// grant gives it back, a second later at the least: nobody can order two changes of
// one second, whose notifications may come in any order.
func (p *person) grant() {
	p.l.truth.mu.Lock()
	early := time.Second - time.Since(p.taken)
	p.l.truth.mu.Unlock()
	if early > 0 {
		time.AfterFunc(early, p.grant)
		return
	}
	if p.user.State().Connected && len(p.user.State().Permissions) < 2 {
		p.user.SetPermissions(types.PermissionActivityExport, types.PermissionHistoricalDataExport)
		p.l.note("consent is back", "%s", p.id)
	}
}
