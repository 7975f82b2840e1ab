package auth_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/types"
)

// bigToken is as large as Garmin's: a JWT of 1.2 kB and a refresh token.
func bigToken(user types.UserID, n int) *auth.Token {
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	return &auth.Token{
		UserID:        user,
		AccessToken:   types.Secret(fmt.Sprint(n) + strings.Repeat("a", 1200)),
		RefreshToken:  types.Secret(fmt.Sprint(n) + strings.Repeat("r", 300)),
		Expiry:        at,
		RefreshExpiry: at.AddDate(0, 0, 90),
	}
}

func userID(i int) types.UserID {
	return types.UserID(fmt.Sprintf("%08x-2427-c251-df9c-9592d0c06768", i))
}

// fillFile makes a token file of n users.
func fillFile(t testing.TB, path string, n int) auth.TokenStore {
	t.Helper()
	s := openFile(t, path, nil)
	for i := range n {
		_, err := s.Swap(t.Context(), nil, bigToken(userID(i), 0))
		require.NoError(t, err)
	}
	return s
}

func BenchmarkFileStoreToken(b *testing.B) {
	s := fillFile(b, tokenPath(b), 1000)
	for b.Loop() {
		if _, err := s.Token(b.Context(), userID(500)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFileStoreSwap(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint("users=", n), func(b *testing.B) {
			s := fillFile(b, tokenPath(b), n)
			var worst time.Duration // with a rewrite of the file, if there is one
			for b.Loop() {
				start := time.Now()
				old, err := s.Token(b.Context(), userID(7))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Swap(b.Context(), old, bigToken(userID(7), 1)); err != nil {
					b.Fatal(err)
				}
				worst = max(worst, time.Since(start))
			}
			b.ReportMetric(float64(worst)/1e6, "worst-ms")
		})
	}
}

func BenchmarkFileStoreSwapParallel(b *testing.B) {
	s := fillFile(b, tokenPath(b), 1000)
	b.SetParallelism(32)
	var next atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		user := userID(int(next.Add(1)))
		for pb.Next() {
			old, err := s.Token(b.Context(), user)
			if err == nil {
				_, err = s.Swap(b.Context(), old, bigToken(user, 1))
			}
			if err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkFileStoreOpen(b *testing.B) {
	path := tokenPath(b)
	fillFile(b, path, 10_000)
	info, err := os.Stat(path)
	require.NoError(b, err)
	b.SetBytes(info.Size())
	for b.Loop() {
		openFile(b, path, nil)
	}
}
