package notifytest_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/garminkit/activityapi/notify/notifytest"
)

// Memory takes the place of a store in tests.
func ExampleMemory() {
	ctx := context.Background()
	queue := notifytest.NewMemory()
	err := queue.Put(ctx, strings.NewReader(`{"activities": []}`))
	fmt.Println(queue.Len(), err)
	for body, err := range queue.Bodies(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
		fmt.Println(string(text))
		fmt.Println(body.Finish(ctx))
		break
	}
	fmt.Println(queue.Len())
	// Output:
	// 1 <nil>
	// {"activities": []}
	// <nil>
	// 0
}
