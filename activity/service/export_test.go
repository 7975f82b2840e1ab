package service

// PartError and ErrRan are in no interface; the tests ask for them.
type PartError = partError

var ErrRan = errRan
