package auth

import (
	"fmt"
	"io"
	"log/slog"
)

// opaque is embedded in types that hold secrets in unexported fields, which
// package fmt would print: it does not call the methods of such fields.
type opaque struct{}

// Format implements [fmt.Formatter]: every verb prints [REDACTED].
func (opaque) Format(f fmt.State, _ rune) { io.WriteString(f, "[REDACTED]") }

// LogValue implements [slog.LogValuer].
func (opaque) LogValue() slog.Value { return slog.StringValue("[REDACTED]") }
