package main

import (
	"errors"
	"log/slog"
	"net/url"
	"strings"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
)

// elsewhere leads everything that goes to Garmin's hosts to a fake at one address,
// such as examples/fakegarmin. Close its Pool.
func elsewhere(address string, log *slog.Logger) (*auth.Options, error) {
	address = strings.TrimSuffix(address, "/")
	if err := checkGarmin(address); err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	pool, err := activity.NewPool(&activity.Options{BaseURL: address + "/wellness-api/rest", PlainHTTPHost: u.Hostname()})
	if err != nil {
		return nil, err
	}
	return &auth.Options{Pool: pool, Logger: log, BaseURL: address, PlainHTTPHost: u.Hostname()}, nil
}

// checkGarmin demands an address without a path. "" is Garmin's own.
func checkGarmin(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("-garmin must be like http://127.0.0.1:9000")
	}
	return nil
}
