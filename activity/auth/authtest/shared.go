package authtest

import (
	"errors"
	"testing"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
)

func survivesKill(t *testing.T, open func() auth.TokenStore, kill func(auth.TokenStore)) {
	s := open()
	one := put(t, s, nil, token("u", 1))
	two := put(t, s, one, token("u", 2))
	gone := put(t, s, nil, token("gone", 1))
	must(t, swap(s, gone, nil))
	kill(s)
	s = open()
	same(t, get(t, s, "u"), two)
	if _, err := s.Token(t.Context(), "gone"); !errors.Is(err, auth.ErrNotConnected) {
		t.Errorf("token removed before the kill: err = %v, want ErrNotConnected", err)
	}
	conflict(t, s, one, token("u", 3))
	put(t, s, two, token("u", 3))
	dueIs(t, s, token("u", 3).RefreshExpiry.Add(time.Second), "u")
}

func versionsSurviveKill(t *testing.T, open func() auth.TokenStore, kill func(auth.TokenStore)) {
	seen := make(map[int64]bool)
	for i := range 4 {
		s := open()
		one := put(t, s, nil, token("u", i))
		if seen[one.Version] {
			t.Fatalf("version %d given out twice", one.Version)
		}
		seen[one.Version] = true
		must(t, swap(s, one, nil))
		kill(s)
	}
}

// paused is a process that slept while others went on.
func paused(t *testing.T, open func() auth.TokenStore, kill func(auth.TokenStore)) {
	a := open()
	one := put(t, a, nil, token("u", 1))
	kill(a)
	b := open()
	two := put(t, b, one, token("u", 2))
	if _, err := a.Swap(t.Context(), one, token("u", 3)); err == nil {
		t.Error("a handle that was paused swapped a token that is no longer stored")
	}
	same(t, get(t, b, "u"), two)
}

func seesTheOther(t *testing.T, open func() auth.TokenStore, _ func(auth.TokenStore)) {
	a, b := open(), open()
	one := put(t, a, nil, token("u", 1))
	same(t, get(t, b, "u"), one)
	two := put(t, b, one, token("u", 2))
	same(t, get(t, a, "u"), two)
	conflict(t, a, one, token("u", 3))
	must(t, swap(b, two, nil))
	if _, err := a.Token(t.Context(), "u"); !errors.Is(err, auth.ErrNotConnected) {
		t.Errorf("token removed by the other: err = %v, want ErrNotConnected", err)
	}
}

func dueOfTheOther(t *testing.T, open func() auth.TokenStore, _ func(auth.TokenStore)) {
	a, b := open(), open()
	one := put(t, a, nil, token("u", 1))
	before := one.RefreshExpiry.Add(time.Second)
	dueIs(t, b, before, "u")
	two := put(t, b, one, token("u", 5))
	dueIs(t, a, before)
	must(t, swap(a, two, nil))
	dueIs(t, b, before.AddDate(1, 0, 0))
}
