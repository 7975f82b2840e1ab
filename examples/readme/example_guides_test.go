package readme_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/verification"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/oauth1"
	"github.com/garminkit/activityapi/activity/auth/oauth1/oauth1test"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
	"github.com/garminkit/activityapi/types"
)

func Example_pathSecret() {
	os.Setenv("GARMIN_PATH_SECRET", "kept-out-of-access-logs")
	mux, inbox := http.NewServeMux(), notifytest.NewMemory()

	secret, err := notify.PathSecret(os.Getenv("GARMIN_PATH_SECRET"), "")
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle("/garmin/", notify.NewHandler(inbox.Put, &notify.HandlerOptions{Origin: []notify.OriginCheck{secret}}))

	for _, path := range []string{"/garmin/kept-out-of-access-logs", "/garmin/", "/garmin/guess"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(`{"activities": []}`)))
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 404
	// 404
}

func Example_server() {
	mux := http.NewServeMux()
	mux.Handle("/garmin/", notify.NewHandler(notifytest.NewMemory().Put, nil))

	server := &http.Server{
		Addr:              ":8443",
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second, // the handler sets its own
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    64 << 10,
	}
	fmt.Println(server.Addr)
	// Output: :8443
}

func Example_verify() {
	ctx, endpoint := context.Background(), "https://partner.example/garmin"
	mux := http.NewServeMux()
	mux.Handle("/garmin", notify.NewHandler(notifytest.NewMemory().Put, nil))

	report, err := verification.Run(ctx, endpoint, &verification.Options{Handler: mux, LargeBody: 1 << 20, LargeDetails: -1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("passed:", report.OK())
	// Output: passed: true
}

func Example_migrate() {
	ctx, fake := context.Background(), activitytest.NewServer()
	clientID, secret, consumerSecret := fake.ClientID, types.Secret(fake.ClientSecret), types.Secret(fake.ClientSecret)
	store := auth.NewMemory()
	old := fake.AddUser(nil)
	token, tokenSecret := oauth1test.Add(fake).Connect(old)
	_, err := store.Swap(ctx, nil, &auth.Token{UserID: old.ID(), AccessToken: types.Secret(token), TokenSecret: types.Secret(tokenSecret)})
	if err != nil {
		log.Fatal(err)
	}
	opts := &auth.Options{Transport: fake}

	scheme, err := oauth1.New(clientID, consumerSecret, nil)
	if err != nil {
		log.Fatal(err)
	}
	opts.Scheme = scheme
	users, err := auth.NewUsers(auth.App{ClientID: clientID, ClientSecret: secret}, store, opts)
	if err != nil {
		log.Fatal(err)
	}
	for userID, err := range oauth1.Migrate(ctx, users, store) {
		if err != nil {
			log.Print(userID, err) // the user can go on with OAuth 1.0a
		}
	}

	moved, err := store.Token(ctx, old.ID())
	fmt.Println(moved.OAuth2(), err)
	// Output: true <nil>
}
