package recording

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"math"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testDisguise(seed byte) *disguise { return newDisguise([32]byte{seed}) }

// encodings are the ways in which a secret may be written.
var encodings = map[string]func(string) []string{
	"plain":    func(s string) []string { return []string{s} },
	"case":     func(s string) []string { return []string{strings.ToLower(s), strings.ToUpper(s)} },
	"reversed": func(s string) []string { return []string{backwards(s)} },
	"percent": func(s string) []string {
		all := ""
		for _, c := range []byte(s) {
			all += fmt.Sprintf("%%%02X", c)
		}
		return []string{url.QueryEscape(s), url.PathEscape(s), all, strings.ToLower(all)}
	},
	"base64": func(s string) (list []string) {
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for shift := range 3 { // wherever it stands in what is encoded
				b := e.EncodeToString([]byte(strings.Repeat("\x00", shift) + s))
				list = append(list, b[(shift*8+5)/6:len(b)-len(b)%4])
			}
		}
		return slices.DeleteFunc(list, func(s string) bool { return len(s) < 6 })
	},
	"base32": func(s string) []string { return []string{base32.HexEncoding.EncodeToString([]byte(s))[:8]} },
	"hex": func(s string) []string {
		h := hex.EncodeToString([]byte(s))
		return []string{h, strings.ToUpper(h)}
	},
	"number in hex": func(s string) []string {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return nil
		}
		return []string{fmt.Sprintf("%x", n), fmt.Sprintf("%X", n)}
	},
	"json": func(s string) []string {
		all := ""
		for _, r := range s {
			all += fmt.Sprintf(`\u%04x`, r)
		}
		b, _ := json.Marshal(s)
		return []string{all, strings.ToUpper(all), string(b[1 : len(b)-1])}
	},
	"html": func(s string) []string {
		all := ""
		for _, r := range s {
			all += fmt.Sprintf("&#%d;", r)
		}
		return []string{all, html.EscapeString(s)}
	},
	"without dashes": func(s string) []string { return []string{strings.ReplaceAll(s, "-", "")} },
	"without point":  func(s string) []string { return []string{strings.ReplaceAll(s, ".", "")} },
}

func backwards(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

// noneLeft demands that no secret is in the text, in any encoding.
func noneLeft(t *testing.T, text string, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		for name, encode := range encodings {
			for _, e := range encode(s) {
				if strings.Contains(text, e) {
					t.Fatalf("%q is left, %s: %q in\n%.3000s", s, name, e, text)
				}
			}
		}
	}
}

const (
	secretUser  = "4aacafe82427c251df9c9592d0c06768"
	secretUUID  = "d3315b1a-2f4e-4b1c-9c0d-7a8e4f51a2b3"
	secretID    = "19940666769"
	secretName  = "Žofie Nováková"
	secretWord  = "SchmidtRunners"
	secretToken = "AbC123.-_~xyzTOKENvalue"
	secretLat   = "50.846612345678"
	secretLong  = "-114.068812345678"
)

var secrets = []string{secretUser, secretUUID, secretID, "9876543210123456789", secretName, secretWord, secretToken, secretLat, secretLong, "6612345678", "anna.schmidt@example.com"}

// hidden writes the secrets in every encoding into every kind of place: below keys
// that are known and not, in texts, in numbers, in keys and in URLs.
func hidden() (bodies []string) {
	var texts, numbers []string
	for _, s := range secrets {
		for _, name := range slices.Sorted(maps.Keys(encodings)) { // the same in each run
			for _, e := range encodings[name](s) {
				if !strings.ContainsAny(e, "\\\"") {
					texts = append(texts, e)
				}
				if isNumeric.MatchString(e) {
					numbers = append(numbers, e)
				}
			}
		}
		if isNumeric.MatchString(s) {
			numbers = append(numbers, "0.000"+strings.NewReplacer("-", "", ".", "").Replace(s), s+"e1", "1e"+strings.NewReplacer("-", "", ".", "").Replace(s))
		}
	}
	d := newDisguise([32]byte{})
	keys := []string{"nobody knows this"}
	for key := range d.schema.keys {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, key := range keys {
		b.Reset()
		b.WriteString(`{"activities":[{"x":0`)
		for i, s := range texts {
			fmt.Fprintf(&b, ",%q:%s,%q:[%s],%s:true", key, quoted(s), key, quoted("a "+s+" b"), quoted(fmt.Sprint(s, "-", i)))
		}
		for _, n := range numbers {
			fmt.Fprintf(&b, ",%q:%s,%q:[%s,{%q:%s}]", key, n, key, n, key, n)
		}
		b.WriteString("}]}")
		bodies = append(bodies, b.String())
	}
	return bodies
}

var isNumeric = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// TestNoSecretIsLeft: whatever hides a secret, in whichever encoding and under
// whichever key, it is not in what is written.
func TestNoSecretIsLeft(t *testing.T) {
	t.Parallel()
	step := 1
	if testing.Short() {
		step = 12
	}
	for seed := range min(step, 2) {
		d := testDisguise(byte(seed))
		for i, body := range hidden() {
			if i%step != seed {
				continue
			}
			require.True(t, json.Valid([]byte(body)), body)
			out := d.body([]byte(body))
			require.True(t, json.Valid(out), "%s", out)
			noneLeft(t, string(out), secrets)
			require.InEpsilon(t, len(body), len(out), .5)
		}
	}
}

// TestURLs of callbacks, hostile ones too.
func TestURLs(t *testing.T) {
	t.Parallel()
	d := testDisguise(1)
	id := d.text(secretID)
	const rest = "https://apis.garmin.com/wellness-api/rest/"
	got := d.url(rest + "activities?uploadStartTimeInSeconds=1767340800&uploadEndTimeInSeconds=1767340860&token=" + secretToken)
	start := 1767340800 + d.days*day
	require.Equal(t, fmt.Sprintf(rest+"activities?uploadStartTimeInSeconds=%d&uploadEndTimeInSeconds=%d&token=%s", start, start+60, strings.Repeat("x", len(secretToken))), got)
	require.Equal(t, rest+"activityFile?id="+id+"&token=xxx", d.url(rest+"activityFile?id="+secretID+"&token=%61%62%63"))
	for _, s := range []string{
		rest + "activities/" + secretUser + "?token=" + secretToken,
		rest + "activities?" + secretUser + "=1&x=" + secretID + "&token=" + url.QueryEscape(secretName),
		rest + "activities#" + secretToken, rest + "activities?token=" + secretToken + "#" + secretUser,
		"https://" + secretWord + "@apis.garmin.com/wellness-api/rest/activities",
		"https://apis.garmin.com:" + secretID + "/wellness-api/rest/activities",
		"https://" + secretWord + ".example/wellness-api/rest/activities?token=" + secretToken,
		rest + "activityFile?id=%31" + secretID + "&token=" + backwards(secretToken),
		rest + "activities?uploadStartTimeInSeconds=" + secretUser + "&=" + secretToken + "&" + secretToken + "&&%zz=" + secretID + "%zz",
	} {
		noneLeft(t, d.url(s), secrets)
		u, err := json.Marshal(map[string]any{"activities": []any{map[string]any{"callbackURL": s}}})
		require.NoError(t, err)
		noneLeft(t, string(d.body(u)), secrets)
	}
}

// TestRelationsStay: ids are equal where they were, in numbers, texts and URLs;
// times and places keep their differences, lists and sizes their lengths.
func TestRelationsStay(t *testing.T) {
	t.Parallel()
	d := testDisguise(2)
	in := `{"activityDetails":[{"userId":"` + secretUser + `","summaryId":"` + secretID + `-detail","activityId":` + secretID + `,
 "summary":{"activityId":"` + secretID + `","parentSummaryId":` + secretID + `,"activityName":"Brussels Running","activityType":"TRAIL_RUNNING","deviceName":"fenix 8",
  "startTimeInSeconds":1767340800,"durationInSeconds":3725,"distanceInMeters":12345.678,"averageSpeedInMetersPerSecond":2.9472000598907471,
  "startingLatitudeInDegree":50.8466123,"startingLongitudeInDegree":4.3528456,"manual":false,"isParent":null},
 "samples":[{"startTimeInSeconds":1767340800,"latitudeInDegree":50.8466123,"longitudeInDegree":4.3528456,"elevationInMeters":56.2,"heartRate":148},
  {"startTimeInSeconds":1767340860.5,"longitudeInDegree":4.3538456,"latitudeInDegree":50.8476123,"elevationInMeters":57.4}]}],
 "activityFiles":[{"userId":"` + secretUser + `","summaryId":"` + secretID + `-file","fileType":"FIT","callbackURL":"https://apis.garmin.com/wellness-api/rest/activityFile?id=` + secretID + `&token=abc"}],
 "moveIQActivities":[{"userId":"` + secretUUID + `","calendarDate":"2026-01-02","startTimeInSeconds":1767340800,"activityType":"Running","activitySubType":"Hurdles"}],
 "userPermissionsChange":[{"permissions":["ACTIVITY_EXPORT","SECRET_EXPORT"],"changeTimeInSeconds":1767340800}]}`
	out := d.body([]byte(in))
	require.InDelta(t, len(in), len(out), 20)
	type item struct {
		UserID, SummaryID, CallbackURL, FileType, CalendarDate, ActivityType string
		ActivityID                                                           json.Number
		StartTimeInSeconds                                                   float64
		Permissions                                                          []string
		Summary                                                              struct {
			ActivityID                                          string
			ParentSummaryID                                     json.Number
			ActivityType, ActivityName, DeviceName              string
			StartTimeInSeconds                                  float64
			DurationInSeconds                                   int
			DistanceInMeters                                    float64
			StartingLatitudeInDegree, StartingLongitudeInDegree float64
			Manual                                              *bool
			IsParent                                            *bool
			AverageSpeedInMetersPerSecond                       json.Number
		}
		Samples []struct {
			StartTimeInSeconds, LatitudeInDegree, LongitudeInDegree, ElevationInMeters float64
			HeartRate                                                                  int
		}
	}
	var got struct {
		ActivityDetails, ActivityFiles, MoveIQActivities, UserPermissionsChange []item
	}
	require.NoError(t, json.Unmarshal(out, &got))
	a := got.ActivityDetails[0]
	id := a.ActivityID.String()
	require.Len(t, id, len(secretID))
	require.Equal(t, id+"-detail", a.SummaryID)
	require.Equal(t, id, a.Summary.ActivityID)
	require.Equal(t, id, a.Summary.ParentSummaryID.String())
	f := got.ActivityFiles[0]
	require.Equal(t, id+"-file", f.SummaryID)
	require.Equal(t, "https://apis.garmin.com/wellness-api/rest/activityFile?id="+id+"&token=xxx", f.CallbackURL)
	require.Equal(t, a.UserID, f.UserID)
	require.Len(t, a.UserID, 32)
	require.NotEqual(t, a.UserID, got.MoveIQActivities[0].UserID)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`, got.MoveIQActivities[0].UserID)

	require.Equal(t, "TRAIL_RUNNING", a.Summary.ActivityType)
	require.Equal(t, "FIT", f.FileType)
	require.Equal(t, "Running", got.MoveIQActivities[0].ActivityType)
	require.Equal(t, "ACTIVITY_EXPORT", got.UserPermissionsChange[0].Permissions[0])
	require.NotEqual(t, "SECRET_EXPORT", got.UserPermissionsChange[0].Permissions[1])
	require.Regexp(t, `^[A-Z][a-z]{7} [A-Z][a-z]{6}$`, a.Summary.ActivityName)
	require.False(t, *a.Summary.Manual)
	require.Nil(t, a.Summary.IsParent)

	require.Equal(t, 3725, a.Summary.DurationInSeconds)
	require.InDelta(t, 12345.678, a.Summary.DistanceInMeters, 1)
	require.Equal(t, "2.9472", a.Summary.AverageSpeedInMetersPerSecond.String()[:6])
	require.Equal(t, 148, a.Samples[0].HeartRate)
	shift := float64(d.days * day)
	require.InDelta(t, 1767340800+shift, a.Summary.StartTimeInSeconds, 0)
	require.InDelta(t, 60.5, a.Samples[1].StartTimeInSeconds-a.Samples[0].StartTimeInSeconds, 0)
	require.Equal(t, d.date("2026-01-02"), got.MoveIQActivities[0].CalendarDate)
	require.InDelta(t, 1.2, a.Samples[1].ElevationInMeters-a.Samples[0].ElevationInMeters, 1e-9)

	require.InDelta(t, a.Summary.StartingLatitudeInDegree, a.Samples[0].LatitudeInDegree, 0)
	want := meters(50.8466123, 4.3528456, 50.8476123, 4.3538456)
	moved := meters(a.Samples[0].LatitudeInDegree, a.Samples[0].LongitudeInDegree, a.Samples[1].LatitudeInDegree, a.Samples[1].LongitudeInDegree)
	require.InDelta(t, want, moved, .05)
	require.Greater(t, meters(50.8466123, 4.3528456, a.Samples[0].LatitudeInDegree, a.Samples[0].LongitudeInDegree), 1e5)
}

func meters(lat1, long1, lat2, long2 float64) float64 {
	const degree, radius = math.Pi / 180, 6_371_000
	sin := func(x float64) float64 { s := math.Sin(x * degree / 2); return s * s }
	h := sin(lat2-lat1) + math.Cos(lat1*degree)*math.Cos(lat2*degree)*sin(long2-long1)
	return 2 * radius * math.Asin(math.Sqrt(h))
}

// TestOneToOne: short texts are soon all taken, and stay apart all the same.
func TestOneToOne(t *testing.T) {
	t.Parallel()
	d := testDisguise(3)
	seen := map[string]string{}
	for i := range 3000 {
		for _, s := range []string{strconv.Itoa(i), "u" + strconv.Itoa(i), fmt.Sprintf("%x-%d", i, i), strconv.Itoa(i) + "-file"} {
			to := d.text(s)
			if was, ok := seen[to]; ok && was != s {
				t.Fatalf("%q and %q become %q", was, s, to)
			}
			seen[to] = s
			require.Equal(t, to, d.text(s))
			if i > 0 && digits(s) {
				require.True(t, json.Valid([]byte(to)), to)
			}
		}
	}
	kept := len(d.texts)
	for i := range 3000 { // long ones take no memory
		s := fmt.Sprintf("%032x", i)
		to := d.text(s)
		require.Empty(t, seen[to])
		seen[to] = s
		require.Equal(t, to, d.text(s))
		require.Equal(t, to+"-file", d.text(s+"-file"))
	}
	require.Len(t, d.texts, kept)
	require.NotEqual(t, d.text(secretUser), testDisguise(4).text(secretUser), "another recording, another disguise")
	for _, s := range []string{"", "-", " _-"} {
		require.Equal(t, s, d.text(s))
	}
}

// TestManySuffixes: a text that is made of suffixes costs what any other of its
// length does.
func TestManySuffixes(t *testing.T) {
	d := testDisguise(5)
	cost := func(s string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.Len(t, d.text(s), len(s))
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	const many = 10_000
	for _, suffix := range suffixes {
		plain := cost(strings.Repeat("-word", many))
		require.Less(t, cost(strings.Repeat(suffix, many)), 10*plain, suffix)
	}
}

// TestNumbersStayNumbers, whatever they are.
func TestNumbersStayNumbers(t *testing.T) {
	t.Parallel()
	for seed := range byte(20) {
		d := testDisguise(seed)
		for _, n := range []string{
			"0", "-0", "0.0", "7", "-7", "10", "0.000123456789", "1e5", "1E+5", "-1.5e-10", "1e400", "1e19940666769", "123456789012345678901234567890",
			"1767340800", "1767340800.123456", "1767340800123", "99999999", "1e9", "-1767340800", "90", "-180.0", "0.5e0", "5",
		} {
			for _, key := range []string{"steps", "startTimeInSeconds", "elevationInMeters", "activityId", "latitudeInDegree", "who knows", "deviceName"} {
				out := d.body([]byte(`{"` + key + `":` + n + `,"longitudeInDegree":` + n + `}`))
				require.True(t, json.Valid(out), "%s: %s -> %s", key, n, out)
			}
		}
	}
}

// FuzzBody compares the tokens of what is written with those that came: the same
// structure, and no value that could tell anything.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"activities":[{"userId":"u1","summaryId":123456,"activityType":"RUNNING","startingLatitudeInDegree":1.5,"startingLongitudeInDegree":2}]}`))
	f.Add([]byte(`[1,"a\u0000é\ud800",{"a":{"b":[null,true,1e5]},"a":1}, -0.0]`))
	f.Add([]byte(`"x"`))
	f.Add([]byte(mark + `{"deregistrations":[{"userId":"u1"}]}`))
	f.Add([]byte(hidden()[0][:400] + `}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		d := testDisguise(7)
		out := d.body(in)
		in, marked := bytes.CutPrefix(in, []byte(mark))
		if marked && out != nil { // it stays
			require.True(t, bytes.HasPrefix(out, []byte(mark)))
			out = out[len(mark):]
		}
		if !json.Valid(in) {
			require.Nil(t, out)
			return
		}
		require.True(t, json.Valid(out), "%s", out)
		known := map[string]bool{}
		for key := range d.schema.keys {
			known[key] = true
		}
		a, b := json.NewDecoder(bytes.NewReader(in)), json.NewDecoder(bytes.NewReader(out))
		a.UseNumber()
		b.UseNumber()
		for {
			x, errX := a.Token()
			y, errY := b.Token()
			require.Equal(t, errX == nil, errY == nil)
			if errX != nil {
				require.ErrorIs(t, errX, io.EOF)
				return
			}
			switch x := x.(type) {
			case string:
				y, ok := y.(string)
				require.True(t, ok)
				if x == y && strings.Trim(x, " -_0") != "" && !known[x] && !word(activityType, x) && !word(fileType, x) && !word(permission, x) && !strings.HasPrefix(x, "https://") {
					t.Fatalf("%q is left", x)
				}
			case json.Number:
				y, ok := y.(json.Number)
				require.True(t, ok)
				if significant := strings.Trim(strings.NewReplacer("-", "", "+", "", ".", "", "e", "", "E", "").Replace(x.String()), "0"); len(significant) > keptDigits+3 {
					require.NotContains(t, y.String(), significant)
				}
			default:
				require.Equal(t, x, y)
			}
		}
	})
}
