package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

// account is a user of ours.
type account struct {
	ID, Name string
	Created  time.Time
}

// What a sign-up is refused for. People read it as a sentence.
var (
	errNameTaken = errors.New("this name is taken")
	errName      = errors.New("a name has 1 to 40 characters that can be seen")
	errPassword  = fmt.Errorf("a password has at least %d characters, and at most 72 bytes", minPassword)
)

// createAccount makes an account. The database has a hash of the password.
func (db *database) createAccount(ctx context.Context, name, password string) (*account, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > 40 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return nil, errName
	}
	if len(password) < minPassword || len(password) > 72 {
		return nil, errPassword
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return nil, err
	}
	return db.addAccount(ctx, name, string(hash))
}

// addAccount makes an account with the hash of a password. Nobody has a password of
// which "" is the hash.
func (db *database) addAccount(ctx context.Context, name, hash string) (*account, error) {
	a := &account{ID: rand.Text(), Name: name, Created: time.Now()}
	n, err := db.change(ctx, `INSERT INTO account (id, name, password, created) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		a.ID, a.Name, hash, a.Created.Unix())
	if err == nil && n == 0 {
		err = errNameTaken
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// account returns the account with an id, or with a name, and the hash of its
// password. It is nil if there is none.
func (db *database) account(ctx context.Context, column, value string) (*account, string, error) {
	query := `SELECT id, name, created, password FROM account WHERE id = $1`
	if column == "name" {
		query = `SELECT id, name, created, password FROM account WHERE name = $1`
	}
	a, hash, created := &account{}, "", int64(0)
	err := db.row(ctx, query, value).Scan(&a.ID, &a.Name, &created, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", nil
	}
	a.Created = time.Unix(created, 0).UTC()
	return a, hash, err
}

// deleteAccount deletes an account and all rows that belong to it.
func (db *database) deleteAccount(ctx context.Context, id string) error {
	_, err := db.change(ctx, `DELETE FROM account WHERE id = $1`, id)
	return err
}

// logins checks passwords: two at a time, since each takes a processor for a
// while, and none of a name for a minute after five wrong ones.
type logins struct {
	places chan struct{}

	mu    sync.Mutex
	wrong map[string]*attempts
}

type attempts struct {
	n     int
	since time.Time
}

const (
	maxWrong = 5
	maxNames = 10_000 // that are remembered
)

// nobody is the hash of a password that was thrown away. It is compared with where
// there is no such name, to take as long.
const nobody = "$2a$10$/zSsvkTAsjwG1tBw5LzVVe6msjQQ00apzd0BYifX/0L54QTPeQWXK"

func newLogins() *logins {
	return &logins{places: make(chan struct{}, 2), wrong: map[string]*attempts{}}
}

var (
	errLogin = errors.New("the name or the password is wrong")
	errSlow  = errors.New("too many wrong passwords: try again in a minute")
)

// check returns the account with a name and a password. It takes as long for a
// name that is not there.
func (l *logins) check(ctx context.Context, db *database, name, password string) (*account, error) {
	name = strings.TrimSpace(name)
	if !l.begin(name) {
		return nil, errSlow
	}
	a, hash, err := db.account(ctx, "name", name)
	if err != nil {
		return nil, err
	}
	if a == nil {
		hash = nobody
	}
	select {
	case l.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	err = bcrypt.CompareHashAndPassword([]byte(hash), []byte(password))
	<-l.places
	if err != nil || a == nil {
		return nil, errLogin
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.wrong, name)
	return a, nil
}

// begin counts an attempt, and tells whether it may be made.
func (l *logins) begin(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	x := l.wrong[name]
	if x == nil || now.Sub(x.since) > time.Minute {
		if len(l.wrong) >= maxNames {
			clear(l.wrong)
		}
		x = &attempts{since: now}
		l.wrong[name] = x
	}
	x.n++
	return x.n <= maxWrong
}
