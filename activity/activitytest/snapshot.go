package activitytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/garminkit/activityapi/types"
)

// kept is state beside the server's own: see backstage.Server.Keep.
type kept struct {
	save func() (json.RawMessage, error)
	load func(json.RawMessage) error
}

// keepers returns what Keep has added. It is called without the server's lock, as
// what is in front calls the server with its own.
func (s *Server) keepers() map[string]kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.kept)
}

// empty makes the state that of a new server. The rules, which are exported
// fields, stay; so do the endpoints' handlers.
func (s *Server) empty() {
	s.source = rand.NewChaCha8([32]byte([]byte("a fake garmin, the same each run")))
	s.rand = rand.New(s.source)
	for i := range s.secret {
		s.secret[i] = byte(s.rand.Uint32())
	}
	s.lastID, s.fileCount, s.parcels, s.reuses, s.expired = 18_000_000_000, 0, 0, 0, 0
	s.users, s.order = make(map[types.UserID]*User), nil
	s.bearers, s.refreshes = make(map[string]*token), make(map[string]*token)
	s.codes, s.files = make(map[string]*code), make(map[string]*download)
	s.ledger, s.faults, s.quirks, s.seen = ledger{}, nil, nil, make(map[string]bool)
	s.requests, s.deliveries = journal[Request, *Request]{}, journal[Delivery, *Delivery]{}
	s.waiting, s.retries, s.underWay = make(map[types.Kind][]*notice), nil, nil
	old := s.endpoints
	s.endpoints = make(map[types.Kind]Endpoint)
	for _, key := range listKeys() {
		s.endpoints[key] = Endpoint{Enabled: true, Push: key != types.KindActivityFiles, Handler: old[key].Handler, Transport: old[key].Transport}
	}
	s.ahead.Store(0)
}

// snapshotVersion changes with the meaning of a snapshot's fields.
const snapshotVersion = 1

// The types of a snapshot. A record is named by its user, kind and id.
type (
	snapshot struct {
		Version    int                          `json:"version"`
		Ahead      time.Duration                `json:"ahead"`
		Random     []byte                       `json:"random"`
		Secret     []byte                       `json:"secret"`
		LastID     int64                        `json:"lastId"`
		FileCount  int64                        `json:"fileCount"`
		Parcels    int64                        `json:"parcels"`
		Reuses     int                          `json:"reuses"`
		Expired    int                          `json:"expired"`
		Rules      savedRules                   `json:"rules"`
		Users      []savedUser                  `json:"users"`
		Refreshes  map[string]savedToken        `json:"refreshes"`
		Codes      map[string]savedCode         `json:"codes"`
		Files      map[string]savedFile         `json:"files"`
		Backfills  []savedBackfill              `json:"backfills"`
		Spent      []savedSpending              `json:"spent"`
		Violations int                          `json:"violations"`
		Faults     []Fault                      `json:"faults"`
		Quirks     map[Quirk]float64            `json:"quirks"`
		Seen       []string                     `json:"seen"`
		Endpoints  map[types.Kind]savedEndpoint `json:"endpoints"`
		Waiting    map[types.Kind][]savedNotice `json:"waiting"`
		Retries    []savedParcel                `json:"retries"`
		Deliveries savedJournal[savedDelivery]  `json:"deliveries"`
		Requests   savedJournal[Request]        `json:"requests"`
		Kept       map[string]json.RawMessage   `json:"kept"`
	}
	savedRules struct {
		RedirectURL      string             `json:"redirectURL"`
		PullTokens       int                `json:"pullTokens"`
		EndExclusive     bool               `json:"endExclusive"`
		PullsCarryUserID bool               `json:"pullsCarryUserId"`
		NoLongDetails    bool               `json:"noLongDetails"`
		Backfill         savedBackfillRules `json:"backfill"`
		BatchItems       int                `json:"batchItems"`
		Timeout          time.Duration      `json:"timeout"`
		FirstRetry       time.Duration      `json:"firstRetry"`
		Retention        savedRetention     `json:"retention"`
	}
	savedBackfillRules struct {
		DaysPerMinute   int           `json:"daysPerMinute"`
		FixedMinutes    bool          `json:"fixedMinutes"`
		ExactDuplicates bool          `json:"exactDuplicates"`
		Delay           time.Duration `json:"delay"`
	}
	savedRetention struct {
		Deliveries int `json:"deliveries"`
		Requests   int `json:"requests"`
		Bytes      int `json:"bytes"`
	}
	savedUser struct {
		ID             types.UserID       `json:"id"`
		FirstConnected time.Time          `json:"firstConnected"`
		HistoryFrom    time.Time          `json:"historyFrom"`
		Permissions    []types.Permission `json:"permissions"`
		PermissionsAt  time.Time          `json:"permissionsAt"`
		Gone           bool               `json:"gone"`
		Access         []savedToken       `json:"access"`
		Refresh        string             `json:"refresh"`
		ItemToken      string             `json:"itemToken"`
		Records        []savedRecord      `json:"records"`
	}
	savedToken struct {
		User    types.UserID `json:"user"`
		Value   string       `json:"value"`
		Expires time.Time    `json:"expires"`
	}
	savedRecord struct {
		Kind     types.Kind      `json:"kind"`
		ID       types.ID        `json:"id"`
		Start    time.Time       `json:"start"`
		Uploaded time.Time       `json:"uploaded"`
		Body     json.RawMessage `json:"body"`
		Content  []byte          `json:"content,omitempty"`
	}
	savedRef struct {
		User types.UserID `json:"user"`
		Kind types.Kind   `json:"kind,omitempty"`
		ID   types.ID     `json:"id,omitempty"`
	}
	savedCode struct {
		User      types.UserID `json:"user"`
		Challenge string       `json:"challenge"`
		Redirect  string       `json:"redirect"`
		Expires   time.Time    `json:"expires"`
	}
	savedFile struct {
		savedRef
		Token   string    `json:"token"`
		Expires time.Time `json:"expires"`
		Spent   bool      `json:"spent"`
	}
	savedBackfill struct {
		User  types.UserID `json:"user"`
		Kind  types.Kind   `json:"kind"`
		Start time.Time    `json:"start"`
		End   time.Time    `json:"end"`
		At    time.Time    `json:"at"`
	}
	savedSpending struct {
		At   time.Time `json:"at"`
		Days int       `json:"days"`
	}
	savedEndpoint struct {
		URL     string `json:"url"`
		Enabled bool   `json:"enabled"`
		OnHold  bool   `json:"onHold"`
		Push    bool   `json:"push"`
	}
	savedNotice struct {
		savedRef
		Body   json.RawMessage `json:"body,omitempty"`
		Queued time.Time       `json:"queued"`
		Due    time.Time       `json:"due"`
	}
	savedParcel struct {
		Notification int64         `json:"notification"`
		Key          types.Kind    `json:"key"`
		Notices      []savedNotice `json:"notices"`
		Users        int           `json:"users"`
		Items        int           `json:"items"`
		Body         []byte        `json:"body"`
		Attempt      int           `json:"attempt"`
		Again        bool          `json:"again"`
		Due          time.Time     `json:"due"`
	}
	savedJournal[T any] struct {
		Gone int64 `json:"gone"`
		Bare int   `json:"bare"`
		List []T   `json:"list"`
	}
	savedDelivery struct {
		Delivery
		Err    string       `json:"error"`
		Parcel *savedParcel `json:"parcel"`
	}
)

// Snapshot returns the whole state as JSON, with which [Server.Restore] makes the
// same state again, in this server or in another: users, tokens, data, queues,
// budgets, logs, faults, quirks, rules and how far the clock is ahead. Snapshots of
// one state are equal, byte for byte. What belongs to the program is not in it:
// base URL, client id and secret, handlers, transports. A body that is being sent
// counts as not sent.
func (s *Server) Snapshot() ([]byte, error) {
	beside := make(map[string]json.RawMessage)
	for name, k := range s.keepers() {
		b, err := k.save()
		if err != nil {
			return nil, fmt.Errorf("activitytest: %s: %w", name, err)
		}
		beside[name] = b
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	random, err := s.source.MarshalBinary()
	if err != nil {
		return nil, err
	}
	v := &snapshot{
		Version: snapshotVersion, Ahead: time.Duration(s.ahead.Load()), Random: random, Secret: s.secret[:],
		LastID: s.lastID, FileCount: s.fileCount, Parcels: s.parcels, Reuses: s.reuses, Expired: s.expired,
		Rules: savedRules{
			s.RedirectURL, s.pullTokens(), s.EndExclusive, s.PullsCarryUserID, s.NoLongDetails,
			savedBackfillRules{s.BackfillDaysPerMinute, s.BackfillFixedMinutes, s.BackfillExactDuplicates, s.BackfillDelay},
			s.DeliveryItems, s.DeliveryTimeout, s.DeliveryFirstRetry, savedRetention{s.KeepDeliveries, s.KeepRequests, s.KeepBytes},
		},
		Refreshes: make(map[string]savedToken), Codes: make(map[string]savedCode), Files: make(map[string]savedFile),
		Violations: s.ledger.violations, Quirks: make(map[Quirk]float64), Seen: slices.Sorted(maps.Keys(s.seen)),
		Endpoints: make(map[types.Kind]savedEndpoint), Waiting: make(map[types.Kind][]savedNotice),
		Deliveries: savedJournal[savedDelivery]{s.deliveries.gone, s.deliveries.bare, nil},
		Requests:   savedJournal[Request]{s.requests.gone, s.requests.bare, slices.Clone(s.requests.list)},
		Kept:       beside,
	}
	maps.Copy(v.Quirks, s.quirks)
	for _, u := range s.order {
		v.Users = append(v.Users, u.save())
		for _, kind := range types.Kinds() {
			for _, b := range s.ledger.done[ledgerKey{u, kind}] {
				v.Backfills = append(v.Backfills, savedBackfill{u.id, kind, b.start.UTC(), b.end.UTC(), b.at.UTC()})
			}
		}
	}
	for value, t := range s.refreshes {
		v.Refreshes[value] = saveToken(t)
	}
	for value, c := range s.codes {
		v.Codes[value] = savedCode{c.user.id, c.challenge, c.redirect, c.expires.UTC()}
	}
	for id, d := range s.files {
		v.Files[id] = savedFile{savedRef{d.user.id, d.record.kind, d.record.id}, d.token, d.expires.UTC(), d.spent}
	}
	for _, p := range s.ledger.spent {
		v.Spent = append(v.Spent, savedSpending{p.at.UTC(), p.days})
	}
	for _, f := range s.faults {
		v.Faults = append(v.Faults, *f)
	}
	for key, e := range s.endpoints {
		v.Endpoints[key] = savedEndpoint{e.URL, e.Enabled, e.OnHold, e.Push}
	}
	for key, list := range s.waiting {
		if len(list) > 0 {
			v.Waiting[key] = saveNotices(list)
		}
	}
	for _, p := range slices.Concat(s.retries, s.underWay) {
		v.Retries = append(v.Retries, *saveParcel(p))
	}
	for _, d := range s.deliveries.list {
		v.Deliveries.List = append(v.Deliveries.List, saveDelivery(d))
	}
	for i := range v.Requests.List {
		v.Requests.List[i].Time = v.Requests.List[i].Time.UTC()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)              // the bodies of records are in it, to the byte
	if err := e.Encode(v); err != nil { //nolint:gosec // the secret is the fake's own
		return nil, fmt.Errorf("activitytest: %w", err)
	}
	return b.Bytes(), nil
}

// How a snapshot writes the rule of pull tokens; 0 is that they are required.
const (
	optionalPullTokens = 1
	noPullTokens       = 2
)

func (s *Server) pullTokens() int {
	switch {
	case s.NoPullTokens:
		return noPullTokens
	case s.OptionalPullTokens:
		return optionalPullTokens
	}
	return 0
}

func (u *User) save() savedUser {
	v := savedUser{
		ID: u.id, FirstConnected: u.firstConnected.UTC(), HistoryFrom: u.historyFrom.UTC(),
		Permissions: u.permissions, PermissionsAt: u.permissionsAt.UTC(), Gone: u.gone, ItemToken: u.itemToken,
	}
	for _, t := range u.access {
		v.Access = append(v.Access, saveToken(t))
	}
	if u.refresh != nil {
		v.Refresh = u.refresh.value
	}
	for _, r := range u.records {
		v.Records = append(v.Records, savedRecord{r.kind, r.id, r.start.UTC(), r.uploaded.UTC(), r.body, r.content})
	}
	return v
}

func saveToken(t *token) savedToken { return savedToken{t.user.id, t.value, t.expires.UTC()} }

func saveNotices(list []*notice) []savedNotice {
	var v []savedNotice
	for _, n := range list {
		e := savedNotice{savedRef{User: n.user.id}, n.body, n.queued.UTC(), n.due.UTC()}
		if n.record != nil {
			e.Kind, e.ID = n.record.kind, n.record.id
		}
		v = append(v, e)
	}
	return v
}

func saveParcel(p *parcel) *savedParcel {
	return &savedParcel{p.id, p.key, saveNotices(p.notices), p.users, p.items, p.body, p.attempt, p.again, p.due.UTC()}
}

func saveDelivery(d Delivery) savedDelivery {
	v := savedDelivery{Delivery: d}
	v.Sent, v.Next = d.Sent.UTC(), d.Next.UTC()
	if d.Err != nil {
		v.Err = d.Err.Error()
	}
	v.Delivery.Err = nil
	if d.p != nil {
		v.Parcel = saveParcel(d.p)
	}
	v.Body = nil // it is the parcel's
	return v
}

// Restore replaces the server's state by that of a snapshot. If it fails, it
// changes nothing. Restore(nil) resets the server: it has no users, data, logs,
// faults or quirks, and the clock of package time, and it generates the same ids
// and tokens again; its exported fields stay. The endpoints' handlers and
// transports stay in any case. A body that is being sent is forgotten.
func (s *Server) Restore(b []byte) error {
	if b == nil {
		return s.reset()
	}
	var v snapshot
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("activitytest: the snapshot cannot be read: %w", err)
	}
	if v.Version != snapshotVersion {
		return fmt.Errorf("activitytest: a snapshot of version %d, not %d", v.Version, snapshotVersion)
	}
	next := &Server{}
	next.empty()
	if err := next.load(&v); err != nil {
		return fmt.Errorf("activitytest: the snapshot is broken: %w", err)
	}
	for name, k := range s.keepers() {
		if err := k.load(v.Kept[name]); err != nil {
			return fmt.Errorf("activitytest: %s: %w", name, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range next.endpoints {
		e.Handler, e.Transport = s.endpoints[key].Handler, s.endpoints[key].Transport
		next.endpoints[key] = e
	}
	r := v.Rules
	s.RedirectURL, s.NoPullTokens, s.OptionalPullTokens = r.RedirectURL, r.PullTokens == noPullTokens, r.PullTokens == optionalPullTokens
	s.EndExclusive, s.PullsCarryUserID, s.NoLongDetails = r.EndExclusive, r.PullsCarryUserID, r.NoLongDetails
	s.BackfillDaysPerMinute, s.BackfillFixedMinutes = r.Backfill.DaysPerMinute, r.Backfill.FixedMinutes
	s.BackfillExactDuplicates, s.BackfillDelay = r.Backfill.ExactDuplicates, r.Backfill.Delay
	s.KeepDeliveries, s.KeepRequests, s.KeepBytes = r.Retention.Deliveries, r.Retention.Requests, r.Retention.Bytes
	s.DeliveryItems, s.DeliveryTimeout, s.DeliveryFirstRetry = r.BatchItems, r.Timeout, r.FirstRetry
	s.source, s.rand, s.secret = next.source, next.rand, next.secret
	s.lastID, s.fileCount, s.parcels, s.reuses, s.expired = v.LastID, v.FileCount, v.Parcels, v.Reuses, v.Expired
	s.users, s.order, s.bearers, s.refreshes = next.users, next.order, next.bearers, next.refreshes
	s.codes, s.files, s.ledger, s.faults, s.quirks, s.seen = next.codes, next.files, next.ledger, next.faults, next.quirks, next.seen
	s.endpoints, s.waiting, s.retries, s.underWay = next.endpoints, next.waiting, next.retries, nil
	s.deliveries, s.requests = next.deliveries, next.requests
	for _, u := range s.order {
		u.s = s
	}
	s.ahead.Store(int64(v.Ahead))
	s.wakeUp()
	s.touch()
	return nil
}

// reset makes the server new.
func (s *Server) reset() error {
	for name, k := range s.keepers() {
		if err := k.load(nil); err != nil {
			return fmt.Errorf("activitytest: %s: %w", name, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.empty()
	s.wakeUp()
	s.touch()
	return nil
}

// load fills a server that has nothing yet.
func (s *Server) load(v *snapshot) error {
	if err := s.source.UnmarshalBinary(v.Random); err != nil {
		return err
	}
	if copy(s.secret[:], v.Secret) != len(s.secret) {
		return errors.New("the secret is too short")
	}
	r := v.Rules
	if min(r.Timeout, r.FirstRetry, r.Backfill.Delay) < 0 || min(r.BatchItems, r.Backfill.DaysPerMinute, r.Retention.Deliveries, r.Retention.Requests) < 0 {
		return errors.New("a rule that is negative")
	}
	for q, share := range v.Quirks {
		if q.About() == "" {
			return fmt.Errorf("no quirk %q", string(q))
		}
		s.setQuirk(q, share)
	}
	for _, u := range v.Users {
		if u.ID == "" || s.users[u.ID] != nil {
			return errors.New("a user without an id of its own")
		}
		if !s.loadUser(&u) {
			return errors.New("a record that is not a JSON object")
		}
	}
	l := loader{s: s}
	for value, t := range v.Refreshes {
		s.refreshes[value] = &token{l.user(t.User), value, t.Expires}
	}
	for i, u := range v.Users {
		if s.order[i].refresh = s.refreshes[u.Refresh]; s.order[i].refresh == nil && u.Refresh != "" {
			return errors.New("no such refresh token")
		}
		for _, t := range u.Access {
			a := &token{s.order[i], t.Value, t.Expires}
			s.order[i].access = append(s.order[i].access, a)
			s.bearers[t.Value] = a
		}
	}
	for value, c := range v.Codes {
		s.codes[value] = &code{l.user(c.User), c.Challenge, c.Redirect, c.Expires}
	}
	for id, f := range v.Files {
		s.files[id] = &download{l.user(f.User), l.record(f.savedRef), f.Token, f.Expires, f.Spent}
	}
	s.ledger.violations = v.Violations
	for _, b := range v.Backfills {
		if s.ledger.done == nil {
			s.ledger.done = make(map[ledgerKey][]backfilled)
		}
		key := ledgerKey{l.user(b.User), b.Kind}
		s.ledger.done[key] = append(s.ledger.done[key], backfilled{b.Start, b.End, b.At})
	}
	for _, p := range v.Spent {
		s.ledger.spent = append(s.ledger.spent, spending{p.At, p.Days})
	}
	for _, f := range v.Faults {
		s.faults = append(s.faults, &f)
	}
	for _, key := range v.Seen {
		s.seen[key] = true
	}
	for key, e := range v.Endpoints {
		if _, ok := s.endpoints[key]; !ok {
			return errors.New("no such list key")
		}
		s.endpoints[key] = Endpoint{URL: e.URL, Enabled: e.Enabled, OnHold: e.OnHold, Push: e.Push}
	}
	for key, list := range v.Waiting {
		s.waiting[key] = l.notices(key, list, false)
	}
	for i := range v.Retries {
		s.retries = append(s.retries, l.parcel(&v.Retries[i]))
	}
	s.deliveries.gone, s.deliveries.bare = v.Deliveries.Gone, v.Deliveries.Bare
	for i := range v.Deliveries.List {
		d := v.Deliveries.List[i].Delivery
		if text := v.Deliveries.List[i].Err; text != "" {
			d.Err = errors.New(text)
		}
		d.Acknowledged = d.Status == http.StatusOK
		if p := v.Deliveries.List[i].Parcel; p != nil {
			d.p = l.parcel(p)
			d.Body = d.p.body
		}
		s.deliveries.loaded += d.load()
		s.deliveries.list = append(s.deliveries.list, d)
	}
	s.requests.gone, s.requests.bare, s.requests.list = v.Requests.Gone, v.Requests.Bare, v.Requests.List
	for i := range s.requests.list {
		s.requests.loaded += s.requests.list[i].load()
	}
	if s.deliveries.bare > len(s.deliveries.list) || s.requests.bare > len(s.requests.list) || min(s.deliveries.bare, s.requests.bare) < 0 ||
		min(s.deliveries.gone, s.requests.gone) < 0 || v.Ahead < 0 || v.Ahead > maxAhead {
		return errors.New("a log or a clock that cannot be")
	}
	return l.err
}

func (s *Server) loadUser(v *savedUser) bool {
	u := &User{
		s: s, id: v.ID, firstConnected: v.FirstConnected, historyFrom: v.HistoryFrom, permissions: v.Permissions,
		permissionsAt: v.PermissionsAt, gone: v.Gone, itemToken: v.ItemToken, byID: make(map[recordKey]*record), counts: make(map[types.Kind]int),
	}
	for _, r := range v.Records {
		if !isObject((*[]byte)(&r.Body)) {
			return false
		}
		u.put(&record{r.Kind, r.ID, r.Start, r.Uploaded, r.Body, r.Content})
	}
	s.users[u.id] = u
	s.order = append(s.order, u)
	return true
}

// isObject reports whether b is a JSON object, and makes it compact.
func isObject(b *[]byte) bool {
	var c bytes.Buffer
	if err := json.Compact(&c, *b); err != nil || c.Bytes()[0] != '{' {
		return false
	}
	*b = c.Bytes()
	return true
}

// loader finds what a snapshot names. err is the first thing that it did not find.
type loader struct {
	s       *Server
	parcels map[int64]*parcel
	err     error
}

func (l *loader) user(id types.UserID) *User {
	u := l.s.users[id]
	if u == nil && l.err == nil {
		l.err = errors.New("no such user")
	}
	return u
}

func (l *loader) record(ref savedRef) *record {
	if u := l.user(ref.User); u != nil {
		if r := u.byID[recordKey{ref.Kind, ref.ID}]; r != nil {
			return r
		}
	}
	if l.err == nil {
		l.err = errors.New("no such record")
	}
	return nil
}

// notices returns those of a queue, or of a body, which may be of several.
func (l *loader) notices(key types.Kind, list []savedNotice, several bool) []*notice {
	var v []*notice
	for _, n := range list {
		e := &notice{user: l.user(n.User), body: n.Body, queued: n.Queued, due: n.Due}
		switch {
		case n.Kind != "":
			e.record = l.record(n.savedRef)
		case key.Known(), !isObject(&e.body):
			l.err = errors.New("a notice without a record or a body")
		}
		if !several && n.Kind != key && (key.Known() || n.Kind != "") {
			l.err = errors.New("a notice that waits in the wrong queue")
		}
		v = append(v, e)
	}
	return v
}

// parcel makes one parcel of all that have its number: a body that waits is also
// in the log, with each attempt.
func (l *loader) parcel(v *savedParcel) *parcel {
	if p := l.parcels[v.Notification]; p != nil {
		return p
	}
	p := &parcel{
		id: v.Notification, key: v.Key, notices: l.notices(v.Key, v.Notices, true), users: v.Users, items: v.Items,
		body: v.Body, attempt: v.Attempt, again: v.Again, due: v.Due,
	}
	if l.parcels == nil {
		l.parcels = make(map[int64]*parcel)
	}
	l.parcels[p.id] = p
	return p
}
