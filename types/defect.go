package types

import "fmt"

// Defect is a value that could not be read without loss, in an item that was
// otherwise readable. Its field is absent; the item's Raw still holds it.
type Defect struct {
	// Path leads to the value, such as "activityDetails[3].samples[17].heartRate".
	Path string
	// Offset is the number of bytes before the value, from the start of the text
	// that was decoded.
	Offset int64
	// Want says what the field holds, such as "an integer". Have says what was
	// there, such as "a string that holds no number". Neither contains the value.
	Want, Have string
}

// String returns one line without the value.
func (d Defect) String() string {
	return fmt.Sprintf("%s, at byte %d: want %s, have %s", d.Path, d.Offset, d.Want, d.Have)
}

// Defects lists the defects of one item.
type Defects struct {
	// First holds the first defects, at most 16.
	First []Defect
	// Count is the number of all defects, including those not in First.
	Count int
}

// String describes the first defect and counts the others.
func (d *Defects) String() string {
	switch {
	case d == nil || len(d.First) == 0:
		return ""
	case d.Count == 1:
		return d.First[0].String()
	}
	return fmt.Sprintf("%v, and %d more", d.First[0], d.Count-1)
}
