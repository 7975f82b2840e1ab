package types

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The texts that Garmin's API brand guidelines give for results derived from the
// data. Show one wherever Garmin's data was used, and none elsewhere.
const (
	// DerivedAttribution is for anything computed from Garmin's data, alone or
	// combined with other data: scores, predictions, advice, the output of a
	// model.
	DerivedAttribution = "Insights derived in part from Garmin device-sourced data."
	// ChartAttribution is for a chart of Garmin's data.
	ChartAttribution = "This chart was created using data provided by Garmin devices."
)

// maxModel is the maximum length of a model name in characters. Garmin's longest
// have about 40.
const maxModel = 64

// Attribution returns the text that Garmin's API brand guidelines require beside
// data from a device, given the DeviceName of a summary or a file: "Garmin" and
// the model, as in "Garmin Forerunner 965", or "Garmin" alone if the model is
// unknown. Show it under the title on every page that shows the data, and write
// it into every exported file.
//
// Garmin's devices write their names in many ways. The result has "Garmin" once,
// at the front, single spaces, and only characters that occur in model names. A
// name that is not a model, such as "unknown", "Garmin Connect" or another
// maker's name, becomes "Garmin". No name is invented: letters stay as they came,
// except in the names of series, such as "forerunner935".
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
	// One pass may expose what the next must remove.
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

// clean removes one layer from a name. Repeated calls end: each makes the name
// shorter or separates a series from its number, until nothing changes.
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

// inModel keeps the characters of model names, drops trademark signs and maps all
// others to a space.
func inModel(r rune) rune {
	switch {
	case r == '®' || r == '™' || r == '©':
		return -1
	case isLetterOrDigit(r) || unicode.Is(unicode.Mn, r) || strings.ContainsRune("-+.,/()&'", r):
		return r
	}
	return ' '
}

// withoutMaker removes "Garmin" in any letter case, even within a word.
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

// noModel reports whether a name does not denote a device.
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

// series writes the name of a series as most Garmin devices do, separated from
// the number that follows: "FORERUNNER935" becomes "Forerunner 935".
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
