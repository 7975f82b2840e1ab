package readme_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
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
	mux.Handle("/garmin/", notify.NewHandler(inbox, &notify.Options{Origin: []notify.OriginCheck{secret}}))

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

func Example_verify() {
	ctx, endpoint := context.Background(), "https://partner.example/garmin"
	mux := http.NewServeMux()
	mux.Handle("/garmin", notify.NewHandler(notifytest.NewMemory(), nil))

	report, err := activitytest.Verify(ctx, endpoint, &activitytest.VerifyOptions{Handler: mux, LargeBody: 1 << 20, LargeDetails: -1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("passed:", report.OK())
	// Output: passed: true
}

func Example_migrate() {
	ctx, fake := context.Background(), activitytest.NewServer()
	key, secret, consumerSecret := fake.ClientID, types.Secret(fake.ClientSecret), types.Secret(fake.ClientSecret)
	opts := &auth.Options{Transport: fake}
	store := new(auth.MemoryStore)
	legacy := fake.AddUser(&activitytest.UserOptions{Legacy: true})
	token, tokenSecret := legacy.OAuth1()
	_, err := store.Swap(ctx, nil, &auth.Token{UserID: legacy.ID(), AccessToken: types.Secret(token), TokenSecret: types.Secret(tokenSecret)})
	if err != nil {
		log.Fatal(err)
	}

	users, err := auth.NewUsers(auth.App{
		ClientID:       key,
		ClientSecret:   secret,         // of OAuth 2
		ConsumerSecret: consumerSecret, // of OAuth 1.0a
	}, store, opts)
	if err != nil {
		log.Fatal(err)
	}
	for t, err := range store.Tokens(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if _, err := users.Migrate(ctx, t.UserID); err != nil {
			log.Print(err) // the user can go on with OAuth 1.0a
		}
	}

	moved, err := store.Token(ctx, legacy.ID())
	fmt.Println(moved.OAuth1(), moved.RefreshToken != "", err)
	// Output: false true <nil>
}
