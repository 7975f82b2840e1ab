package recording

import (
	"net/url"
	"slices"
	"strings"
)

// url disguises a callback URL. What is not one of Garmin's is a text like any.
func (d *disguise) url(s string) string {
	head, query, _ := strings.Cut(s, "?")
	for _, host := range []string{"https://apis.garmin.com", "https://healthapi.garmin.com"} {
		path, ok := strings.CutPrefix(head, host)
		if ok && apiPath(path) {
			if query == "" {
				return head
			}
			return head + "?" + d.query(query)
		}
	}
	return d.text(s)
}

// tokens are the parameters whose values are crossed out.
var tokens = []string{"token", "code", "state", "code_challenge", "code_verifier", "oauth_token", "oauth_verifier"}

// query disguises the parameters of a request, in their order.
func (d *disguise) query(raw string) string {
	var parts []string
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, has := strings.Cut(part, "=")
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		switch {
		case slices.Contains(tokens, key):
			value = strings.Repeat("x", len(value))
		case key == "id":
			value = d.text(value)
		case key == "uploadStartTimeInSeconds", key == "uploadEndTimeInSeconds", key == "summaryStartTimeInSeconds", key == "summaryEndTimeInSeconds":
			value = d.moment(value)
		case key == "client_id", key == "redirect_uri", key == "response_type", key == "code_challenge_method":
			value = d.text(value)
		default:
			if k, err := url.QueryUnescape(key); err == nil {
				key = k
			}
			key, value = url.QueryEscape(d.text(key)), d.text(value)
		}
		if part = key; has {
			part += "=" + url.QueryEscape(value)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "&")
}

// moment moves a time that came as text.
func (d *disguise) moment(s string) string {
	if digits(s) && len(s) <= 14 {
		return d.time(s)
	}
	return d.text(s)
}
