// Package redact takes secrets out of texts.
//
// A text from the network, or a callback's error, may repeat a secret in another
// form than the request had it: percent-decoded, encoded once more, as JSON or
// HTML write it.
package redact

import "strings"

// Mark stands where a secret was.
const Mark = "[REDACTED]"

// Text returns s without a secret, however that is escaped in it. Empty ones are
// none, and of those with fewer than four bytes only the form as given is found.
func Text(s, secret string) string {
	if s == "" || secret == "" {
		return s
	}
	return escaped(strings.ReplaceAll(s, secret, Mark), unescapeAll(secret))
}

// Cut returns s without the beginning of a secret at its end, however that is escaped
// in it. It is for a text that may have been cut off inside of a secret, which Text
// would not find. Fewer than four bytes of a secret stay.
func Cut(s, secret string) string {
	secret = plus(unescapeAll(secret))
	u, end := unescapedOf(s), len(s)
	for range rounds + 1 {
		text := plus(u.text)
		for to := len(text); to > 0 && to >= len(text)-longest; to-- {
			// It may have been cut off inside of an escape, too.
			if to < len(text) && !halfEscape.MatchString(text[to:]) {
				continue
			}
			if n := begun(text[:to], secret); n > 0 {
				end = min(end, u.from[to-n])
			}
		}
		if !u.next() {
			break
		}
	}
	return s[:end]
}

// begun returns how much of a secret a text ends with, if that is more than nothing
// to speak of and less than all.
func begun(text, secret string) int {
	for n := min(len(text), len(secret)-1); n >= 4; n-- {
		if strings.HasSuffix(text, secret[:n]) {
			return n
		}
	}
	return 0
}
