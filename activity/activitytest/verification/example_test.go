package verification_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/garminkit/activityapi/activity/activitytest/verification"
)

// An endpoint that answers 201 does not pass the review.
func ExampleRun() {
	endpoint := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
	})
	report, err := verification.Run(context.Background(), "", &verification.Options{
		Handler: endpoint, LargeBody: -1, LargeDetails: -1,
	})
	if err != nil {
		panic(err)
	}
	c := report.Check("push-activities")
	fmt.Println(report.OK(), c.Verdict)
	fmt.Println(c.Requirement)
	fmt.Println(c.Detail)
	// Output:
	// false fail
	// a push of two users is answered 200 within 30 seconds
	// answered 201; only 200 counts
}

func Example() {
	receiver := httptest.NewServer(http.HandlerFunc(discard))
	defer receiver.Close()
	opts := &verification.Options{LargeDetails: -1}
	fmt.Println(check(context.Background(), receiver.URL, opts))
	// Output:
	// true
	// <nil>
}

func check(ctx context.Context, endpoint string, opts *verification.Options) error {
	report, err := verification.Run(ctx, endpoint, opts)
	if err != nil {
		return err
	}
	fmt.Println(report.OK())
	return nil
}
