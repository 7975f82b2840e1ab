package activitytest

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/garminkit/activityapi/internal/backstage"
	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

// quirks is the table of every quirk, items first.
var quirks = []quirk{
	{quirkDetailsOtherID, "seen in details since August 2025: join on the stem of the summary id", func(_ *Server, _ *notice, key types.Kind, o object) {
		if key == types.KindActivityDetails {
			o.inSummary(func(sum object) { sum["activityId"] = json.RawMessage("14378486") })
			o["activityId"] = json.RawMessage("14257012")
		}
	}, nil},
	{quirkIDAsString, "the document's table says string, its examples have numbers", func(_ *Server, _ *notice, _ types.Kind, o object) {
		if v := o["activityId"]; len(v) > 0 && v[0] != '"' {
			o.set("activityId", string(v))
		}
	}, nil},
	{quirkIDAsNumber, "parentSummaryId is an integer in one table; synthetic traffic has summaryId beyond 2^53", func(_ *Server, _ *notice, _ types.Kind, o object) {
		for _, key := range []string{"summaryId", "parentSummaryId"} {
			var id string
			if json.Unmarshal(o[key], &id) == nil && id != "" {
				o[key] = marshal(number(id))
			}
		}
	}, nil},
	{quirkNoActivityID, "activities from before 2020 have no id, most from before 2025 no name", func(_ *Server, _ *notice, _ types.Kind, o object) {
		drop := func(o object) { delete(o, "activityId"); delete(o, "activityName") }
		drop(o)
		o.inSummary(drop)
	}, nil},
	{quirkIntegersAsFloats, "integer fields arrive as 30.0", func(_ *Server, _ *notice, _ types.Kind, o object) {
		o.numbers(func(v string) string {
			if !strings.ContainsAny(v, ".eE") {
				return v + ".0"
			}
			return v
		})
	}, nil},
	{quirkFloatsAsIntegers, "float fields arrive as 30", func(_ *Server, _ *notice, _ types.Kind, o object) {
		o.numbers(func(v string) string {
			if f, err := strconv.ParseFloat(v, 64); err == nil && strings.Contains(v, ".") {
				return strconv.FormatFloat(math.Round(f), 'f', -1, 64)
			}
			return v
		})
	}, nil},
	{quirkAbsentValues, "what is unknown is left out, sometimes even the duration", func(_ *Server, _ *notice, _ types.Kind, o object) {
		keep := []string{"userId", "userAccessToken", "summaryId", "activityId", "startTimeInSeconds", "summary", "callbackURL", "fileType", "permissions", "changeTimeInSeconds"}
		maps.DeleteFunc(o, func(key string, _ json.RawMessage) bool { return !slices.Contains(keep, key) })
	}, nil},
	{quirkNulls, "no null was ever seen, which proves nothing", func(_ *Server, _ *notice, _ types.Kind, o object) {
		if o["callbackURL"] == nil && o["startTimeInSeconds"] != nil {
			for _, key := range []string{"deviceName", "averageHeartRateInBeatsPerMinute", "distanceInMeters", "parentSummaryId", "isParent"} {
				if o[key] == nil {
					o[key] = json.RawMessage("null")
				}
			}
		}
	}, nil},
	{quirkIsParentFalse, "explicit in 2018", func(_ *Server, _ *notice, _ types.Kind, o object) {
		if o["isParent"] == nil && o["durationInSeconds"] != nil {
			o.set("isParent", false)
		}
	}, nil},
	{quirkUnknownType, "an integration lost data silently over ROAD_BIKING; Garmin adds types without notice", setType("HOVERBOARD_POLO"), nil},
	{quirkTypeInTitleCase, "Move IQ does so", setType("Running"), nil},
	{quirkDescription, "sometimes there, in details' summaries too", func(_ *Server, _ *notice, _ types.Kind, o object) {
		describe := func(o object) { o.set("activityDescription", "Hill \"repeats\"\n8 × 400 m 🏃 \u2028 done") }
		if o["summary"] != nil {
			o.inSummary(describe)
		} else if o["activityType"] != nil {
			describe(o)
		}
	}, nil},
	{quirkPartialSamples, "only the sensors present have a value, and not at each moment", func(_ *Server, _ *notice, _ types.Kind, o object) {
		delete(o, "laps")
		o.samples(func(i int, sample object) {
			n := 0
			for _, key := range slices.Sorted(maps.Keys(sample)) {
				if n++; key != "startTimeInSeconds" && (i+n)%2 == 0 {
					delete(sample, key)
				}
			}
		})
	}, nil},
	{quirkTimerBeyondClock, "Garmin's own generator breaks the rule of section 7.3", func(_ *Server, _ *notice, _ types.Kind, o object) {
		o.samples(func(_ int, sample object) {
			sample.set("timerDurationInSeconds", 27)
			sample.set("clockDurationInSeconds", 21)
		})
	}, nil},
	{quirkWideOffset, "a user may set any time within a day of UTC", func(_ *Server, _ *notice, _ types.Kind, o object) {
		for _, key := range []string{"startTimeOffsetInSeconds", "offsetInSeconds"} {
			if o[key] != nil {
				o.set(key, -86399)
			}
		}
	}, nil},
	{quirkUserAccessToken, "in every item of a user who has not moved to OAuth 2", func(_ *Server, n *notice, _ types.Kind, o object) {
		if n != nil {
			o.set("userAccessToken", "11111111-2222-3333-4444-555555555555")
		}
	}, nil},
	{quirkManualCapital, "the table of section 7.2 writes it so", func(_ *Server, _ *notice, _ types.Kind, o object) {
		o.rename("manual", "Manual")
	}, nil},
	{quirkDeviceName, "spacing, case and spelling vary", func(_ *Server, _ *notice, _ types.Kind, o object) {
		if o["deviceName"] != nil {
			o.set("deviceName", "  Garmi fenix  8 – 47mm")
		}
	}, nil},
	{quirkWheelchairAlias, "another document's name for directWheelchairCadence", func(_ *Server, _ *notice, _ types.Kind, o object) {
		o.samples(func(_ int, sample object) {
			sample.rename("directWheelchairCadence", "wheelChairCadenceInPushesPerMinute")
		})
	}, nil},
	{quirkUploadTimes, "old pings, and the example of section 4.2", func(_ *Server, n *notice, key types.Kind, o object) {
		if o["callbackURL"] != nil && key != types.KindActivityFiles && n != nil {
			o.set("uploadStartTimeInSeconds", n.record.uploaded.Unix())
			o.set("uploadEndTimeInSeconds", n.record.uploaded.Unix()+1)
		}
	}, nil},
	{quirkUnknownFields, "reported, unproven", func(_ *Server, _ *notice, _ types.Kind, o object) {
		o.set("normalizedPowerInWatts", 251.5)
		o.set("fieldsToCome", map[string]any{"nested": []any{1, "two", nil, map[string]any{}}})
	}, nil},
	{quirkWebUpload, "undocumented in file pings; seen in September 2026", func(_ *Server, _ *notice, _ types.Kind, o object) {
		if o["activityType"] != nil {
			o.set("isWebUpload", true)
		}
	}, nil},
	{quirkNoPermissions, "two integrations guard against it", func(_ *Server, _ *notice, key types.Kind, o object) {
		if key == types.KindPermissionChanges {
			delete(o, "permissions")
			delete(o, "summaryId")
		}
	}, nil},

	{quirkReverse, "a multisport parent may come after its children", nil, func(_ *Server, lists []list) []list {
		for _, l := range lists {
			slices.Reverse(l.items)
		}
		return lists
	}},
	{quirkOldFileKey, "file pings of 2019", nil, func(_ *Server, lists []list) []list {
		for i, l := range lists {
			if l.key == types.KindActivityFiles {
				lists[i].key = "file"
			}
		}
		return lists
	}},
	{quirkEmptyList, "seen in pushes", nil, func(_ *Server, lists []list) []list {
		return append(lists, list{key: types.KindMoveIQ})
	}},
	{quirkEmptyItem, "in the example of another Garmin API", nil, addItem(`{}`)},
	{quirkUnknownKey, "endpoints are shared with the Health API", nil, func(s *Server, lists []list) []list {
		return append([]list{{"dailies", [][]byte{[]byte(`{"userId":"` + s.hex(16) + `","summaryId":"x1","steps":1}`)}}}, lists...)
	}},
	{quirkSeveralKeys, "nothing forbids it; a receiver that reads the first key loses the others", nil, nil},
	{quirkRepeatedKey, "JSON permits it; a map keeps only the last", nil, func(_ *Server, lists []list) []list {
		var split []list
		for _, l := range lists {
			half := (len(l.items) + 1) / 2
			split = append(split, list{l.key, l.items[:half]}, list{l.key, l.items[half:]})
		}
		return split
	}},
	{quirkBadItem, "one odd item has cost whole batches", nil, addItem(`{"userId":["not","a","string"],"summaryId":{"a":1},"startTimeInSeconds":"yesterday"}`)},
	{quirkUnknownUser, "a default user has been given other people's data", nil, func(s *Server, lists []list) []list {
		for i, l := range lists {
			if len(l.items) > 0 {
				if o := parseObject(l.items[0]); o != nil {
					o.set("userId", s.hex(16))
					o.set("summaryId", "1")
					lists[i].items = append(slices.Clip(l.items), marshal(o))
				}
			}
		}
		return lists
	}},
	{quirkHostileCallback, "anyone who knows the endpoint can forge a ping", nil, func(s *Server, lists []list) []list {
		for i, l := range lists {
			o := object(nil)
			if len(l.items) > 0 {
				o = parseObject(l.items[0])
			}
			if o["callbackURL"] == nil {
				continue
			}
			for _, forged := range backstage.HostileCallbacks(s.BaseURL) {
				o.set("callbackURL", forged)
				lists[i].items = append(slices.Clip(lists[i].items), marshal(o))
			}
		}
		return lists
	}},

	{quirkDuplicate, "retries after a time-out, the Summary Resender, backfill", nil, nil},
	{quirkShuffle, "activities, details and files come separately, in any order", nil, nil},
	{quirkLate, "file URLs have 24 hours, counted from the ping", nil, nil},
	{quirkLostAnswer, "the connection breaks after the work is done", nil, nil},
	{quirkCutBody, "a failed notification: the connection breaks", nil, nil},

	{quirkOtherUser, "one user's data has been stored under another", nil, nil},
	{quirkSummaryGone, "one integration handles it", nil, nil},
	{quirkHTMLError, "gateways answer in HTML", nil, nil},
	{quirkPullCut, "a proxy ends a chunked answer too early", nil, nil},
	{quirkRedirect, "a redirect carries the user's token to another host", nil, nil},
	{quirkPermissionsArray, "the shape in several integrations' tests", nil, nil},
	{quirkPermissionsOne, "the example of one portal page", nil, nil},
	{quirkBackfillError, "a failed chunk that is passed over is a hole in the history", nil, nil},
	{quirkDuplicate400, "seen once", nil, nil},
	{quirkMinStartEpoch, "one integration's parser expects it", nil, nil},
	{quirkSpentFile400, "seen in July 2026", nil, nil},
	{quirkNotReady, "one integration tries six times", nil, nil},

	{quirkFileTCX, "what users upload by hand keeps its format", nil, nil},
	{quirkFileGPX, "what users upload by hand keeps its format", nil, nil},
	{quirkFileTrailing, "padding of devices and of upload forms", nil, nil},
	{quirkFileHeaderCRC0, "the FIT protocol allows it", nil, nil},
	{quirkFileChained, "the FIT protocol allows it", nil, nil},
	{quirkFileLatin1, "old desktop programs write it", nil, nil},
	{quirkFileTruncated, "a device that lost its power has uploaded what it had", nil, nil},
}

func setType(name string) func(*Server, *notice, types.Kind, object) {
	return func(_ *Server, _ *notice, _ types.Kind, o object) {
		if o["activityType"] != nil {
			o.set("activityType", name)
		}
		o.inSummary(func(sum object) { sum.set("activityType", name) })
	}
}

func addItem(item string) func(*Server, []list) []list {
	return func(_ *Server, lists []list) []list {
		for i, l := range lists {
			if l.key.Known() || l.key == "file" {
				lists[i].items = slices.Insert(slices.Clone(l.items), len(l.items)/2, []byte(item))
			}
		}
		return lists
	}
}

// numbers rewrites the object's own numbers, but for ids.
func (o object) numbers(f func(string) string) {
	for key, v := range o {
		if len(v) > 0 && (v[0] == '-' || v[0] >= '0' && v[0] <= '9') && !strings.HasSuffix(key, "Id") {
			o[key] = json.RawMessage(f(string(v)))
		}
	}
}

// maxSeen bounds what the quirks remember.
const maxSeen = 100_000

// oddAnswer answers for the quirks of answers, if one applies, and says so.
func (s *Server) oddAnswer(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.quirks) == 0 || !strings.HasPrefix(r.URL.Path, "/wellness-api/rest/") {
		return false
	}
	if len(s.seen) >= maxSeen {
		clear(s.seen)
	}
	kind := resourceKind(r.URL.Path)
	permissions := strings.HasSuffix(r.URL.Path, "/user/permissions")
	switch {
	case kind != "" && s.odd(quirkRedirect):
		w.Header().Set("Location", "https://attacker.example"+r.URL.RequestURI())
		w.WriteHeader(http.StatusFound)
	case kind != "" && kind != types.KindActivityFiles && s.seen[r.URL.RawQuery+r.URL.Path] && s.odd(quirkSummaryGone):
		writeError(w, http.StatusGone, "summary is gone")
	case permissions && s.firstTime(r) && s.odd(quirkNotReady):
		writeError(w, http.StatusInternalServerError, "permissions are not ready")
	case strings.Contains(r.URL.Path, "/backfill/") && s.firstTime(r) && s.odd(quirkBackfillError):
		writeError(w, http.StatusInternalServerError, "backfill failed")
	case s.odd(quirkHTMLError):
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		w.Write([]byte("<html><body><h1>502 Bad Gateway</h1></body></html>"))
	default:
		if kind != "" {
			s.seen[r.URL.RawQuery+r.URL.Path] = true
		}
		return false
	}
	return true
}

// firstTime reports whether the same user asks for the same for the first time.
func (s *Server) firstTime(r *http.Request) bool {
	key := r.URL.RequestURI() + r.Header.Get("Authorization")
	seen := s.seen[key]
	s.seen[key] = true
	return !seen
}

func resourceKind(path string) types.Kind {
	for _, kind := range types.Kinds() {
		if path == "/wellness-api/rest/"+resource.Of(kind) {
			return kind
		}
	}
	return ""
}

// oddPull applies the quirks of a pull's answer.
func (s *Server) oddPull(body []byte) []byte {
	if len(s.quirks) > 0 && s.odd(quirkPullCut) {
		return bytes.Clone(body[:len(body)/2])
	}
	return body
}
