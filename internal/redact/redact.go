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
