package notify_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// One handler for two applications: a path secret tells them apart, and the same
// person is two users.
func ExampleHandlerOptions_apps() {
	production, err := notify.PathSecret("SwzjQnXW8mW1rCG4", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	evaluation, err := notify.PathSecret("kJ0eWzQ7Tn5yVb2a", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	store := func(_ context.Context, r io.Reader) error {
		for p, err := range new(notify.Splitter).Split(r) {
			if err != nil {
				return err
			}
			fmt.Printf("an item of %q, application %q\n", p.UserID, p.UserID.App())
		}
		return nil
	}
	h := notify.NewHandler(store, &notify.HandlerOptions{
		Apps: map[string][]notify.OriginCheck{"": {production}, "evaluation": {evaluation}},
	})
	for _, path := range []string{"/garmin/SwzjQnXW8mW1rCG4", "/garmin/kJ0eWzQ7Tn5yVb2a", "/garmin/nobody"} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"deregistrations":[{"userId":"4aacafe8"}]}`))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// an item of "4aacafe8", application ""
	// 200
	// an item of "4aacafe8@evaluation", application "evaluation"
	// 200
	// 404
}

func ExampleAppLine() {
	user := types.UserID("4aacafe8").In("evaluation")
	item := `{"userId":"4aacafe8"}`
	// What an engine puts before the item of a letter, so that Split finds the user again.
	body := notify.AppLine(user.App()) + `{"deregistrations":[` + item + `]}`
	for p, err := range new(notify.Splitter).Split(strings.NewReader(body)) {
		fmt.Println(p.Key, p.UserID, err)
	}
	// Output: deregistrations 4aacafe8@evaluation <nil>
}
