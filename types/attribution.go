package types

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The texts that Garmin's API brand guidelines give for what a partner makes of
// the data. Show one wherever Garmin's data had a part in it, and none where it
// had not.
const (
	// DerivedAttribution is for what is computed from Garmin's data, alone or with
	// others': scores, predictions, advice, whatever a model writes.
	DerivedAttribution = "Insights derived in part from Garmin device-sourced data."
	// ChartAttribution is for a chart of Garmin's data.
	ChartAttribution = "This chart was created using data provided by Garmin devices."
)

// maxModel is how many characters the name of a model may have. Garmin's longest
// have about 40.
const maxModel = 64

// Attribution returns the text that Garmin's API brand guidelines ask for beside
// data of a device, made from the DeviceName of a summary or a file: "Garmin"
// and the model, as in "Garmin Forerunner 965", or "Garmin" alone if the model
// is not known. It belongs under the title of what is shown, on every page that
// shows it, and into every file that is exported.
//
// Garmin's devices write their names in many ways. What comes back has "Garmin"
// once and in front, single spaces, and no signs but those that names of models
// have; a name that is no model, such as "unknown", "Garmin Connect" or that of
// another maker, becomes "Garmin". No name is made up: letters stay as they
// came, but in the names of series, such as "forerunner935".
func Attribution(deviceName string) string {
	if m := model(deviceName); m != "" {
		return "Garmin " + m
	}
	return "Garmin"
}

// model returns the name of a model without the maker, or "".
func model(name string) string {
	if len(name) > 16*maxModel || !utf8.ValidString(name) {
		return ""
	}
	// What one pass takes away may bare what the next has to.
	for next := clean(name); next != name; next = clean(name) {
		name = next
	}
	first, _, _ := strings.Cut(name, " ")
	if utf8.RuneCountInString(name) > maxModel || !strings.ContainsFunc(name, isLetterOrDigit) ||
		noModel(name) || otherMaker(first) {
		return ""
	}
	return name
}

// clean takes one layer off a name. It ends with a name that it does not change:
// every pass makes the name shorter or sets a series apart from its number.
func clean(name string) string {
	name = withoutMaker(strings.Map(inModel, name))
	name = strings.Trim(strings.Join(strings.Fields(name), " "), " -+.,/&'")
	first, rest, _ := strings.Cut(name, " ")
	if strings.EqualFold(first, "garmi") { // seen so
		first = ""
	}
	return strings.TrimSpace(series(first) + " " + rest)
}

func isLetterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// inModel keeps what names of models are made of, makes a space of the rest and
// leaves marks of trade out.
func inModel(r rune) rune {
	switch {
	case r == '®' || r == '™' || r == '©':
		return -1
	case isLetterOrDigit(r) || unicode.Is(unicode.Mn, r) || strings.ContainsRune("-+.,/()&'", r):
		return r
	}
	return ' '
}

// withoutMaker takes the word Garmin out, in any case and also within a word.
func withoutMaker(name string) string {
	const maker = "garmin"
	for i := 0; i+len(maker) <= len(name); {
		if strings.EqualFold(name[i:i+len(maker)], maker) {
			name = name[:i] + " " + name[i+len(maker):]
			i = 0
			continue
		}
		i++
	}
	return name
}

// noModel reports whether a name stands for no device.
func noModel(name string) bool {
	switch strings.ToLower(name) {
	case "unknown", "unknown device", "undefined", "null", "none", "nil", "n/a", "na", "other", "device",
		"connect", "connect mobile", "connect web", "manual", "test device":
		return true
	}
	return false
}

// otherMaker reports whether a name begins with a maker whose files people
// upload to Garmin Connect.
func otherMaker(first string) bool {
	switch strings.ToLower(first) {
	case "apple", "bryton", "coros", "fitbit", "hammerhead", "huawei", "iphone", "peloton", "polar", "samsung",
		"sigma", "strava", "suunto", "wahoo", "zwift", "xiaomi":
		return true
	}
	return false
}

// series writes the name of a series as Garmin's devices mostly do, and apart
// from the number that follows it: "FORERUNNER935" is "Forerunner 935".
func series(word string) string {
	for _, s := range [...]string{
		"Approach", "Descent", "Edge", "Enduro", "Forerunner", "Instinct", "Lily", "Venu",
		"epix", "fenix", "quatix", "tactix", "vivoactive", "vivofit", "vivomove", "vivosmart", "vivosport",
	} {
		if len(word) < len(s) || !strings.EqualFold(word[:len(s)], s) {
			continue
		}
		number := word[len(s):]
		switch {
		case number == "":
			return s
		case number[0] >= '0' && number[0] <= '9':
			return s + " " + number
		}
	}
	return word
}
