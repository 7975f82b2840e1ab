// Package types holds the data of the Garmin Activity API: one struct for each
// summary model, and the small types their fields are made of. It does no I/O.
//
// The same structs arrive in a push notification, from a ping's callback and
// from a pull; [Summary] is the interface that all of them fit.
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
// Field names are Garmin's JSON keys with a capital letter, so that a search
// in Garmin's document finds the field; the unit is in the name or in the
// comment. All times are UTC seconds. The offset beside a start time is what
// the user's watch showed, anywhere within a day of UTC, and not a time zone.
//
// # Absent values
//
// Garmin leaves a value out rather than sending null. A number is a pointer
// where zero is a real reading, such as 0 watts or a latitude of 0 degrees,
// and nil where it was absent. What Garmin always sends is a plain value.
// null counts as absent everywhere, in a list too: ["A", null] has one element.
//
// # Tolerance
//
// Garmin's documents and its traffic disagree about types, and both have
// changed. A value is read in whatever form it can be read without loss:
//
//   - A number may be written as 30, 30.0 or 3e1, or in a string as "30".
//   - An [ID] may be a string or an integer; any other string may be a number,
//     whose text it keeps.
//   - A flag may be true or false, 1 or 0, or one of these in a string.
//   - A list of strings may be one string, "[A, B]".
//
// Anything else is a [Defect]: 30.5 for an integer, an integer that an int does
// not hold, NaN, a string that is not UTF-8, an object for a number. Its field
// is absent and its neighbours are read all the same; the Defects of the item
// say where it was, and Raw has it. Nothing is rounded or cut. In a list of
// objects, what is no object is a defect and left out; a list of strings with
// something else in it is a defect as a whole.
//
// What tells one item from another must be readable: where a user id or a
// summary id is a defect, the whole item is an error ([*DecodeError]).
//
// Keys match in exactly Garmin's spelling, and the last of a repeated key
// counts. Unknown keys are passed over; to keep them, ask the decoder for the
// Raw field. A number of more than 1,024 bytes is a defect where the models want
// one.
package types
