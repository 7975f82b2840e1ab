package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/garminkit/activityapi/types"
)

// oracle reads a token file the plain way: all lines that are intact, the last
// of each user counts.
func oracle(b []byte) map[types.UserID]string {
	tokens := make(map[types.UserID]string)
	lines := strings.Split(string(b), "\n")
	for _, line := range lines[1 : len(lines)-1] { // the last one has no line feed
		sum, payload, _ := strings.Cut(line, " ")
		if sum != fmt.Sprintf("%08x", crc32.Checksum([]byte(payload), crc32.MakeTable(crc32.Castagnoli))) {
			continue
		}
		var r logRecord
		if json.Unmarshal([]byte(payload), &r) != nil || r.Version < 1 {
			continue
		}
		switch {
		case r.Token != nil && r.Token.UserID != "" && r.Gone == "":
			tokens[r.Token.UserID] = r.Token.AccessToken
		case r.Token == nil && r.Gone != "":
			delete(tokens, r.Gone)
		}
	}
	return tokens
}

// load reads b in pieces that end at the given places, as a store does that
// looks at a growing file. It reports false if b is no token file.
func load(b []byte, ends ...int) (map[types.UserID]string, bool) {
	f := &fileStore{logger: slog.New(slog.DiscardHandler)}
	seq, n, err := parseHeader(b, nil)
	if err != nil {
		return nil, false
	}
	f.reset(seq)
	f.size = int64(n)
	for _, end := range append(ends, len(b)) {
		if end = min(end, len(b)); int64(end) > f.size {
			f.size += int64(parseRecords(b[f.size:end], nil, f.apply))
		}
	}
	tokens := make(map[types.UserID]string)
	for user, e := range f.tokens {
		tokens[user] = string(e.token.AccessToken)
	}
	return tokens, true
}

func FuzzTokenFile(f *testing.F) {
	b := appendHeader(nil, nil, 7)
	f.Add(b, 0, 0)
	for i, r := range []*logRecord{
		{Version: 8, Token: &tokenFields{UserID: "a", AccessToken: "1"}},
		{Version: 9, Token: &tokenFields{UserID: "b", AccessToken: "2", Expiry: time.Unix(1, 0).UTC()}},
		{Version: 10, Gone: "a"},
		{Version: 11, Token: &tokenFields{UserID: "b", AccessToken: "3"}},
		{Version: 0, Gone: "b"},
		{Version: 12, Gone: "b", Token: &tokenFields{UserID: "c"}},
	} {
		b, _ = appendRecord(b, nil, r)
		f.Add(bytes.Clone(b), i, len(b)-i)
	}
	f.Add(append(bytes.Clone(b), "0000"...), 40, 90)
	f.Add(append(b, "00000000 {}\n\n\n"...), 40, 90)
	f.Fuzz(func(t *testing.T, b []byte, first, second int) {
		got, ok := load(b)
		if !ok {
			return
		}
		if want := oracle(b); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if pieces, _ := load(b, first, second); !maps.Equal(pieces, got) {
			t.Errorf("read in pieces %v, at once %v", pieces, got)
		}
	})
}

// FuzzTokenRecord makes whole lines, which FuzzTokenFile finds hardly ever:
// each has a checksum.
func FuzzTokenRecord(f *testing.F) {
	f.Add([]byte(`{"v":1,"token":{"user_id":"a","access_token":"x"}}`))
	f.Add([]byte(`{"v":2,"gone":"a"}`))
	f.Add([]byte(`{"v":2,"gone":"a","token":null}`))
	f.Add([]byte(`{"v":-2,"gone":"a"}`))
	f.Add([]byte(`{"v":1e2,"token":{"user_id":"a","expiry":"2026-11-23T00:00:00Z"}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		b := appendLine(appendHeader(nil, nil, 0), payload)
		got, ok := load(b)
		if !ok {
			t.Fatal("the header is fine")
		}
		if want := oracle(b); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// FuzzToken checks that a token is kept as it is, or refused.
func FuzzToken(f *testing.F) {
	f.Add("user", "access", "refresh", "", int64(1), int64(2))
	f.Add("user", "access", "", "secret", int64(0), int64(0))
	f.Fuzz(func(t *testing.T, user, access, refresh, secret string, expiry, refreshExpiry int64) {
		want := tokenFields{
			UserID: types.UserID(user), AccessToken: access, RefreshToken: refresh, TokenSecret: secret,
			Expiry: time.Unix(expiry, 0).UTC(), RefreshExpiry: time.Unix(refreshExpiry, 0).UTC(),
		}
		tok := want.token(3)
		b, err := tok.MarshalBinary()
		if err != nil {
			return // not UTF-8, or a year that RFC 3339 cannot write
		}
		got := Token{Version: 3}
		if err := got.UnmarshalBinary(b); (err != nil) != (user == "") {
			t.Fatal(err)
		}
		if user != "" && got != *tok {
			t.Errorf("%s became something else", b)
		}
	})
}
