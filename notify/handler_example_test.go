package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"

	"github.com/garminkit/activityapi/notify"
)

// printer is a Store that prints, for the examples. The real one is in package
// spool.
var printer = notify.StoreFunc(func(_ context.Context, r io.Reader) error {
	body, err := io.ReadAll(r)
	if err == nil {
		fmt.Printf("stored %s\n", body)
	}
	return err
})

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

	full := notify.StoreFunc(func(context.Context, io.Reader) error { return errors.New("disk full") })
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
	h := notify.NewHandler(printer, &notify.Options{Origin: []notify.OriginCheck{secret, id}})
	fmt.Println(send(h, "/garmin/Zk3vQ9xT7mW2pL5c", "{}"))
	fmt.Println(send(h, "/garmin/guess", "{}"))

	_, err = notify.PathSecret("", "")
	fmt.Println(err)
	// Output:
	// stored {}
	// 200
	// 404
	// notify: current path secret: 0 characters, want at least 16
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
	// false
	// true
}

func ExampleAddresses() {
	gateway := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	senders := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	check, err := notify.Addresses(senders, gateway)
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest("POST", "/garmin", nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	fmt.Println(check(r))
	// Output: true
}

func ExampleHandler_SetPaused() {
	h := notify.NewHandler(printer, nil)
	h.SetPaused(true)
	fmt.Println(send(h, "/garmin", `{"activities":[{"userId":"u1"}]}`))
	fmt.Println(send(h, "/garmin", `{"deregistrations":[{"userId":"u1"}]}`))
	// Output:
	// 503
	// stored {"deregistrations":[{"userId":"u1"}]}
	// 200
}

func ExampleNewServer() {
	srv := notify.NewServer(":8443", notify.NewHandler(printer, nil))
	fmt.Println(srv.ReadHeaderTimeout, srv.IdleTimeout, srv.MaxHeaderBytes)
	// Output: 5s 1m0s 65536
}

func ExampleStoreFunc() {
	var s notify.Store = notify.StoreFunc(func(_ context.Context, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	fmt.Println(s.Put(context.Background(), strings.NewReader("a body")))
	// Output: <nil>
}
