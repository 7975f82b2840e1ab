package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// A queue takes a body apart as Split does.
func ExampleSplit() {
	body := `{"activities": [{"userId": "u1", "summaryId": "5"}, {"odd": true}], "deregistrations": [{"userId": "u2"}]}`
	for p, err := range new(notify.Splitter).Split(strings.NewReader(body)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s of %q: %s\n", p.Class, p.UserID, body[p.Offset:p.Offset+p.Size])
	}
	// Output:
	// push of "u1": {"userId": "u1", "summaryId": "5"}
	// bad of "": {"odd": true}
	// account of "u2": {"userId": "u2"}
}

// A callback that knows when to come again says so.
func ExampleRetryAfter() {
	err := notify.RetryAfter(errors.New("the database is being moved"), 10*time.Minute)
	var f notify.Failure
	fmt.Println(err, errors.As(err, &f), f.RetryAfter())
	// Output: the database is being moved true 10m0s
}

// A job queue of the partner's keeps the items, and Attempt tries one once.
func ExampleProcessor_Attempt() {
	ctx := context.Background()
	p, err := notify.NewProcessor(nil, exampleUsers, notify.Callbacks{
		Save: func(_ context.Context, d *notify.Delivery, s types.Summary) error {
			fmt.Println("save for", d.User.ID, s.Kind(), s.ID())
			return nil
		},
		Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
		PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	err = p.Attempt(ctx, &notify.Item{
		Piece: notify.Piece{Key: "activities"},
		Raw:   []byte(`{"userId": "4aacafe8", "summaryId": "5001"}`),
	})
	fmt.Println(err)
	// Output:
	// save for alice activities 5001
	// <nil>
}

// numbered stores nothing, and tells the numbers of bodies.
type numbered struct{ last uint64 }

func (s *numbered) Put(ctx context.Context, r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s.last++
	notify.StoredAs(ctx, s.last)
	return nil
}

// The number of a body leads from the answer to Garmin to its items.
func ExampleStoredAs() {
	store := &numbered{last: 41}
	h := notify.NewHandler(store.Put, &notify.HandlerOptions{Observe: func(_ context.Context, r notify.Receipt) {
		fmt.Println(r.Status, "body", r.Body)
	}})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/garmin", strings.NewReader(`{"activities":[]}`)))
	// Output: 200 body 42
}
