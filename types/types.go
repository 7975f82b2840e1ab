// Package types holds the data of the Garmin Activity API: one struct for each
// summary model, and the small types their fields are made of. It does no I/O.
//
// A summary is what Garmin sends about one activity. There are four models: the
// activity itself ([Activity]), the same after the user entered or edited it by
// hand ([ManualActivity]), its samples ([ActivityDetails]), and a span of movement
// that the watch detected by itself ([MoveIQ]). A fifth item, [ActivityFile],
// announces a file to download. Items reach a partner, the company that uses the
// API, in one of three ways:
//
//   - Push: Garmin POSTs the items.
//   - Ping: Garmin POSTs a callback URL, and the partner gets the items from it.
//   - Pull: the partner asks for the items of a period.
//
// The structs are the same in each case. [Summary] is the interface that the four
// models implement.
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
// Garmin's document, the Activity API specification, finds them. Section numbers
// in comments refer to it. The unit is in the name or in the comment. All times
// are UTC seconds. The offset beside a start time is the difference between the
// time that the user's watch showed and UTC. It can be up to a day in either
// direction, and is not a time zone.
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
//   - An [ID] may be a string or an integer. A number where another string is
//     expected is kept as the text that was sent.
//   - A flag may be true or false, 1 or 0, or one of these in a string.
//   - A list of strings may be one string, "[A, B]".
//
// Anything else is a [Defect]: 30.5 for an integer, an integer that does not fit
// into an int, NaN, a string that is not UTF-8, an object for a number, a number
// longer than 1,024 bytes. Nothing is rounded or cut. The field with the defect
// stays absent, and the other fields are still read. The item's Defects field says
// where the value was, and its Raw field holds it. In a list of objects, an element
// of another type is a defect and is left out. A list of strings that contains
// anything else is one defect as a whole.
//
// The values that identify an item must be readable: if a user id or a summary id
// cannot be read, the whole item is an error ([*DecodeError]).
//
// Keys must have exactly Garmin's spelling. If a key is repeated, the last one
// counts. Unknown keys are ignored. To see them, set the option KeepRaw of package
// activity or notify, which fills the Raw field.
package types
