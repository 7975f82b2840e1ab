package activitytype

import (
	"slices"
	"strings"
)

// platform translates between Garmin's types and the values of another
// platform. Each canonical type is in exact or in to, and each value of the
// platform is in exact or in from, once: a test counts.
type platform[V comparable] struct {
	exact []pair[V] // the same activity, both ways
	to    []pair[V] // types that the platform has no value for, and the nearest
	from  []pair[V] // values that Garmin has no type for, and the nearest
}

type pair[V comparable] struct {
	typ   Type
	value V
}

// value returns the platform's value for t. An unknown type gets the value of its
// group's generic type.
func (p *platform[V]) value(t Type) (v V, exact bool) {
	known := t.Known()
	if known {
		t = t.Canonical()
	} else {
		t = t.generic()
	}
	for i := range p.exact {
		if p.exact[i].typ == t {
			return p.exact[i].value, known
		}
	}
	for i := range p.to {
		if p.to[i].typ == t {
			return p.to[i].value, false
		}
	}
	return v, false
}

// typ returns Garmin's type for v, or false if the tables do not have it.
func (p *platform[V]) typ(v V) (t Type, exact, ok bool) {
	for i := range p.exact {
		if p.exact[i].value == v {
			return p.exact[i].typ, true, true
		}
	}
	for i := range p.from {
		if p.from[i].value == v {
			return p.from[i].typ, false, true
		}
	}
	return Other, false, false
}

// generic guesses the group of an unknown type from the last telling word of its
// name: MOON_RUNNING_V3 is a kind of Running.
func (t Type) generic() Type {
	words := strings.FieldsFunc(strings.ToUpper(string(t)), func(r rune) bool {
		return r == '_' || r == ' ' || r == '-' || r == '/'
	})
	for _, word := range slices.Backward(words) {
		switch word {
		case "RUN", "RUNNING":
			return Running
		case "CYCLING", "BIKING", "BIKE", "RIDE", "RIDING", "MTB":
			return Cycling
		case "SWIM", "SWIMMING":
			return Swimming
		case "WALK", "WALKING":
			return Walking
		case "HIKE", "HIKING":
			return Hiking
		case "SKI", "SKIING", "SNOWBOARD", "SNOWBOARDING", "SNOW", "WINTER":
			return WinterSports
		case "ROWING", "PADDLING", "KAYAKING", "CANOEING", "SAILING", "SURFING", "WATER":
			return WaterSports
		case "GYM", "FITNESS", "TRAINING":
			return FitnessEquipment
		case "WHEELCHAIR", "PARA":
			return ParaSports
		case "TRANSITION":
			return Transition
		case "TENNIS", "RACKET":
			return RacketSports
		case "TEAM", "FOOTBALL", "HOCKEY":
			return TeamSports
		case "MULTISPORT":
			return MultiSport
		}
	}
	return Other
}
