package types

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that must not be shown: a token, or a callback URL that
// holds one. Packages fmt, with any verb, and log/slog print [REDACTED] in its
// place. string(s) gives the value. It marshals to JSON as the plain value, since
// notifications carry secrets and are stored.
//
// Package fmt cannot call methods of a Secret in an unexported struct field, nor
// for %p, which go vet reports. Give a struct with hidden secrets its own Format
// or String method.
type Secret string

const redacted = "[REDACTED]"

// String returns "[REDACTED]", or "" for the empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format implements [fmt.Formatter] for every verb.
func (s Secret) Format(f fmt.State, _ rune) {
	io.WriteString(f, s.String())
}

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value {
	return slog.StringValue(s.String())
}
