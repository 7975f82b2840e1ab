package oauth1_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/auth/oauth1"
	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

// The functions that begin with rfc are RFC 5849 written down from its text
// and from nothing else: they share no code with the client, the OAuth library
// or net/url.

// rfcEscape is section 3.6.
func rfcEscape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// rfcUnescape undoes the encoding of the header, or of a form, where '+' is a
// blank.
func rfcUnescape(s string, form bool) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+' && form:
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s):
			var c byte
			fmt.Sscanf(s[i+1:i+3], "%02x", &c)
			b = append(b, c)
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// rfcHeader is section 3.5.1.
func rfcHeader(header string) map[string]string {
	params := map[string]string{}
	for pair := range strings.SplitSeq(strings.TrimPrefix(header, "OAuth "), ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(pair), "=")
		params[rfcUnescape(k, false)] = rfcUnescape(strings.Trim(v, `"`), false)
	}
	return params
}

// rfcSignature is section 3.4: the signature of a request with this method,
// URL as it goes over the wire, and protocol parameters.
func rfcSignature(method, scheme, host, path, query string, oauth map[string]string, consumerSecret, tokenSecret string) string {
	// 3.4.1.2: the base string URI.
	host = strings.ToLower(host)
	if scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	} else {
		host = strings.TrimSuffix(host, ":443")
	}
	// 3.4.1.3: parameters of query and header, without realm and signature.
	var pairs [][2]string
	if query != "" {
		for pair := range strings.SplitSeq(query, "&") {
			k, v, _ := strings.Cut(pair, "=")
			pairs = append(pairs, [2]string{rfcEscape(rfcUnescape(k, true)), rfcEscape(rfcUnescape(v, true))})
		}
	}
	for k, v := range oauth {
		if k != "realm" && k != "oauth_signature" {
			pairs = append(pairs, [2]string{rfcEscape(k), rfcEscape(v)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	joined := make([]string, len(pairs))
	for i, p := range pairs {
		joined[i] = p[0] + "=" + p[1]
	}
	base := strings.ToUpper(method) + "&" + rfcEscape(scheme+"://"+host+path) + "&" + rfcEscape(strings.Join(joined, "&"))
	// 3.4.2: HMAC-SHA1.
	mac := hmac.New(sha1.New, []byte(rfcEscape(consumerSecret)+"&"+rfcEscape(tokenSecret)))
	mac.Write([]byte(base))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// TestReference holds the reference to the examples of RFC 5849: section 1.2,
// and the base string of section 3.4.1.1 as far as HMAC-SHA1 goes.
func TestReference(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, scheme, host, path, query, header, tokenSecret, want string }{
		{"POST", "https", "photos.example.net", "/initiate", "",
			`OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131200", oauth_nonce="wIjqoS", oauth_callback="http%3A%2F%2Fprinter.example.com%2Fready"`,
			"", "74KNZJeDHnMBp0EMJ9ZHt/XKycU="},
		{"POST", "https", "photos.example.net", "/token", "",
			`OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="hh5s93j4hdidpola", oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="walatlh", oauth_verifier="hfdp7dh39dks9884"`,
			"hdhd0244k9j7ao03", "gKgrFCywp7rO0OXSjdot/IHF7IU="},
		{"GET", "http", "photos.example.net", "/photos", "file=vacation.jpg&size=original",
			`OAuth realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk", oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH"`,
			"pfkkdhi9sl3r4s00", "MdpQcU8iPSUjWoN/UDMsK2sui9I="},
	} {
		require.Equal(t, test.want, rfcSignature(test.method, test.scheme, test.host, test.path, test.query, rfcHeader(test.header), "kd94hf93k423kf44", test.tokenSecret))
	}
	require.Equal(t, "%3D%253D+", strings.ReplaceAll(rfcEscape("=%3D "), "%20", "+"))
}

var signatures = flag.Int("signatures", 10_000, "requests whose OAuth 1.0a signature is compared to the reference")

// TestSignatures compares the signature of every kind of request, with
// whatever a key, token or callback may hold, to the reference.
func TestSignatures(t *testing.T) {
	t.Parallel()
	n := *signatures
	if testing.Short() {
		n = min(n, 2_000)
	}
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	r := rand.New(rand.NewPCG(5849, 1))
	text := func(alphabet string, max int) string {
		runes := []rune(alphabet)
		b := make([]rune, 1+r.IntN(max))
		for i := range b {
			b[i] = runes[r.IntN(len(runes))]
		}
		return string(b)
	}
	odd := unreserved + "+/= %&?#!*'()\"\\<>[]{}|^`@:,;$éπ世😀"
	value := func() string { // of a callback's parameter, as it may stand in a raw query
		var b strings.Builder
		for range 1 + r.IntN(20) {
			switch r.IntN(4) {
			case 0:
				fmt.Fprintf(&b, []string{"%%%02x", "%%%02X"}[r.IntN(2)], ' '+r.IntN(0x7f-' '))
			case 1:
				b.WriteByte("!$'()*+,=:@/?"[r.IntN(13)])
			default:
				b.WriteString(text(unreserved, 4))
			}
		}
		return b.String()
	}
	bases := []string{
		"https://apis.garmin.com/wellness-api/rest", "https://apis.garmin.com:443/wellness-api/rest/", "https://GATEWAY.example:8443/x-y/z~1",
		"http://127.0.0.1:8080/a", "http://[::1]:9090/rest", "http://localhost:80/rest", "https://host.example/a",
	}
	nonces := make(map[string]bool, n)
	for i := range n {
		key, secret := text(odd, 20), text(odd, 20)
		token := &auth.Token{AccessToken: types.Secret(text(odd, 20)), TokenSecret: types.Secret(text(odd, 20))}
		cred := oauth1.Credential(key, types.Secret(secret), token)
		w := &wire{}
		root := bases[r.IntN(len(bases))]
		opts := &activity.Options{BaseURL: root, Transport: w, MaxRetries: -1}
		root = strings.TrimSuffix(strings.ToLower(strings.NewReplacer(":443", "", ":80/", "/").Replace(root)), "/")
		c, err := newClient(cred, opts)
		require.NoError(t, err)
		ctx := context.Background()
		start := time.Unix(r.Int64N(4_000_000_000)+1, 0)
		window := types.Window{Start: start, End: start.Add(time.Duration(1+r.IntN(86400)) * time.Second)}
		kind := types.Kinds()[r.IntN(5)]
		address := root + "/" + resource.Of(kind)
		switch r.IntN(8) {
		case 0:
			c.UserID(ctx)
		case 1:
			c.Deregister(ctx)
		case 2:
			c.Backfill(ctx, []types.Kind{types.KindActivities, types.KindActivityDetails, types.KindMoveIQ}[r.IntN(3)], window)
		case 3:
			_, err = collect(c.MoveIQ(ctx, window, &activity.PullOptions{Token: types.Secret(text(odd, 30))}))
		case 4, 5:
			var f interface{ Close() error }
			if f, err = c.Download(ctx, types.Secret(root+"/activityFile?token="+value()+"&id="+value())); err == nil {
				f.Close()
			}
		default:
			if kind == types.KindActivityFiles {
				kind, address = types.KindActivities, root+"/activities"
			}
			_, err = collect(c.Follow(ctx, kind, types.Secret(fmt.Sprintf("%s?uploadEndTimeInSeconds=%d&token=%s&uploadStartTimeInSeconds=%d", address, window.End.Unix(), value(), window.Start.Unix()))))
		}
		require.NoError(t, err, "request %d", i)
		require.Len(t, w.requests, 1)
		got := w.requests[0]
		params := rfcHeader(got.Header.Get("Authorization"))
		// What goes over the wire, as net/http writes it.
		path, query, _ := strings.Cut(got.URL.RequestURI(), "?")
		want := rfcSignature(got.Method, got.URL.Scheme, got.URL.Host, path, query, params, secret, string(token.TokenSecret))
		if params["oauth_signature"] != want {
			t.Fatalf("request %d: %s %s: signature differs from the reference", i, got.Method, got.URL)
		}
		if params["oauth_consumer_key"] != key || params["oauth_token"] != string(token.AccessToken) ||
			params["oauth_signature_method"] != "HMAC-SHA1" || nonces[params["oauth_nonce"]] ||
			strings.Trim(params["oauth_nonce"], "0123456789abcdef") != "" {
			t.Fatalf("request %d: bad parameters", i)
		}
		nonces[params["oauth_nonce"]] = true
	}
}

// TestClientsShareNothing: clients made from one credential at once do
// not race, as those of one shared oauth1.Config without a Noncer do. It means
// something under -race.
func TestClientsShareNothing(t *testing.T) {
	t.Parallel()
	pool, err := activity.NewPool(&activity.Options{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		return answer(r, 200, `{"userId":"u"}`), nil
	})})
	require.NoError(t, err)
	cred := oauth1.Credential("k", "s", &auth.Token{AccessToken: "t", TokenSecret: "ts"})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			c, err := pool.Client(cred)
			if err == nil {
				_, err = c.UserID(context.Background())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// wire notes requests and answers with an empty list.
type wire struct{ requests []*http.Request }

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests = append(w.requests, r)
	return answer(r, 200, "[]"), nil
}

func newClient(cred activity.Credential, opts *activity.Options) (*activity.Client, error) {
	pool, err := activity.NewPool(opts)
	if err != nil {
		return nil, err
	}
	return pool.Client(cred)
}

// collect drains a list.
func collect[T any](seq iter.Seq2[T, error]) (items []T, err error) {
	for v, e := range seq {
		if e != nil {
			return items, e
		}
		items = append(items, v)
	}
	return items, nil
}
