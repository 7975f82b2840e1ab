package auth

import (
	"fmt"
	"io"
)

// opaque is embedded in types that hold secrets in unexported fields, which
// package fmt would print: it does not call the methods of such fields, and with
// a wrong verb it follows pointers. Package log/slog prints by package fmt, or as
// JSON, which has no unexported fields.
type opaque struct{}

// Format implements [fmt.Formatter]: every verb prints [REDACTED].
func (opaque) Format(f fmt.State, _ rune) { io.WriteString(f, "[REDACTED]") }
