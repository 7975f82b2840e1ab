package activity

// CheckAddress is what the private transport asks before it dials.
var CheckAddress = checkAddress
