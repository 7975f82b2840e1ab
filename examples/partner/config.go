package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/types"
)

// config is what the application needs to start.
type config struct {
	dir      string // where everything is kept
	database string // the address of a PostgreSQL, or "" for a file in dir
	listen   string
	url      string // the public address, without a slash at its end
	days     int    // of history that may be asked for in a minute
	fake     bool   // with a Garmin of our own
	app      auth.App
	secret   string // a segment of the path at which Garmin notifies
	operator string // the password of the operator's pages
}

// minPassword is the shortest password that is taken, in bytes.
const minPassword = 12

// readConfig reads flags and environment. What is missing is an error and not
// an open door. No error has a secret in it.
func readConfig(args []string, getenv func(string) string) (*config, error) {
	c := &config{}
	flags := flag.NewFlagSet("partner", flag.ContinueOnError)
	flags.StringVar(&c.dir, "dir", "partner-data", "where everything is kept")
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "address to listen on; put a proxy with a certificate before it")
	flags.StringVar(&c.url, "url", "http://localhost:8080", "public https address of this program")
	flags.IntVar(&c.days, "days", backfill.Evaluation, "days of history that the key may ask for in a minute")
	flags.BoolVar(&c.fake, "fake", false, "start a fake Garmin inside, with users and a year of workouts; nothing is kept")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if c.fake {
		return c, nil // newFake makes up the rest
	}
	u, err := url.Parse(c.url)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("-url must be like https://me.example.com")
	}
	if c.days < 1 {
		return nil, errors.New("-days must be at least 1")
	}
	c.database = getenv("DATABASE_URL")
	c.app = auth.App{ClientID: getenv("GARMIN_KEY"), ClientSecret: types.Secret(getenv("GARMIN_SECRET"))}
	c.secret = getenv("GARMIN_PATH_SECRET")
	if c.operator = getenv("OPERATOR_PASSWORD"); len(c.operator) < minPassword {
		return nil, fmt.Errorf("OPERATOR_PASSWORD must have at least %d characters", minPassword)
	}
	return c, nil
}
