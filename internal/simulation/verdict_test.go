package simulation

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing/synctest"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// heal ends all trouble, so that what can be settled will be.
func (l *life) heal() {
	l.weather.clear()
	l.setHold(false, listKeys())
	for _, p := range l.truth.connected() {
		p.grant()
	}
}

// settle waits until Garmin has nothing to send and the queue is empty: at
// most for the 7 days after which an item is given up on, and some.
func (l *life) settle() bool {
	for range 9 * 24 * 4 {
		time.Sleep(15 * time.Minute)
		if l.failed() != nil {
			return false
		}
		if l.fake.State().Pending == 0 && l.proc.left() == 0 && l.db.asking() == 0 {
			return true
		}
	}
	l.fail("I1", "", "%d items at Garmin, %d items in the queue and %d histories are not done 9 days after the last trouble", l.fake.State().Pending, l.proc.left(), l.db.asking())
	return false
}

// asking counts the users whose history is wanted and not settled.
func (db *database) asking() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return len(db.history)
}

// left counts the unfinished items, and bodies that are not taken apart.
func (p *process) left() int64 {
	st, err := p.queue.Stats(p.l.end)
	if err != nil {
		p.l.fail("I1", "", "figures of the queue: %v", err)
	}
	n := st.Bodies
	for _, items := range st.Items {
		n += items
	}
	return n
}

// verdict checks, at the end of a month, that all came out right.
func (l *life) verdict(m int) {
	if !l.settle() {
		return
	}
	buried, again := l.letters()
	if again > 0 && !l.settle() {
		return
	}
	l.mu.Lock()
	acked, bad := l.acked, len(l.bad)
	l.acked, l.bad = map[string]*ackedItem{}, map[string]bool{}
	clear(l.ended)
	clear(l.tries)
	l.mu.Unlock()
	if bad > 0 {
		l.fail("I1", "", "%d broken or forged items were acknowledged and are in no letter", bad)
	}
	l.truth.mu.Lock()
	open := l.truth.open
	l.truth.open = map[recordID]*record{}
	l.truth.mu.Unlock()
	for key, a := range acked {
		if !buried[key] && !l.reached(a.recordID, a.mark) {
			l.fail("I1", string(a.id), "%s %q was acknowledged at %s and is neither stored nor buried", a.recordID, a.mark, a.at.Format(time.DateTime))
		}
	}
	lost := 0
	for id, r := range open {
		if !l.judgeRecord(id, r, buried) {
			lost++
		}
	}
	expired := l.fake.State().Expired
	if lost > expired-l.expired {
		l.fail("I1", "", "%d records are lost, and Garmin says that it gave up on %d", lost, expired-l.expired)
	}
	l.expired = expired
	l.judgeHistory(buried)
	l.judgePermissions()
	l.judgeResources(m)
	l.clean()
}

// reached tells whether every one of the partner's users has it; one is enough
// if the account is gone.
func (l *life) reached(id recordID, mark string) bool {
	p := l.truth.person(id.user)
	for _, partner := range p.partners {
		if !l.db.has(slot{partner, id}, mark) {
			return false
		}
		if !p.gone.IsZero() {
			break
		}
	}
	return true
}

// judgeRecord checks that the partner has what Garmin has. It returns false for
// what Garmin has given up on, after seven days on hold.
func (l *life) judgeRecord(id recordID, r *record, buried map[string]bool) bool {
	p := l.truth.person(id.user)
	latest := r.latest()
	key := seqKey(id, latest)
	if !p.gone.IsZero() {
		l.count("record of a user who left")
		return true
	}
	if buried[key] {
		l.count("record in a dead letter")
		return true
	}
	if !l.reached(id, latest) {
		if l.weather.heldAway(r.at) {
			l.count("record given up on by Garmin, after 7 days on hold")
			return false
		}
		l.fail("I2", string(id.id), "%s: the latest revision, %q of %s, never came", id, latest, r.at.Format(time.DateTime))
		return true
	}
	l.count("record complete")
	for _, partner := range p.partners {
		at := slot{partner, id}
		l.db.mu.Lock()
		current, last := l.db.current[at], l.db.last[at]
		l.db.mu.Unlock()
		l.truth.mu.Lock()
		overtaken := l.truth.seqs[seqKey(id, current)] == last && last > l.truth.seqs[key]
		l.truth.mu.Unlock()
		switch {
		case current == latest:
		case overtaken && l.truth.seqs[key] > 0:
			l.count("older revision sent last by Garmin")
		default:
			l.fail("I2", string(id.id), "%s: %s sees %q, and the latest is %q", id, partner, current, latest)
		}
	}
	return true
}

// letters judges the new dead letters. It returns what they hold, by content,
// and how many were driven again.
func (l *life) letters() (buried map[string]bool, again int) {
	buried = map[string]bool{}
	q := l.proc.queue
	var list []*notify.DeadLetter
	for letter, err := range q.Letters(l.end, nil) {
		if err != nil {
			l.fail("I1", "", "letters: %v", err)
			return buried, 0
		}
		list = append(list, letter)
	}
	for _, dead := range list {
		letter := &opened{DeadLetter: dead, body: l.open(dead)}
		l.heard("a letter's reason", letter.Reason)
		held := l.held(letter)
		for _, key := range held {
			buried[key] = true
		}
		if l.redrive(letter, held) {
			l.count("letter driven again")
			if err := q.Redrive(l.end, letter.ID); err != nil {
				l.fail("I1", "", "redrive: %v", err)
			}
			for _, key := range held {
				delete(buried, key)
			}
			again++
		} else if err := q.Discard(l.end, letter.ID); err != nil {
			l.fail("I1", "", "discard: %v", err)
		}
	}
	return buried, again
}

// opened is a letter with its body.
type opened struct {
	*notify.DeadLetter
	body []byte
}

func (l *life) open(letter *notify.DeadLetter) []byte {
	r, err := l.proc.queue.OpenLetter(l.end, letter.ID)
	if err != nil {
		l.fail("I1", "", "open letter: %v", err)
		return nil
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		l.fail("I1", "", "read letter: %v", err)
	}
	return body
}

// item returns the letter's item, if it is one.
func (o *opened) item() (i item, ok bool) {
	var body map[string][]item
	if o.Key == "" || json.Unmarshal(o.body, &body) != nil || len(body[o.Key]) != 1 {
		return i, false
	}
	return body[o.Key][0], true
}

// held says what a letter holds, and fails if there was no reason to give it up.
func (l *life) held(letter *opened) (keys []string) {
	i, ok := letter.item()
	if !ok {
		l.forged(letter, string(letter.body))
		return nil
	}
	if strings.HasPrefix(string(i.SummaryID), "forged-") {
		l.forged(letter, string(i.SummaryID))
		return nil
	}
	kind, since, limit := types.Kind(letter.Key), letter.Received, 7*day
	query := queryOf(i.CallbackURL)
	switch {
	case kind == types.KindActivityFiles:
		limit = day
		id := recordID{kind, i.UserID, i.SummaryID}
		l.truth.mu.Lock()
		if r := l.truth.records[id]; r != nil {
			keys, since = append(keys, seqKey(id, r.latest())), r.at
		}
		l.truth.mu.Unlock()
		if l.line.lost(query.Get("id")) {
			l.count("letter: file lost on the way")
			return keys
		}
	case i.CallbackURL != "":
		from, _ := strconv.ParseInt(query.Get("uploadStartTimeInSeconds"), 10, 64)
		to, _ := strconv.ParseInt(query.Get("uploadEndTimeInSeconds"), 10, 64)
		since = time.Unix(from, 0)
		l.truth.mu.Lock()
		for id, r := range l.truth.open {
			if at := r.at.Unix(); id.kind == kind && id.user == i.UserID && at >= from && at <= to {
				keys = append(keys, seqKey(id, r.latest()))
			}
		}
		l.truth.mu.Unlock()
	default:
		keys = append(keys, seqKey(recordID{kind, i.UserID, i.SummaryID}, i.mark()))
	}
	p := l.truth.person(i.UserID)
	switch {
	case letter.Quarantined:
		l.fail("I1", string(i.SummaryID), "a good item is in quarantine: %s %s: %s", kind, i.SummaryID, letter.Reason)
	case p == nil:
		l.fail("I2", string(i.UserID), "a letter of nobody: %s", letter.Reason)
	case !p.gone.IsZero():
		l.count("letter: the user has left")
	case l.weather.covers(p.id, since, letter.Buried) >= limit/2:
		l.count("letter: trouble outlasted Garmin's limits")
	default:
		l.fail("I1", string(i.SummaryID), "%s of %s, %s, was given up without need at %s (came %s, trouble for %s of it): %s", kind, i.UserID, i.SummaryID,
			letter.Buried.Format(time.DateTime), since.Format(time.DateTime), l.weather.covers(p.id, since, letter.Buried), letter.Reason)
	}
	return keys
}

// forged ticks off a broken or forged item.
func (l *life) forged(letter *opened, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.sent[name] {
		l.fail("I1", name, "a letter of something that was never sent: %.60s: %s", name, letter.Reason)
	}
	delete(l.bad, name)
	l.count("letter: broken or forged")
}

// redrive tells whether a letter is worth another try: a push that is still the
// latest of its user.
func (l *life) redrive(letter *opened, held []string) bool {
	i, ok := letter.item()
	if !ok || i.CallbackURL != "" || len(held) != 1 {
		return false
	}
	p := l.truth.person(i.UserID)
	id := recordID{types.Kind(letter.Key), i.UserID, i.SummaryID}
	l.truth.mu.Lock()
	r := l.truth.records[id]
	l.truth.mu.Unlock()
	if p == nil || !p.gone.IsZero() || r == nil || r.latest() != i.mark() {
		return false
	}
	l.db.mu.Lock()
	l.db.redriven[held[0]] = true
	l.db.mu.Unlock()
	return true
}

func (l *life) judgePermissions() {
	for _, p := range l.truth.connected() {
		l.db.mu.Lock()
		have := l.db.perms[p.id]
		l.db.mu.Unlock()
		if have == nil {
			continue
		}
		if got, want := fmt.Sprint(have.Permissions), fmt.Sprint(p.user.State().Permissions); got != want {
			l.fail("I2", string(p.id), "%s grants %s, and the partner believes %s", p.id, want, got)
		}
	}
	l.truth.mu.Lock()
	defer l.truth.mu.Unlock()
	for _, p := range l.truth.people {
		if !p.gone.IsZero() && l.db.partners(p.id) != nil {
			l.fail("I1", string(p.id), "%s disconnected at %s, and the partner does not know", p.id, p.gone.Format(time.DateTime))
		}
	}
}

// few is how many goroutines and files more than at first may be there: the
// runtime has some of its own that come and go. A leak goes on growing.
const few = 3

// judgeResources checks that nothing has grown.
func (l *life) judgeResources(m int) {
	if s := l.proc.spool; s != nil {
		// One mebibyte is its reserve for a full disk.
		st, err := s.Stats(l.end)
		if err != nil || st.Bytes > 2<<20 || st.Damaged+st.Unreadable > 0 {
			l.fail("I6", "", "the empty spool has %+v: %v", st, err)
		}
	}
	claims, _ := os.ReadDir(filepath.Join(l.disk, "files", ".downloads"))
	if len(claims) > 1000 {
		l.fail("I6", "", "%d notes of downloads", len(claims))
	}
	time.Sleep(3 * day) // late duplicates
	synctest.Wait()
	g, f := runtime.NumGoroutine(), openFiles()
	if l.goroutines == 0 {
		l.goroutines, l.fds = g, f
	}
	tooMany := func() bool { return l.lonely && (g > l.goroutines+few || f > l.fds+few) }
	// On a busy machine one that has ended is counted for a while.
	for range 5000 {
		if !tooMany() {
			return
		}
		runtime.Gosched()
		g, f = runtime.NumGoroutine(), openFiles()
	}
	var stacks strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
	l.fail("I6", "", "%d goroutines and %d files in month %d, %d and %d in the first:\n%s\n%s", g, f, m, l.goroutines, l.fds, openNames(), &stacks)
}

// clean archives the files, and gives the notes of downloads the time of this
// world: the disk's clock runs in another.
func (l *life) clean() {
	root := filepath.Join(l.disk, "files")
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
		case strings.Contains(path, ".downloads"):
			os.Chtimes(path, time.Now(), time.Now())
		default:
			os.Remove(path)
		}
		return nil //nolint:nilerr // what cannot be read is left to the next cleaning
	})
}

// forge sends what is broken, or not Garmin's.
func (l *life) forge() {
	l.mu.Lock()
	p := l.proc
	l.mu.Unlock()
	who := l.somebody()
	if p == nil || who == nil {
		return
	}
	name := fmt.Sprint("forged-", l.truth.mark())
	var body string
	switch l.script.IntN(5) {
	case 0:
		body = fmt.Sprintf(`{"activities":[{"summaryId":%q,"broken":true}]}`, name)
	case 1:
		body = fmt.Sprintf(`{"activities":[{"userId":"nobody","summaryId":%q,"startTimeInSeconds":1,"durationInSeconds":1}]}`, name)
	case 2:
		urls := hostile()
		body = fmt.Sprintf(`{"activities":[{"userId":%q,"summaryId":%q,"callbackURL":%q}]}`, who.id, name, urls[l.script.IntN(len(urls))])
	case 3:
		body = name + " is no JSON"
		name = body
	default:
		if l.weather.is(tokenBad, who.id) {
			return
		}
		body = fmt.Sprintf(`{"deregistrations":[{"userId":%q}]}`, who.id)
		name = ""
	}
	l.note("forged or broken notification", "%s", body)
	l.mu.Lock()
	l.sent[name] = true
	l.mu.Unlock()
	if (&door{l}).post(p, garminRequest(l), strings.NewReader(body), "", nil) == 200 && name != "" {
		l.mu.Lock()
		l.bad[name] = true
		l.mu.Unlock()
	}
	l.count("forged or broken notification acknowledged")
}
