package junit_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/junit"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	require.NoError(t, junit.Write(&b, &junit.Suite{
		Name: `a "suite"`, Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Seconds: 1.5,
		Cases: []junit.Case{
			{Class: "c", Name: "passes", Seconds: 0.1234, Out: "<found>"},
			{Class: "c", Name: "fails", Failure: new("so & so")},
			{Class: "c", Name: "waits", Skipped: new("")},
		},
	}))
	require.Equal(t, `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="a &#34;suite&#34;" tests="3" failures="1" skipped="1" errors="0" time="1.500" timestamp="2026-01-02T03:04:05">
  <testcase classname="c" name="passes" time="0.123">
    <system-out>&lt;found&gt;</system-out>
  </testcase>
  <testcase classname="c" name="fails" time="0.000">
    <failure message="so &amp; so"></failure>
  </testcase>
  <testcase classname="c" name="waits" time="0.000">
    <skipped message=""></skipped>
  </testcase>
</testsuite>
`, b.String())
}

// full is a writer with room for so many writes.
type full int

func (f *full) Write(p []byte) (int, error) {
	if *f--; *f < 0 {
		return 0, errors.New("full")
	}
	return len(p), nil
}

func TestWriteFails(t *testing.T) {
	t.Parallel()
	for room := range full(3) {
		require.Error(t, junit.Write(new(room), &junit.Suite{}), "room for %d", room)
	}
}
