package activity

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

// Client calls the Activity API as one Garmin user. It is immutable, safe for
// concurrent use and cheap.
//
// Methods that repeat a failed call say so; none repeats an answer that
// another attempt would not change. Their errors are [*Error] values.
type Client struct {
	pool         *Pool
	shared, once http.RoundTripper
	own          bool
}

// NewClient returns a client for one user, with connections of its own. A
// program that acts for many users makes a [Pool] and asks it for clients.
func NewClient(cred Credential, opts *Options) (*Client, error) {
	p, err := NewPool(opts)
	if err != nil {
		return nil, err
	}
	c, err := p.Client(cred)
	if err != nil {
		return nil, err
	}
	c.own = true
	return c, nil
}

// Close closes the idle connections of a client made by [NewClient]. On a
// client that came from a [Pool] it does nothing.
func (c *Client) Close() error {
	if c.own {
		return c.pool.Close()
	}
	return nil
}

// Format implements [fmt.Formatter]: a client prints without its credential.
func (c *Client) Format(f fmt.State, _ rune) { io.WriteString(f, c.text()) }

// LogValue implements [slog.LogValuer].
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.text()) }

func (c *Client) text() string {
	if c == nil || c.pool == nil || c.pool.base == nil {
		return "activity.Client(nil)"
	}
	return "activity.Client(" + c.pool.base.String() + ")"
}
