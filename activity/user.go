package activity

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/garminkit/activityapi/internal/jsonscan"
	"github.com/garminkit/activityapi/types"
)

// UserID returns Garmin's id of the user. It is the same in every notification
// about the user and after a reconnection. A failed call is repeated.
func (c *Client) UserID(ctx context.Context) (types.UserID, error) {
	var v struct {
		UserID types.ID `json:"userId"`
	}
	err := c.small(ctx, &call{op: "UserID", path: "/user/id", want: http.StatusOK}, func(b []byte) error {
		if err := json.Unmarshal(b, &v); err != nil || v.UserID == "" {
			return errShape
		}
		return nil
	})
	return types.UserID(v.UserID), err
}

// Permissions returns what the user currently allows, which may be nothing. A
// failed call is repeated. Right after the user's consent, Garmin may not know
// the answer yet.
func (c *Client) Permissions(ctx context.Context) ([]types.Permission, error) {
	var list []types.Permission
	err := c.small(ctx, &call{op: "Permissions", path: "/user/permissions", want: http.StatusOK}, func(b []byte) (err error) {
		list, err = parsePermissions(b)
		return err
	})
	return list, err
}

// Deregister ends the user's connection for good. A partner must call it when the
// user leaves. The tokens become invalid, notifications stop, and the data can no
// longer be requested. Garmin then sends a deregistration notification, as if the
// user had disconnected; do not call Deregister again for it.
//
// A failed call is repeated. If an answer was lost, the repeat may fail with
// [ErrUnauthorized], since the user is gone by then.
func (c *Client) Deregister(ctx context.Context) error {
	return c.small(ctx, &call{op: "Deregister", method: http.MethodDelete, path: "/user/registration", want: http.StatusNoContent}, nil)
}

// small makes a call whose answer is small, and parses it.
func (c *Client) small(ctx context.Context, cl *call, parse func([]byte) error) error {
	body, err := c.do(ctx, cl)
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, answerLimit+1))
	switch {
	case parse == nil:
		return nil // The status says it all.
	case err != nil:
		return body.failure(err)
	case len(text) > answerLimit:
		return body.failure(fmt.Errorf("%w: more than %d bytes", errTooLarge, answerLimit))
	}
	if err := parse(bytes.TrimPrefix(text, []byte("\ufeff"))); err != nil {
		return body.failure(err)
	}
	return nil
}

// parsePermissions reads the shapes in which Garmin has been seen to send
// permissions, or which its documents print: an array; an object with an
// array; an object with the one string "[A, B]"; an array in bare braces. null
// in an array is no permission.
func parsePermissions(b []byte) ([]types.Permission, error) {
	b = bytes.TrimSpace(b)
	if inner, ok := bytes.CutPrefix(b, []byte("{")); ok {
		inner = bytes.TrimSpace(bytes.TrimSuffix(inner, []byte("}")))
		if bytes.HasPrefix(inner, []byte("[")) {
			b = inner
		}
	}
	var raw json.RawMessage
	if bytes.HasPrefix(b, []byte("[")) {
		raw = b
	} else {
		var v struct {
			Permissions json.RawMessage `json:"permissions"`
		}
		if json.Unmarshal(b, &v) != nil {
			return nil, errShape
		}
		raw = v.Permissions
	}
	list, err := jsonscan.Strings(raw)
	if err != nil {
		return nil, errShape
	}
	permissions := []types.Permission{}
	for _, name := range list {
		permissions = append(permissions, types.Permission(name))
	}
	return permissions, nil
}
