package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// exampleUsers returns the users of an application on a fake Garmin. With the
// real one, Transport and Pool can be left out.
func exampleUsers(fake *activitytest.Server, store auth.TokenStore) *auth.Users {
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	if err != nil {
		log.Fatal(err)
	}
	app := auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)}
	users, err := auth.NewUsers(app, store, &auth.Options{Transport: fake, Pool: pool})
	if err != nil {
		log.Fatal(err)
	}
	return users
}

// serve adds the two addresses of a web application, which must be registered
// with Garmin.
func serve(mux *http.ServeMux, dir, id string, secret types.Secret, done func(http.ResponseWriter, *http.Request, *auth.Connection, error)) error {
	store, err := auth.OpenFile(filepath.Join(dir, "tokens"), nil)
	if err != nil {
		return err
	}
	users, err := auth.NewUsers(auth.App{ClientID: id, ClientSecret: secret}, store, nil)
	if err != nil {
		return err
	}
	connector, err := auth.NewConnector(users, "https://example.com/garmin/callback", done, nil)
	if err != nil {
		return err
	}
	mux.HandleFunc("GET /garmin/connect", connector.Start)
	mux.HandleFunc("GET /garmin/callback", connector.Callback)
	return nil
}

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	mux := http.NewServeMux()
	done := func(http.ResponseWriter, *http.Request, *auth.Connection, error) {}
	if err := serve(mux, dir, "client-id", "secret", done); err != nil {
		log.Fatal(err)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "https://example.com/garmin/connect", nil))
	fmt.Println(w.Code, strings.Split(w.Header().Get("Location"), "?")[0])
	// Output: 303 https://connect.garmin.com/oauth2Confirm
}

// A web application: one address starts the connection, the other is the one
// registered with Garmin.
func ExampleConnector() {
	fake := activitytest.NewServer()
	users := exampleUsers(fake, auth.NewMemory())
	done := func(w http.ResponseWriter, r *http.Request, c *auth.Connection, err error) {
		switch {
		case errors.Is(err, auth.ErrDenied):
			fmt.Fprint(w, "You can connect later in the settings.")
		case err != nil:
			http.Error(w, "That did not work. Please try again.", http.StatusBadGateway)
		default:
			// Remember here that c.Session is Garmin's c.UserID.
			fmt.Fprintf(w, "Welcome, %s! You share %v.", c.Session, c.Permissions)
		}
	}
	connector, err := auth.NewConnector(users, "https://example.com/garmin/callback", done, &auth.ConnectorOptions{
		Session: func(r *http.Request) (string, error) { return "alice", nil }, // who is logged in
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /garmin/connect", connector.Start)
	mux.HandleFunc("GET /garmin/callback", connector.Callback)

	// Alice's browser goes there, to Garmin, and back.
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "https://example.com/garmin/connect", nil))
	back, err := fake.Consent(w.Header().Get("Location"), fake.AddUser(&activitytest.UserOptions{NotConnected: true}))
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest("GET", back, nil)
	r.AddCookie(w.Result().Cookies()[0])
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: Welcome, alice! You share [ACTIVITY_EXPORT HISTORICAL_DATA_EXPORT].
}

// An application whose users have no browser session with it, such as a mobile
// app's server, keeps the sealed text with the user's device.
func ExampleConnector_Begin() {
	fake := activitytest.NewServer()
	users := exampleUsers(fake, auth.NewMemory())
	connector, err := auth.NewConnector(users, "https://example.com/garmin/callback", nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	consentURL, sealed, err := connector.Begin(ctx, "alice")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Split(consentURL, "?")[0])

	back, err := fake.Consent(consentURL, fake.AddUser(&activitytest.UserOptions{ID: "d3315b10", NotConnected: true}))
	if err != nil {
		log.Fatal(err)
	}
	u, err := url.Parse(back)
	if err != nil {
		log.Fatal(err)
	}
	c, err := connector.Finish(ctx, sealed, "alice", u.Query())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.UserID, c.Session)
	// Output:
	// https://connect.garmin.com/oauth2Confirm
	// d3315b10 alice
}

// exampleUser connects a user to the store.
func exampleUser(fake *activitytest.Server, store auth.TokenStore, o *activitytest.UserOptions) types.UserID {
	u := fake.AddUser(o)
	t := &auth.Token{
		UserID: u.ID(), AccessToken: types.Secret(u.State().AccessToken), RefreshToken: types.Secret(u.State().RefreshToken),
		Expiry: u.State().AccessExpires, RefreshExpiry: time.Now().AddDate(0, 0, 90),
	}
	if _, err := store.Swap(context.Background(), nil, t); err != nil {
		log.Fatal(err)
	}
	return u.ID()
}

func ExampleUsers_Client() {
	ctx, fake, store := context.Background(), activitytest.NewServer(), auth.NewMemory()
	users := exampleUsers(fake, store)
	id := exampleUser(fake, store, &activitytest.UserOptions{ID: "d3315b10"})

	client, err := users.Client(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.Permissions(ctx))

	_, err = users.Client(ctx, "somebody else")
	fmt.Println(errors.Is(err, auth.ErrNotConnected))
	// Output:
	// [ACTIVITY_EXPORT HISTORICAL_DATA_EXPORT] <nil>
	// true
}

// Anybody can send a deregistration. Ask whether it is true, then forget.
func ExampleUsers_Disconnected() {
	ctx, fake, store := context.Background(), activitytest.NewServer(), auth.NewMemory()
	users := exampleUsers(fake, store)
	id := exampleUser(fake, store, &activitytest.UserOptions{ID: "d3315b10"})
	deregistration := func(ctx context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
		gone, err := users.Disconnected(ctx, d.UserID)
		if err != nil {
			return err // Garmin cannot be asked now; it comes again
		}
		if !gone {
			return notify.Permanent(errors.New("the user is still connected"))
		}
		return users.Forget(ctx, d.UserID)
	}

	fmt.Println(deregistration(ctx, &notify.Delivery{UserID: id}, nil))
	fake.User(id).Deregister()
	fmt.Println(deregistration(ctx, &notify.Delivery{UserID: id}, nil))
	// Output:
	// the user is still connected
	// <nil>
}

// Users find the clients for a notify.Processor. Here each Garmin user is one
// of the application's; otherwise look up who that is, too.
func ExampleUsers_Client_resolver() {
	ctx, fake, store := context.Background(), activitytest.NewServer(), auth.NewMemory()
	users := exampleUsers(fake, store)
	exampleUser(fake, store, &activitytest.UserOptions{ID: "d3315b10"})

	resolver := func(ctx context.Context, userID types.UserID) ([]notify.User, error) {
		client, err := users.Client(ctx, userID)
		switch {
		case errors.Is(err, auth.ErrNotConnected):
			return nil, notify.ErrUnknownUser
		case err != nil:
			return nil, err
		}
		return []notify.User{{ID: string(userID), Client: client}}, nil
	}

	known, err := resolver(ctx, "d3315b10")
	fmt.Println(len(known), err)
	_, err = resolver(ctx, "somebody else")
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// notify: unknown user
}

func ExampleUsers_Token() {
	ctx, fake, store := context.Background(), activitytest.NewServer(), auth.NewMemory()
	users := exampleUsers(fake, store)
	id := exampleUser(fake, store, &activitytest.UserOptions{ID: "d3315b10"})

	t, err := users.Token(ctx, id)
	fmt.Println(t.UserID, t.AccessToken, err)

	// The user withdraws consent in Garmin Connect.
	fake.User(id).Deregister()
	_, err = users.Refresh(ctx, id)
	fmt.Println(err)
	fmt.Println(errors.Is(err, auth.ErrReconnect))
	// Output:
	// d3315b10 [REDACTED] <nil>
	// auth: refresh token of user d3315b10: status 400: invalid_grant: user must connect again
	// true
}

func ExampleUsers_KeepAlive() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	fake, store := activitytest.NewServer(), auth.NewMemory()
	users := exampleUsers(fake, store)
	exampleUser(fake, store, &activitytest.UserOptions{})

	err := users.KeepAlive(ctx, &auth.KeepAliveOptions{
		Before: 120 * 24 * time.Hour, // all, for once
		Failed: func(userID types.UserID, err error) { fmt.Println(userID, "must connect again") },
	})
	fmt.Println(err)
	// Output: context deadline exceeded
}

// A job of a scheduler, for instance twice a day.
func ExampleUsers_RefreshDue() {
	ctx := context.Background()
	fake, store := activitytest.NewServer(), auth.NewMemory()
	users := exampleUsers(fake, store)
	id := exampleUser(fake, store, &activitytest.UserOptions{})
	before, err := store.Token(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	if err := users.RefreshDue(ctx, &auth.KeepAliveOptions{Before: 120 * 24 * time.Hour, Pace: time.Millisecond}); err != nil {
		log.Fatal(err)
	}
	after, err := store.Token(ctx, id)
	fmt.Println(after.AccessToken != before.AccessToken, err)
	// Output: true <nil>
}

func ExampleUsers_Forget() {
	ctx, fake, store := context.Background(), activitytest.NewServer(), auth.NewMemory()
	users := exampleUsers(fake, store)
	id := exampleUser(fake, store, &activitytest.UserOptions{})

	// The user leaves: tell Garmin, then forget.
	client, err := users.Client(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Deregister(ctx); err != nil {
		log.Fatal(err)
	}
	if err := users.Forget(ctx, id); err != nil {
		log.Fatal(err)
	}
	_, err = users.Client(ctx, id)
	fmt.Println(errors.Is(err, auth.ErrNotConnected))
	// Output: true
}

func ExampleOpenFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := auth.OpenFile(filepath.Join(dir, "tokens"), nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	first, err := store.Swap(ctx, nil, &auth.Token{UserID: "d3315b10", AccessToken: "secret"})
	fmt.Println(first.Version, err)

	// One wins.
	_, err = store.Swap(ctx, first, &auth.Token{UserID: "d3315b10", AccessToken: "next"})
	fmt.Println(err)
	_, err = store.Swap(ctx, first, &auth.Token{UserID: "d3315b10", AccessToken: "other"})
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// <nil>
	// auth: token has changed
}

// A store in a database keeps what MarshalBinary returns, in a column for
// itself.
func ExampleToken_MarshalBinary() {
	t := auth.Token{UserID: "d3315b10", AccessToken: "secret", TokenSecret: "other secret"}
	fmt.Println(t)
	row, err := t.MarshalBinary()
	if err != nil {
		log.Fatal(err)
	}
	var back auth.Token
	if err := back.UnmarshalBinary(row); err != nil {
		log.Fatal(err)
	}
	fmt.Println(back == t)
	// Output:
	// Token(user d3315b10, expires 0001-01-01T00:00:00Z)
	// true
}
