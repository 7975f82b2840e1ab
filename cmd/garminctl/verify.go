package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/internal/verify"
	"github.com/garminkit/activityapi/types"
)

// verifyCommand is examples/verify.
type verifyCommand struct {
	Endpoint   string        `arg:"" env:"GARMIN_ENDPOINT" help:"The endpoint: {secret} in it, or its end, is GARMIN_PATH_SECRET."`
	API        string        `name:"api" placeholder:"ADDRESS" help:"Be a fake Garmin on this address, and check the callbacks."`
	Deliveries string        `placeholder:"FILE|URL" help:"What lists what is stored, to check that all is."`
	User       []string      `placeholder:"ID" help:"A user that the endpoint knows; give two."`
	Users      string        `type:"path" placeholder:"FILE" help:"Such users, a line each: the id, and with -api a space and the access token."`
	JUnit      string        `name:"junit" placeholder:"FILE" help:"Write the report as JUnit XML too."`
	Dossier    []string      `type:"path" placeholder:"FILE" help:"Write what Garmin's review asks, in its order, to this file: .txt, .json, .xml (JUnit) or .html."`
	Wait       time.Duration `default:"10s" help:"How long to wait for a callback."`
	Small      bool          `help:"Leave the 10 MB and 100 MB bodies out."`
}

// Run tests the endpoint.
func (c *verifyCommand) Run(ctx context.Context, out *output) error {
	path, err := secret(pathSecret)
	if err != nil {
		return err
	}
	o := &verify.Options{API: c.API, JSON: out.json, JUnit: c.JUnit, Dossier: c.Dossier, Wait: c.Wait, Small: c.Small, Deliveries: c.Deliveries}
	for _, id := range c.User {
		o.Users = append(o.Users, &activitytest.UserOptions{ID: types.UserID(id)})
	}
	if c.Users != "" {
		listed, err := readUsers(c.Users)
		if err != nil {
			return err
		}
		o.Users = append(o.Users, listed...)
	}
	passed, err := verify.Run(ctx, withSecret(c.Endpoint, path), o, out.stdout, out.stderr)
	switch {
	case errors.Is(err, verify.ErrUsage):
		return usageError(err.Error())
	case err != nil:
		return err
	case !passed:
		return errFound
	}
	return nil
}

// readUsers reads a file of users, with or without their access tokens.
func readUsers(name string) (users []*activitytest.UserOptions, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usagef("-users: %v", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case len(words) > 2:
			return nil, usagef("-users: line %d has more than an id and a token", n)
		default:
			words = append(words, "")
			users = append(users, &activitytest.UserOptions{ID: types.UserID(words[0]), AccessToken: words[1]})
		}
	}
	return users, lines.Err()
}

// withSecret adds the path secret to the address of an endpoint: it replaces {secret}, or
// becomes the last segment.
func withSecret(endpoint string, path types.Secret) string {
	switch {
	case path == "":
		return endpoint
	case strings.Contains(endpoint, placeholder):
		return strings.ReplaceAll(endpoint, placeholder, string(path))
	}
	return strings.TrimRight(endpoint, "/") + "/" + string(path)
}

const placeholder = "{secret}"
