package types

import "fmt"

// DecodeError tells where JSON from Garmin could not be read.
type DecodeError struct {
	// Offset counts the bytes before the offending value, from the start of
	// the text that was decoded.
	Offset int64
	// Path leads to the value, such as "activityDetails[3].samples[17].heartRate".
	// It is empty for the text as a whole.
	Path string
	// Err is the cause. It is [io.ErrUnexpectedEOF] if the text was cut short.
	Err error
}

// Error returns one line with the place and the cause, and none of the data.
func (e *DecodeError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("at byte %d: %v", e.Offset, e.Err)
	}
	return fmt.Sprintf("%s, at byte %d: %v", e.Path, e.Offset, e.Err)
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }
