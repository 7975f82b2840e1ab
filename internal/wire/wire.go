// Package wire stores what package jsonscan reads in the structs of package
// types. All of it but this file is generated from them.
package wire

import (
	"github.com/garminkit/activityapi/internal/jsonscan"
	"github.com/garminkit/activityapi/types"
)

//go:generate go run ./wiregen

// Target returns the target that stores in v, a pointer to one of the models of
// package types, or nil if it is none.
func Target(v any) jsonscan.Target {
	switch v := v.(type) {
	case *types.Activity:
		return (*activity)(v)
	case *types.ManualActivity:
		return (*manualActivity)(v)
	case *types.ActivityDetails:
		return (*activityDetails)(v)
	case *types.MoveIQ:
		return (*moveIQ)(v)
	case *types.ActivityFile:
		return (*activityFile)(v)
	}
	return nil
}

// Sample stores in a sample that a list has not.
func Sample(s *types.Sample, v *jsonscan.Values, a *jsonscan.Arena) { (*sample)(s).Store(v, a) }
