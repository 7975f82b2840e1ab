package verification_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/verification"
	"github.com/garminkit/activityapi/types"
)

func TestPartner(t *testing.T) {
	fake := activitytest.NewServer()
	require.False(t, verification.Partner(fake).OK())
	fake.SetEndpoints(activitytest.Endpoint{Enabled: true, Push: true, Handler: http.HandlerFunc(discard)})
	fake.AddUser(nil).Add(&types.Activity{SummaryID: "1"})
	fake.AddUser(nil)
	fake.Deliver(t.Context())
	require.True(t, verification.Partner(fake).OK(), "%s", verification.Partner(fake))
}

func ExamplePartner() {
	fmt.Print(verification.Partner(activitytest.NewServer()).Check("two-users").Detail)
	// Output: there are 0
}
