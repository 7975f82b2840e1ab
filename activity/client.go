package activity

import (
	"fmt"
	"io"
	"net/http"
)

// Client calls the Activity API as one Garmin user. It comes from [Pool.Client],
// or from Users.Client of package auth. It is immutable, safe for concurrent use
// and cheap.
//
// Methods that repeat a failed call say so; none repeats a call whose answer
// would not change. Their errors are [*Error] values.
type Client struct {
	pool         *Pool
	shared, once http.RoundTripper
}

// Format implements [fmt.Formatter]: a client prints without its credential.
func (c *Client) Format(f fmt.State, _ rune) { io.WriteString(f, c.text()) }

func (c *Client) text() string {
	if c == nil || c.pool == nil || c.pool.base == nil {
		return "activity.Client(nil)"
	}
	return "activity.Client(" + c.pool.base.String() + ")"
}
