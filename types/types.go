// Package types holds the data of the Garmin Activity API: one struct for each
// summary model, and the small types their fields are made of. It does no I/O.
//
// Pushes, ping callbacks and pulls all use the same structs. [Summary] is the
// interface that all of them implement.
//
//	switch s := s.(type) {
//	case *types.Activity:
//		fmt.Println(" ", s.ActivityType.Name())
//	case *types.ManualActivity:
//		fmt.Println(" ", s.ActivityType.Name(), "edited by hand")
//	case *types.ActivityDetails:
//		fmt.Println("  samples:", len(s.Samples))
//	case *types.MoveIQ:
//		fmt.Println("  detected:", s.ActivityType)
//	}
//
// # Names and units
//
// Field names are Garmin's JSON keys with an initial capital, so that a search in
// Garmin's document finds them. The unit is in the name or in the comment. All
// times are UTC seconds. The offset beside a start time is the one the user's
// watch showed. It may be up to a day either way, and is not a time zone.
//
// # Absent values
//
// Garmin omits a value rather than sending null. A number is a pointer if zero is
// a real reading, such as 0 watts or a latitude of 0 degrees; nil means absent.
// Values that Garmin always sends are plain. null counts as absent everywhere,
// even in a list: ["A", null] has one element.
//
// # Tolerance
//
// Garmin's documents and its traffic disagree about types, and both have changed.
// A value is accepted in any form that can be read without loss:
//
//   - A number may be written as 30, 30.0 or 3e1, or in a string as "30".
//   - An [ID] may be a string or an integer. Any other string may be a number,
//     and keeps its text.
//   - A flag may be true or false, 1 or 0, or one of these in a string.
//   - A list of strings may be one string, "[A, B]".
//
// Anything else is a [Defect]: 30.5 for an integer, an integer that an int does
// not hold, NaN, a string that is not UTF-8, an object for a number. Its field
// stays absent and the other fields are still read. The item's Defects say where
// the value was, and its Raw holds it. Nothing is rounded or cut. In a list of
// objects, an element of another type is a defect and is left out; a list of
// strings that contains anything else is one defect as a whole.
//
// The values that identify an item must be readable: if a user id or a summary id
// is a defect, the whole item is an error ([*DecodeError]).
//
// Keys must have exactly Garmin's spelling; if a key is repeated, the last one
// counts. Unknown keys are ignored; to keep them, ask the decoder for the Raw
// field. A number longer than 1,024 bytes is a defect.
package types
