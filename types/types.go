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
// null counts as absent everywhere.
//
// # Tolerance
//
// Garmin's documents and its traffic disagree about types. An integer may
// arrive as 30.0 and a float as 30; an [ID] as a string or a number; a
// [Timestamp] with or without a fraction. Numbers are never cut: 30.5 for an
// integer field is an error ([*DecodeError]), not 30. Keys match in exactly
// Garmin's spelling, and the last of a repeated key counts, though each must be
// readable. Unknown keys are passed over; to keep them, ask the decoder for the
// Raw field. In strings, what is no valid UTF-8 becomes U+FFFD. An item whose
// values nest deeper than 16 is an error, and so is a number of more than 1,024
// bytes where the models want one.
package types
