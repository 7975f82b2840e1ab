package notify

// What tests outside the package tell apart.
var (
	ErrBadFile      = errBadFile
	ErrSpent        = errSpent
	ErrItemTooLarge = errItemTooLarge
	ErrWrongUser    = errWrongUser
)

// DecodeItem is what a [Processor] reads an item with.
func (d *Decoder) DecodeItem(key string, raw []byte) (*Event, error) { return d.decodeItem(key, raw) }
