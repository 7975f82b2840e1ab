package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
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
	garmin   string // the address of a fake that is another program, or ""
	app      auth.App
	secret   string // a segment of the path at which Garmin notifies
	operator string // the password of the operator's pages
}

// minPassword is the shortest password that is taken, in bytes.
const minPassword = 12

// readConfig reads flags and environment. What is missing or cannot be right is an
// error, which names the setting and has no secret in it; all of them are said at
// once.
func readConfig(args []string, getenv func(string) string) (*config, error) {
	c := &config{}
	flags := flag.NewFlagSet("partner", flag.ContinueOnError)
	flags.StringVar(&c.dir, "dir", "partner-data", "where everything is kept")
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "address to listen on; put a proxy with a certificate before it")
	flags.StringVar(&c.url, "url", "http://localhost:8080", "public https address of this program")
	flags.IntVar(&c.days, "days", backfill.Evaluation, "days of history that the key may ask for in a minute")
	flags.BoolVar(&c.fake, "fake", false, "start a fake Garmin inside, with users and a year of workouts; nothing is kept")
	flags.StringVar(&c.garmin, "garmin", "", "base URL of a fake Garmin to use in place of the real one, as of examples/fakegarmin")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "Settings, besides GARMIN_KEY, GARMIN_SECRET, GARMIN_PATH_SECRET, OPERATOR_PASSWORD and DATABASE_URL of the environment:")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is no setting: see -help", flags.Arg(0))
	}
	if c.fake && c.garmin != "" {
		return nil, errors.New("-fake and -garmin do not go together")
	}
	if c.fake {
		return c, nil // newFake makes up the rest
	}
	c.database = getenv("DATABASE_URL")
	c.app = auth.App{ClientID: getenv("GARMIN_KEY"), ClientSecret: types.Secret(getenv("GARMIN_SECRET"))}
	c.secret = getenv("GARMIN_PATH_SECRET")
	c.operator = getenv("OPERATOR_PASSWORD")
	if err := errors.Join(
		checkURL(c.url),
		checkGarmin(c.garmin),
		checkDays(c.days),
		checkKey("GARMIN_KEY", c.app.ClientID),
		checkKey("GARMIN_SECRET", string(c.app.ClientSecret)),
		checkPathSecret(c.secret),
		checkPassword(c.operator),
	); err != nil {
		return nil, err
	}
	return c, nil
}

// checkURL demands an address that browsers and Garmin can use: https, or this
// machine to try things out on.
func checkURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("-url must be like https://me.example.com")
	}
	if u.Scheme == "http" && !isLocal(u.Hostname()) {
		return fmt.Errorf("-url must begin with https: Garmin and browsers would send secrets to %s in the open", u.Host)
	}
	return nil
}

// isLocal tells whether a host is this machine.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func checkDays(days int) error {
	if days < 1 {
		return errors.New("-days must be at least 1")
	}
	return nil
}

func checkKey(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s is not set: Garmin's developer portal gives it", name)
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("%s has a space or another character that none has", name)
	}
	return nil
}

func checkPathSecret(secret string) error {
	if _, err := notify.PathSecret(secret, ""); err != nil {
		return fmt.Errorf("GARMIN_PATH_SECRET: %w; openssl rand -hex 16 makes one", err)
	}
	return nil
}

func checkPassword(password string) error {
	if len(password) < minPassword {
		return fmt.Errorf("OPERATOR_PASSWORD must have at least %d characters", minPassword)
	}
	return nil
}

// makeDir makes the directory in which everything is kept.
func (c *config) makeDir() error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	f, err := os.CreateTemp(c.dir, ".try")
	if err != nil {
		return fmt.Errorf("-dir: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(filepath.Clean(f.Name())))
}
