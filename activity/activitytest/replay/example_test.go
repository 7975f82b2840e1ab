package replay_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/activitytest/replay"
)

func ExamplePlay() {
	file := strings.NewReader(`{"recording":"activityapi","version":1}
{"at":0,"method":"POST","status":200,"size":49,"body":"{\"deregistrations\":[{\"userId\":\"d2315b1a\"}]}"}
`)
	ctx, server := context.Background(), activitytest.NewServer()
	server.SetEndpoints(activitytest.Endpoint{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Println(string(b))
	})})
	err := replay.Play(ctx, server, file, false)
	if err != nil {
		fmt.Println(err)
	}
	// Output: {"deregistrations":[{"userId":"d2315b1a"}]}
}
