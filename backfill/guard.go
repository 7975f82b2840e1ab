package backfill

import "fmt"

// guard calls f, which runs code that is not ours, in a goroutine that is. A
// panic becomes an error: it would end the process, and nobody but this package
// could prevent that. The error names the type of the panic's value and never
// the value, which may quote a token.
func guard(what string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("backfill: panic in %s (%T)", what, v)
		}
	}()
	return f()
}
