package spool_test

import (
	"context"
	"fmt"
	"io"
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

	h := notify.NewHandler(s, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/garmin", strings.NewReader(`{"activities":[]}`)))
	fmt.Println(w.Code, s.Stats().Bodies)
	// Output: 200 1
}

func ExampleOpen() {
	dir, remove := exampleDir()
	defer remove()
	s, err := spool.Open(dir, &spool.Options{MaxBytes: 10 << 30})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Put(context.Background(), strings.NewReader("a body")); err != nil {
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
	fmt.Println(s.Stats().Bodies)
	// Output: 1
}

func ExampleSpool_Process() {
	dir, remove := exampleDir()
	defer remove()
	s, err := spool.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	s.Put(ctx, strings.NewReader("first"))
	s.Put(ctx, strings.NewReader("second"))

	err = s.Process(ctx, func(_ context.Context, body io.Reader) error {
		text, err := io.ReadAll(body)
		fmt.Println(string(text))
		if string(text) == "second" {
			cancel()
		}
		return err
	})
	fmt.Println(err)
	// Output:
	// first
	// second
	// context canceled
}

func ExampleSpool_Bodies() {
	dir, remove := exampleDir()
	defer remove()
	s, err := spool.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	s.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u1"},{"userId":"u2"}]}`))

	for b, err := range s.Bodies(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		// A worker marks each item when it is done with it.
		b.Mark(ctx, 0)
		b.Bury(ctx, 1, &notify.Letter{Key: "activities", UserID: "u2", Reason: "no such user", Raw: []byte(`{"userId":"u2"}`)})
		fmt.Println(b.Done(0), b.Done(1), b.Done(2))
		b.Finish(ctx)
		break
	}
	// Output: true true false
}

func ExampleSpool_Letters() {
	dir, remove := exampleDir()
	defer remove()
	s, err := spool.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	s.Put(ctx, strings.NewReader(`{"activities":[{"userId":"u1"}]}`))
	for b := range s.Bodies(ctx) {
		b.Bury(ctx, 0, &notify.Letter{Key: "activities", UserID: "u1", Reason: "database is down", Raw: []byte(`{"userId":"u1"}`)})
		b.Finish(ctx)
		break
	}

	for l, err := range s.Letters(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(l.UserID, l.Reason)
		if err := s.Redrive(ctx, l.ID); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(s.Stats().Bodies)
	// Output:
	// u1 database is down
	// 1
}
