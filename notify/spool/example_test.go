package spool_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

func exampleDir() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		log.Fatal(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

func Example() {
	dir, remove := exampleDir()
	defer remove()
	s, err := spool.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	h := notify.NewHandler(s.Put, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/garmin", strings.NewReader(`{"activities":[]}`)))
	st, err := s.Stats(context.Background())
	fmt.Println(w.Code, st.Bodies, err)
	// Output: 200 1 <nil>
}

func ExampleOpen() {
	dir, remove := exampleDir()
	defer remove()
	ctx := context.Background()
	s, err := spool.Open(dir, &spool.Options{MaxBytes: 10 << 30})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Put(ctx, strings.NewReader("a body")); err != nil {
		log.Fatal(err)
	}
	if err := s.Close(); err != nil {
		log.Fatal(err)
	}

	// After a restart it is still there.
	s, err = spool.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	st, err := s.Stats(ctx)
	fmt.Println(st.Bodies, err)
	// Output: 1 <nil>
}

// What a Processor does with a spool: it takes the share, scans, and settles.
func ExampleOpen_shares() {
	dir, remove := exampleDir()
	defer remove()
	s, err := spool.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	s.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u1","summaryId":"1"},{"userId":"u2","summaryId":"2"}]}`))

	for share, err := range s.Shares(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		items, err := share.Scan(ctx, notify.ClassPush, 0, 100)
		if err != nil {
			log.Fatal(err)
		}
		for _, it := range items {
			fmt.Println(it.UserID, it.Key, string(it.Raw))
		}
		err = share.Settle(ctx, []notify.Verdict{
			{ID: items[0].ID, Fate: notify.Done},
			{ID: items[1].ID, Fate: notify.Buried, Letter: &notify.DeadLetter{Key: "activities", UserID: "u2", Reason: "no such user"}},
		})
		if err != nil {
			log.Fatal(err)
		}
		share.Release()
		break
	}
	st, err := s.Stats(ctx)
	fmt.Println(st.Items[notify.ClassPush], st.Letters, err)
	// Output:
	// u1 activities {"userId":"u1","summaryId":"1"}
	// u2 activities {"userId":"u2","summaryId":"2"}
	// 0 1 <nil>
}

func ExampleOpen_letters() {
	dir, remove := exampleDir()
	defer remove()
	s, err := spool.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	s.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u1","summaryId":"1"}]}`))
	for share, err := range s.Shares(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		items, _ := share.Scan(ctx, notify.ClassPush, 0, 1)
		letter := &notify.DeadLetter{Key: "activities", UserID: "u1", Reason: "database is down"}
		if err := share.Settle(ctx, []notify.Verdict{{ID: items[0].ID, Fate: notify.Buried, Letter: letter}}); err != nil {
			log.Fatal(err)
		}
		share.Release()
		break
	}

	for l, err := range s.Letters(ctx, &notify.LetterFilter{UserID: "u1"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(l.UserID, l.Reason, l.Size)
		if err := s.Redrive(ctx, l.ID); err != nil {
			log.Fatal(err)
		}
	}
	st, err := s.Stats(ctx)
	fmt.Println(st.Bodies, st.Letters, err)
	// Output:
	// u1 database is down 31
	// 1 0 <nil>
}

// eitherKey seals with the new key and opens with either.
type eitherKey struct {
	cipher.AEAD // with the new key
	old         cipher.AEAD
}

func (k eitherKey) Open(dst, nonce, sealed, about []byte) ([]byte, error) {
	text, err := k.AEAD.Open(dst, nonce, sealed, about)
	if err != nil {
		text, err = k.old.Open(dst, nonce, sealed, about)
	}
	return text, err
}

// A spool is sealed with a key, and the key is changed.
func ExampleOptions() {
	dir, remove := exampleDir()
	defer remove()
	gcm := func(key string) cipher.AEAD { // from a store of secrets, 32 bytes
		block, err := aes.NewCipher([]byte(key))
		if err != nil {
			log.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			log.Fatal(err)
		}
		return aead
	}
	oldKey, newKey := gcm("the old key, of thirty-two bytes"), gcm("the new key, of thirty-two bytes")
	for _, aead := range []cipher.AEAD{oldKey, eitherKey{newKey, oldKey}, newKey, oldKey} {
		s, err := spool.Open(dir, &spool.Options{AEAD: aead})
		if err != nil {
			fmt.Println(errors.Is(err, spool.ErrKey))
			break
		}
		err = s.Put(context.Background(), strings.NewReader(`{"activities":[]}`))
		fmt.Println(err, s.Close())
	}
	// Output:
	// <nil> <nil>
	// <nil> <nil>
	// <nil> <nil>
	// true
}
