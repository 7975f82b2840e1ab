package control_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/control"
)

func ExampleHandler() {
	fake := activitytest.NewServer()
	api := httptest.NewServer(control.Handler(fake, nil))
	defer api.Close()

	res, err := http.Post(api.URL+"/users", "application/json", strings.NewReader(`{"id": "alice"}`))
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	fmt.Println(res.StatusCode, fake.User("alice").State().Connected)
	// Output: 200 true
}
