package notify

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// OriginCheck tells whether a request may come from Garmin. It looks at the
// headers and the address, never at the body, and must be safe for concurrent
// use. Garmin signs nothing, so each check is weak on its own: combine them in
// [Options].Origin, where every one must agree.
//
// The constructors below refuse an empty value. An unset environment variable
// so stops the program at its start and opens no door.
type OriginCheck func(r *http.Request) bool

// minSecret is the shortest path secret that is taken, in characters.
const minSecret = 16

// PathSecret demands that one segment of the request's path is a secret:
// register https://partner.example/garmin/<secret> with Garmin, whose portal
// drops query parameters. During a rotation previous is taken too; "" means
// that there is none. The comparison takes the same time for any wrong guess.
//
// A secret has at least 16 characters of A–Z, a–z, 0–9 and "-._~". Keep it out
// of access logs. No error, log line or hook of this package holds it.
func PathSecret(current, previous string) (OriginCheck, error) {
	if err := checkSecret(current); err != nil {
		return nil, fmt.Errorf("notify: current path secret: %w", err)
	}
	want := [][sha256.Size]byte{sha256.Sum256([]byte(current))}
	if previous != "" {
		if err := checkSecret(previous); err != nil {
			return nil, fmt.Errorf("notify: previous path secret: %w", err)
		}
		want = append(want, sha256.Sum256([]byte(previous)))
	}
	return func(r *http.Request) bool {
		ok := 0
		for segment := range strings.SplitSeq(r.URL.Path, "/") {
			have := sha256.Sum256([]byte(segment))
			for i := range want {
				ok |= subtle.ConstantTimeCompare(have[:], want[i][:])
			}
		}
		return ok == 1
	}, nil
}

func checkSecret(s string) error {
	if len(s) < minSecret {
		return fmt.Errorf("%d characters, want at least %d", len(s), minSecret)
	}
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0) {
			return errors.New("a character that a URL path would escape")
		}
	}
	return nil
}

// ClientID demands the header garmin-client-id with exactly this value, once.
// The id is public (it stands in every consent URL), so the check keeps strays
// out and nobody else.
func ClientID(id string) (OriginCheck, error) {
	if id == "" {
		return nil, errors.New("notify: empty client id")
	}
	want := sha256.Sum256([]byte(id))
	return func(r *http.Request) bool {
		values := r.Header.Values("Garmin-Client-Id")
		if len(values) != 1 {
			return false
		}
		have := sha256.Sum256([]byte(values[0]))
		return subtle.ConstantTimeCompare(have[:], want[:]) == 1
	}, nil
}

// Addresses demands that the sender's address lies in one of the allowed
// prefixes. Garmin publishes no list of its addresses and may change them: use
// it for a private network or a gateway of your own.
//
// X-Forwarded-For counts only when the connection comes from one of the
// trustedProxies; the sender is then the last address in it that is no trusted
// proxy. Without proxies it is the connection's own.
func Addresses(allowed, trustedProxies []netip.Prefix) (OriginCheck, error) {
	if len(allowed) == 0 {
		return nil, errors.New("notify: empty address list")
	}
	allow, err := maskAll(allowed)
	if err != nil {
		return nil, err
	}
	proxies, err := maskAll(trustedProxies)
	if err != nil {
		return nil, err
	}
	return func(r *http.Request) bool {
		sender, ok := senderOf(r, proxies)
		return ok && contains(allow, sender)
	}, nil
}

// maskAll copies the prefixes and refuses those that would match nothing.
func maskAll(prefixes []netip.Prefix) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, p := range prefixes {
		if !p.IsValid() || p.Addr().Is4In6() {
			return nil, fmt.Errorf("notify: bad address prefix %v", p)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// senderOf walks back from the connection through the trusted proxies.
func senderOf(r *http.Request, proxies []netip.Prefix) (netip.Addr, bool) {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	sender := ap.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && contains(proxies, sender); i-- {
		hop := strings.TrimSpace(hops[i])
		if hop == "" && len(hops) == 1 {
			break
		}
		a, err := netip.ParseAddr(hop)
		if err != nil {
			return netip.Addr{}, false
		}
		sender = a.Unmap().WithZone("")
	}
	return sender, true
}
