package main

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// database stands for yours. Its keys are what yours would have.
type database struct {
	mu sync.Mutex
	// names has our name of each Garmin user.
	names map[string]string
	// summaries are those of a user, by kind and id.
	summaries map[record]row
	files     map[record]string
	// permissions is what a user grants, and since when.
	permissions map[string]grant
}

type record struct {
	user string
	kind types.Kind
	id   types.ID
}

type row struct {
	summary types.Summary
	key     string
}

type grant struct {
	list  []types.Permission
	since time.Time
}

func newDatabase() *database {
	return &database{names: map[string]string{}, summaries: map[record]row{}, files: map[record]string{}, permissions: map[string]grant{}}
}

// loggedIn tells whose browser it is. Look at your session cookie here.
func (db *database) loggedIn(r *http.Request) (string, error) {
	if name, _, ok := r.BasicAuth(); ok {
		return name, nil
	}
	return "", errors.New("log in first")
}

func (db *database) connect(name, garminID string, p []types.Permission) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.names[garminID] = name
	db.permissions[name] = grant{list: p, since: time.Now()}
}

func (db *database) disconnect(garminID string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.names, garminID)
}

func (db *database) name(garminID string) (string, bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	name, ok := db.names[garminID]
	return name, ok
}

// upsert stores a summary in place of an older version of it.
func (db *database) upsert(user string, s types.Summary, key string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.summaries[record{user, s.Kind(), s.ID()}] = row{s, key}
}

func (db *database) addFile(user string, f *notify.File) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.files[record{user, types.KindActivityFiles, f.Announced.SummaryID}] = f.Path
}

// permit keeps the newest: notifications come in any order.
func (db *database) permit(user string, p []types.Permission, since time.Time) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if since.Before(db.permissions[user].since) {
		return
	}
	db.permissions[user] = grant{p, since}
}

// count returns how many summaries of a kind a user has.
func (db *database) count(user string, kind types.Kind) (n int) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for r := range db.summaries {
		if r.user == user && r.kind == kind {
			n++
		}
	}
	return n
}
