package recording_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/recording"
)

// store takes everything.
func store(_ context.Context, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// record records what comes while serve runs.
func record(file io.Writer, handler http.Handler, serve func(http.Handler)) error {
	r, err := recording.New(file, nil)
	if err != nil {
		return err
	}
	serve(r.Handler(handler))
	return r.Close()
}

// A recording of one push: its ids stay equal where they were.
func Example() {
	var file bytes.Buffer
	body := `{"activities":[{"userId":"4aacafe8","summaryId":"5001","activityId":5001,"activityType":"YOGA","durationInSeconds":1800}]}`
	err := record(&file, notify.NewHandler(store, nil), func(h http.Handler) {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/garmin/secret", strings.NewReader(body)))
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(strings.Contains(file.String(), "4aacafe8"), strings.Contains(file.String(), "5001"))
	err = recording.Play(context.Background(), &file, true, func(e *recording.Entry) error {
		_, rest, _ := strings.Cut(string(e.Body), `"activityType"`)
		fmt.Println(e.Method, e.Status, e.Size, rest)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// false false
	// POST 200 122 :"YOGA","durationInSeconds":1800}]}
}

// Play sends a recording again, with the times between its requests or without.
func ExamplePlay() {
	file := strings.NewReader(`{"recording":"activityapi","version":1}
{"at":0,"method":"POST","status":200,"size":2,"body":"{}"}
{"at":3600000000000,"method":"POST","status":200,"size":17,"body":"{\"activities\":[]}"}
`)
	err := recording.Play(context.Background(), file, true, func(e *recording.Entry) error {
		fmt.Println(string(e.Body))
		return nil
	})
	fmt.Println(err)
	// Output:
	// {}
	// {"activities":[]}
	// <nil>
}
