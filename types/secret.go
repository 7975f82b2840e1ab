package types

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that must not be seen: a token, or a callback URL that
// holds one. Package fmt prints [REDACTED] for it whatever the verb, and so
// does log/slog. string(s) gives the value. As JSON it is the plain value,
// since notifications carry secrets and are stored.
//
// Package fmt cannot ask a Secret in an unexported field of a struct, nor one
// printed with %p, which go vet reports: give a struct that hides secrets its
// own Format or String method.
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
