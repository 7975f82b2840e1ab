package oauth1test

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // OAuth 1.0a has HMAC-SHA1
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is how far an OAuth 1.0a timestamp may be from the clock.
const maxSkew = 10 * time.Minute

// readHeader reads the header and the form of a signed request.
func readHeader(r *http.Request) (map[string]string, error) {
	if !signed(r) {
		return nil, errors.New(errNoAuth)
	}
	_, header, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	p, err := parseHeader(header)
	return p, cmp.Or(err, readForm(r))
}

// parseHeader reads the parameters of an "Authorization: OAuth" header, without
// the scheme (RFC 5849, section 3.5.1).
func parseHeader(header string) (map[string]string, error) {
	p := make(map[string]string)
	for part := range strings.SplitSeq(header, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
			return nil, errors.New("malformed OAuth header")
		}
		k, err1 := url.PathUnescape(key)
		v, err2 := url.PathUnescape(value[1 : len(value)-1])
		if err := cmp.Or(err1, err2); err != nil {
			return nil, err
		}
		if _, dup := p[k]; dup {
			return nil, errors.New("repeated OAuth parameter")
		}
		p[k] = v
	}
	return p, nil
}

// verify checks consumer, method, version, signature, timestamp and nonce. The
// caller holds g.mu.
func (g *Garmin) verify(r *http.Request, p map[string]string, tokenSecret string) error {
	switch {
	case p["oauth_consumer_key"] != g.fake.ClientID:
		return errors.New("Unknown consumer key")
	case p["oauth_signature_method"] != "HMAC-SHA1":
		return errors.New("Unsupported signature method")
	case p["oauth_version"] != "" && p["oauth_version"] != "1.0":
		return errors.New("Unsupported oauth_version")
	}
	want, err := signature(r, p, g.fake.ClientSecret, tokenSecret)
	if err != nil {
		return err
	}
	got, err := base64.StdEncoding.DecodeString(p["oauth_signature"])
	if err != nil || !hmac.Equal(got, want) {
		return errors.New("Invalid signature")
	}
	sec, err := strconv.ParseInt(p["oauth_timestamp"], 10, 64)
	if err != nil {
		return errors.New("Invalid timestamp")
	}
	now := time.Now()
	if age := now.Sub(time.Unix(sec, 0)); age > maxSkew || age < -maxSkew {
		return errors.New("Timestamp out of range")
	}
	nonce := p["oauth_token"] + " " + p["oauth_timestamp"] + " " + p["oauth_nonce"]
	if p["oauth_nonce"] == "" || !g.nonces[nonce].IsZero() {
		return errors.New("Nonce already used")
	}
	if len(g.nonces) > 10_000 {
		for n, t := range g.nonces {
			if now.Sub(t) > 2*maxSkew {
				delete(g.nonces, n)
			}
		}
	}
	g.nonces[nonce] = now
	return nil
}

// readForm fills r.PostForm. It refuses a form that cannot be signed.
func readForm(r *http.Request) error {
	r.PostForm = url.Values{}
	ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if ct != "application/x-www-form-urlencoded" {
		return nil
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.PostForm, err = url.ParseQuery(string(b))
	return err
}

// signature computes the HMAC-SHA1 of RFC 5849, section 3.4, over the
// query, r.PostForm and the OAuth parameters.
func signature(r *http.Request, oauth map[string]string, secret, tokenSecret string) ([]byte, error) {
	type pair struct{ k, v string }
	var params []pair
	add := func(q url.Values) {
		for k, vs := range q {
			for _, v := range vs {
				params = append(params, pair{escape(k), escape(v)})
			}
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errors.New("Malformed query")
	}
	add(query)
	add(r.PostForm)
	for k, v := range oauth {
		if k != "oauth_signature" && k != "realm" {
			params = append(params, pair{escape(k), escape(v)})
		}
	}
	slices.SortFunc(params, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.k, b.k), cmp.Compare(a.v, b.v))
	})
	var list []string
	for _, p := range params {
		list = append(list, p.k+"="+p.v)
	}
	base := strings.Join([]string{
		strings.ToUpper(r.Method), escape(baseURI(r)), escape(strings.Join(list, "&")),
	}, "&")
	mac := hmac.New(sha1.New, []byte(escape(secret)+"&"+escape(tokenSecret)))
	io.WriteString(mac, base)
	return mac.Sum(nil), nil
}

// baseURI is the URI of RFC 5849, section 3.4.1.2.
func baseURI(r *http.Request) string {
	scheme, port := "http", ":80"
	if r.TLS != nil || strings.EqualFold(r.URL.Scheme, "https") {
		scheme, port = "https", ":443"
	}
	host := strings.TrimSuffix(strings.ToLower(r.Host), port)
	path := r.URL.EscapedPath()
	return scheme + "://" + host + cmp.Or(path, "/")
}

// escape is the percent-encoding of RFC 5849, section 3.6.
func escape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}
