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
)

// printer prints what it should store, for the examples. The real one is in package
// spool.
var printer = func(_ context.Context, r io.Reader) error {
	body, err := io.ReadAll(r)
	if err == nil {
		fmt.Printf("stored %s\n", body)
	}
	return err
}

func send(h http.Handler, path, body string) int {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("garmin-client-id", "11111111-2222-3333-4444-555555555555")
	h.ServeHTTP(w, r)
	return w.Code
}

func ExampleNewHandler() {
	h := notify.NewHandler(printer, nil)
	fmt.Println(send(h, "/garmin", `{"activities":[]}`))

	full := func(context.Context, io.Reader) error { return errors.New("disk full") }
	fmt.Println(send(notify.NewHandler(full, nil), "/garmin", `{"activities":[]}`))
	// Output:
	// stored {"activities":[]}
	// 200
	// 503
}

func ExamplePathSecret() {
	secret, err := notify.PathSecret("Zk3vQ9xT7mW2pL5c", "") // from the environment
	if err != nil {
		panic(err)
	}
	id, err := notify.ClientID("11111111-2222-3333-4444-555555555555")
	if err != nil {
		panic(err)
	}
	h := notify.NewHandler(printer, &notify.HandlerOptions{Origin: []notify.OriginCheck{secret, id}})
	fmt.Println(send(h, "/garmin/Zk3vQ9xT7mW2pL5c", "{}"))
	fmt.Println(send(h, "/garmin/guess", "{}"))

	_, err = notify.PathSecret("", "")
	fmt.Println(err)
	// Output:
	// stored {}
	// 200
	// 404
	// notify: PathSecret: current has 0 characters, want at least 16
}

func ExampleClientID() {
	id, err := notify.ClientID("11111111-2222-3333-4444-555555555555")
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest("POST", "/garmin", nil)
	fmt.Println(id(r))
	r.Header.Set("garmin-client-id", "11111111-2222-3333-4444-555555555555")
	fmt.Println(id(r))
	// Output:
	// client id: no garmin-client-id
	// <nil>
}

// The limits that a server on an open port needs. The handler bounds the time of
// its own requests; the server does the rest.
func ExampleHandler_server() {
	mux := http.NewServeMux()
	mux.Handle("/garmin/", notify.NewHandler(printer, nil))

	server := &http.Server{
		Addr:              ":8443",
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second, // the handler sets its own
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
	}
	fmt.Println(send(server.Handler, "/garmin/", `{"activities":[]}`))
	// Output:
	// stored {"activities":[]}
	// 200
}
