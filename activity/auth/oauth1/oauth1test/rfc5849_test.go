package oauth1test

import (
	"encoding/base64"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples of RFC 5849, section 1.2.
func TestSignatureRFC5849(t *testing.T) {
	for _, test := range []struct{ method, url, header, tokenSecret string }{
		{"POST", "https://photos.example.net/initiate", `realm="Photos",
        oauth_consumer_key="dpf43f3p2l4k3l03",
        oauth_signature_method="HMAC-SHA1",
        oauth_timestamp="137131200",
        oauth_nonce="wIjqoS",
        oauth_callback="http%3A%2F%2Fprinter.example.com%2Fready",
        oauth_signature="74KNZJeDHnMBp0EMJ9ZHt%2FXKycU%3D"`, ""},
		{"POST", "https://photos.example.net/token", `realm="Photos",
        oauth_consumer_key="dpf43f3p2l4k3l03",
        oauth_token="hh5s93j4hdidpola",
        oauth_signature_method="HMAC-SHA1",
        oauth_timestamp="137131201",
        oauth_nonce="walatlh",
        oauth_verifier="hfdp7dh39dks9884",
        oauth_signature="gKgrFCywp7rO0OXSjdot%2FIHF7IU%3D"`, "hdhd0244k9j7ao03"},
		{"GET", "http://photos.example.net/photos?file=vacation.jpg&size=original", `realm="Photos",
        oauth_consumer_key="dpf43f3p2l4k3l03",
        oauth_token="nnch734d00sl2jdk",
        oauth_signature_method="HMAC-SHA1",
        oauth_timestamp="137131202",
        oauth_nonce="chapoH",
        oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"`, "pfkkdhi9sl3r4s00"},
	} {
		p, err := parseHeader(test.header)
		require.NoError(t, err)
		r := httptest.NewRequest(test.method, test.url, nil)
		require.NoError(t, readForm(r))
		got, err := signature(r, p, "kd94hf93k423kf44", test.tokenSecret)
		require.NoError(t, err)
		require.Equal(t, p["oauth_signature"], base64.StdEncoding.EncodeToString(got))
	}
}

// RFC 5849, section 3.4.1.2.
func TestBaseURI(t *testing.T) {
	for url, want := range map[string]string{
		"http://EXAMPLE.COM:80/r%20v/X?id=123":    "http://example.com/r%20v/X",
		"https://www.example.net:8080/?q=1":       "https://www.example.net:8080/",
		"https://apis.garmin.com:443/rest/a?b=%2": "https://apis.garmin.com/rest/a",
	} {
		require.Equal(t, want, baseURI(httptest.NewRequest("GET", url, nil)))
	}
}
