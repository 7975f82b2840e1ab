package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// fake is a Garmin inside this program, whose consent page has an address of its
// own on this machine. All else goes by memory.
type fake struct {
	*activitytest.Server
	server *http.Server
	users  []*fakeUser
	gen    *activitytest.Generator
}

// fakeUser is one of ours, who logs in with one press of a button.
type fakeUser struct {
	name string
	// ready makes what the user has at Garmin, which takes a second, and returns
	// when it is there. It does so once.
	ready func() error
}

// newFake starts a fake, and makes up what it takes to use it.
func newFake(c *config) (*fake, *auth.Options, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	f := &fake{Server: activitytest.NewServer(), gen: activitytest.NewGenerator(7)}
	f.Server.BaseURL = "http://" + l.Addr().String()
	f.Server.BackfillDaysPerMinute = 10_000 // as a production key
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = f.server.Serve(l) }()

	c.app = auth.App{ClientID: f.ClientID, ClientSecret: types.Secret(f.ClientSecret)}
	c.secret, c.operator, c.days = rand.Text(), rand.Text(), f.Server.BackfillDaysPerMinute
	pool, err := activity.NewPool(&activity.Options{BaseURL: f.BaseURL + "/wellness-api/rest", Transport: f})
	if err != nil {
		return nil, nil, errors.Join(err, f.server.Close())
	}
	return f, &auth.Options{Pool: pool, Transport: f, BaseURL: f.BaseURL}, nil
}

// serve lets the fake send to a partner, and lets ann and ben in. ann connects by
// herself; ben is for who wants to see how it goes.
func (f *fake) serve(ctx context.Context, p *partner, c *config) error {
	p.fake = f
	f.SetEndpoints(activitytest.Endpoint{URL: c.url + "/garmin/" + c.secret, Enabled: true, Push: true})
	p.pages.HandleFunc("POST /fake/login", p.fakeLogin)
	p.pages.HandleFunc("POST /fake/workout", p.private(p.fakeWorkout))
	for i, name := range []string{"ann", "ben"} {
		a, err := p.db.addAccount(ctx, name, "")
		if err != nil {
			return err
		}
		user := f.AddUser(&activitytest.UserOptions{NotConnected: true, HistoryFrom: time.Now().AddDate(-1, 0, -1)})
		f.users = append(f.users, &fakeUser{name: name, ready: sync.OnceValue(func() error {
			fill(user, uint64(i+1), 365)
			if name == "ann" {
				return f.connect(ctx, p, a, user)
			}
			return nil
		})})
	}
	go func() { _ = f.users[0].ready() }() // ann, before she logs in
	go func() { _ = f.Run(ctx) }()
	return nil
}

// connect goes through consent as a browser would.
func (f *fake) connect(ctx context.Context, p *partner, a *account, user *activitytest.User) error {
	address, sealed, err := p.conn.Begin(ctx, a.ID)
	if err != nil {
		return err
	}
	back, err := f.Consent(address, user)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, back, nil)
	if err != nil {
		return err
	}
	connection, err := p.conn.Finish(ctx, sealed, a.ID, r.URL.Query())
	if err != nil {
		return err
	}
	return p.connect(ctx, connection)
}

// fill gives a user some days of workouts with all that belongs to them.
func fill(user *activitytest.User, seed uint64, days int) {
	g := activitytest.NewGenerator(seed)
	now := time.Now().UTC().Truncate(24 * time.Hour)
	for n := range days {
		if n%7 == 1 || n%5 == 3 { // days of rest
			continue
		}
		start := now.AddDate(0, 0, -n).Add(time.Duration(5+n*7%13)*time.Hour - 24*time.Hour)
		if n%3 == 0 {
			user.AddHistory(g.MoveIQ(start.Add(-3 * time.Hour)))
		}
		for _, a := range g.Activities("", start) {
			user.AddHistory(a)
			if d := g.Details(a); len(d.Samples) > 0 {
				user.AddHistory(d)
				if !a.IsParent {
					f, content := g.File("FIT", d)
					_, _ = user.Upload(activitytest.Upload{File: &f, Content: content, History: true}) // cannot fail
				}
			}
		}
	}
}

// names are who can log in with one press of a button.
func (f *fake) names() []string {
	if f == nil {
		return nil
	}
	var names []string
	for _, u := range f.users {
		names = append(names, u.name)
	}
	return names
}

func (p *partner) fakeLogin(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("name")
	i := slices.Index(p.fake.names(), name)
	if i < 0 {
		p.fail(w, r, http.StatusNotFound, "There is no such user.", nil)
		return
	}
	if err := p.fake.users[i].ready(); err != nil {
		p.broken(w, r, err)
		return
	}
	a, _, err := p.db.account(r.Context(), "name", name)
	if err != nil {
		p.broken(w, r, err)
		return
	}
	if a == nil { // deleted
		if a, err = p.db.addAccount(r.Context(), name, ""); err != nil {
			p.broken(w, r, err)
			return
		}
	}
	p.begin(w, r, a)
}

// fakeWorkout syncs a watch of the fake.
func (p *partner) fakeWorkout(w http.ResponseWriter, r *http.Request) {
	all, err := p.db.connections(r.Context(), accountOf(r).ID)
	if err != nil {
		p.broken(w, r, err)
		return
	}
	for _, c := range all {
		if user := p.fake.User(c.GarminID); user != nil {
			user.Sync(p.fake.gen, activitytype.Running, time.Now().Add(-3*time.Hour))
		}
	}
	http.Redirect(w, r, "/list", http.StatusSeeOther)
}
