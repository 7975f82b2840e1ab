package oauth1test_test

import (
	"fmt"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/auth/oauth1/oauth1test"
)

func ExampleAdd() {
	fake := activitytest.NewServer()
	old := oauth1test.Add(fake)
	user := fake.AddUser(nil)
	token, secret := old.Connect(user)
	fmt.Println(len(token), len(secret), user.State().Connected)
	// Output: 36 32 true
}
