package oauth1_test

import (
	"context"
	"fmt"
	"log"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/oauth1"
	"github.com/garminkit/activityapi/activity/auth/oauth1/oauth1test"
	"github.com/garminkit/activityapi/types"
)

// exampleUsers returns users who connected with OAuth 1.0a, on a fake Garmin.
func exampleUsers(ids ...types.UserID) (*auth.Users, auth.TokenStore) {
	fake, store := activitytest.NewServer(), auth.NewMemory()
	garmin := oauth1test.Add(fake)
	for _, id := range ids {
		token, secret := garmin.Connect(fake.AddUser(&activitytest.UserOptions{ID: id}))
		_, err := store.Swap(context.Background(), nil, &auth.Token{UserID: id, AccessToken: types.Secret(token), TokenSecret: types.Secret(secret)})
		if err != nil {
			log.Fatal(err)
		}
	}
	users, err := newUsers(fake, store)
	if err != nil {
		log.Fatal(err)
	}
	return users, store
}

func newUsers(fake *activitytest.Server, store auth.TokenStore) (*auth.Users, error) {
	app := auth.App{ClientID: fake.ClientID, ClientSecret: types.Secret(fake.ClientSecret)}
	clientID, consumerSecret := fake.ClientID, types.Secret(fake.ClientSecret)
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	if err != nil {
		return nil, err
	}
	opts := &auth.Options{Pool: pool, Transport: fake}

	scheme, err := oauth1.New(clientID, consumerSecret, nil)
	if err != nil {
		return nil, err
	}
	opts.Scheme = scheme
	return auth.NewUsers(app, store, opts)
}

func ExampleNew() {
	ctx := context.Background()
	users, _ := exampleUsers("d3315b10")
	client, err := users.Client(ctx, "d3315b10")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.UserID(ctx))
	// Output: d3315b10 <nil>
}

// Moving all users to OAuth 2 before OAuth 1.0a ends.
func ExampleMigrate() {
	ctx := context.Background()
	users, store := exampleUsers("a", "b")
	moved := 0
	for userID, err := range oauth1.Migrate(ctx, users, store) {
		if err != nil {
			log.Print(userID, err) // this user goes on with OAuth 1.0a
			continue
		}
		moved++
	}
	fmt.Println(moved, "users moved")
	// Output: 2 users moved
}

func ExampleCredential() {
	fake := activitytest.NewServer()
	token, secret := oauth1test.Add(fake).Connect(fake.AddUser(&activitytest.UserOptions{ID: "d3315b10"}))
	pool, err := activity.NewPool(&activity.Options{Transport: fake})
	if err != nil {
		log.Fatal(err)
	}
	client, err := pool.Client(oauth1.Credential(fake.ClientID, types.Secret(fake.ClientSecret), &auth.Token{
		AccessToken: types.Secret(token), TokenSecret: types.Secret(secret),
	}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.UserID(context.Background()))
	// Output: d3315b10 <nil>
}
