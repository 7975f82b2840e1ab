package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/join"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// hostile are texts that a page may take for something else, or be broken by.
var hostile = map[string]string{
	"script":     `<script>alert(1)</script>`,
	"attribute":  `" onmouseover="alert(1)" x='y' style="color:red`,
	"image":      `<img src=x onerror=alert(1)>`,
	"ending":     `</title></h1></main><base href=//evil.example>`,
	"template":   `{{.Account}} {{template "layout"}} ${x} <!-- ]]>`,
	"link":       `javascript:alert(1)`,
	"nul":        "run\x00<script>\x00",
	"overridden": "run \u202e<gpj.exe\u202d\u2066\u2069",
	"arabic":     "جري الصباح (10 km)",
	"invisible":  "\u200b\u202e\u00ad\ufeff \u2060",
	"lines":      "one\r\nSet-Cookie: x=y\n\ntwo\u2028three",
	"long word":  strings.Repeat("W", 5000),
	"long words": strings.Repeat("wide words ", 5000),
	"long wide":  strings.Repeat("𝕎ﷺ", 2000),
	"stacked":    strings.Repeat("a\u0301\u0302\u0303\u0304", 500),
	"bytes":      "\xff\xfe\xed\xa0\x80",
	"formula":    `=HYPERLINK("http://evil.example")`,
}

// hostileActivity has a text wherever a text can be.
func hostileActivity(id types.ID, odd string) *types.Activity {
	return &types.Activity{
		SummaryID: id, ActivityID: types.ID(odd), ActivityName: odd, ActivityDescription: odd, DeviceName: odd, ActivityType: activitytype.Type(odd),
		StartTimeInSeconds: types.NewTimestamp(time.Now().Add(-2 * time.Hour)), DurationInSeconds: 60, DistanceInMeters: new(1e300),
		StartTimeOffsetInSeconds: 1 << 40,
	}
}

// add delivers a workout with hostile text in each of its parts, and a route.
func (p *partner) addHostile(t *testing.T, account string, id types.ID, odd string) {
	t.Helper()
	d := sixHours()
	d.SummaryID, d.Summary = id+"-detail", *hostileActivity(id, odd)
	d.Samples = d.Samples[:100]
	for _, item := range []join.Item{
		{Summary: hostileActivity(id, odd)},
		{Summary: (*types.ManualActivity)(hostileActivity(id, odd))},
		{Summary: d},
	} {
		item.User, item.Order = "g1", 1
		require.NoError(t, p.db.add(t.Context(), account, item))
	}
}

var tag = regexp.MustCompile(`<(/?)([a-zA-Z!]+)([^>]*)>`)

// TestHostileText: whatever Garmin's users call their workouts, pages say what they
// are, and files can be read.
func TestHostileText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		p.addHostile(t, "ann", "harmless", "harmless")
		policy := p.ask("ann", "GET", public+"/account", nil).Header().Get("Content-Security-Policy")
		paths := []string{"/", "/list", "/history", "/account", "/activity/g1/"}
		tags := map[string]string{}
		for _, path := range paths {
			tags[path] = structure(p.ask("ann", "GET", public+strings.Replace(path, "g1/", "g1/harmless", 1), nil).Body.String())
		}
		_, err := p.db.ExecContext(t.Context(), `DELETE FROM workout`)
		require.NoError(t, err)

		for name, odd := range hostile {
			id := types.ID("1" + string([]rune(odd)[:min(len([]rune(odd)), 100)]))
			p.addHostile(t, "ann", id, odd)
			all, err := p.db.allWorkouts(t.Context(), "ann")
			require.NoError(t, err)
			require.Len(t, all, 1)
			for _, path := range paths {
				if strings.HasSuffix(path, "g1/") {
					path = all[0].Path()
				}
				w := p.ask("ann", "GET", public+path, nil)
				require.Equal(t, http.StatusOK, w.Code, "%s %s", name, path)
				require.Equal(t, policy, w.Header().Get("Content-Security-Policy"))
				page := w.Body.String()
				want := tags[path]
				if path == all[0].Path() {
					want = tags["/activity/g1/"]
					require.Contains(t, html.UnescapeString(page), all[0].Title(), name)
				}
				if name != "invisible" { // of which there is nothing to show
					require.Equal(t, want, structure(page), "%s %s: there are other tags than on a harmless page", name, path)
				}
				require.NotContains(t, page, "\x00", "%s %s", name, path)
				require.NotRegexp(t, "[\u202a-\u202e\u2066\u2067\u200b\ufeff]", page, "%s %s", name, path)
				require.Equal(t, strings.Count(page, "\u2068"), strings.Count(page, "\u2069"), "%s %s", name, path)
				require.NotRegexp(t, `<(h1|title|span class="name")>\s*<`, page, "%s %s: there is nothing to press", name, path)
				require.Less(t, len(page), 100_000, "%s %s", name, path)
				for h, values := range w.Header() {
					require.NotContains(t, strings.Join(values, ""), "evil", h)
				}
			}

			// What is downloaded is well-formed.
			w := p.ask("ann", "GET", public+all[0].Path()+"/gpx", nil)
			require.Equal(t, http.StatusOK, w.Code, name)
			require.Regexp(t, `^attachment; filename="[\w-]{1,400}\.gpx"$`, w.Header().Get("Content-Disposition"), name)
			for d := xml.NewDecoder(w.Body); ; {
				_, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err, name)
			}
			files := p.unzip("ann")
			require.Len(t, files, 3, name)
			for file, content := range files {
				require.Regexp(t, `^(account\.json|workouts/[\w-]{1,400}\.(json|gpx))$`, file, name)
				if strings.HasSuffix(file, ".json") {
					require.True(t, json.Valid(content), "%s %s", name, file)
				}
			}
			// Nothing of it is lost.
			for _, content := range files {
				var rec join.Record
				if json.Unmarshal(content, &rec) == nil && rec.Summary != nil && utf8.ValidString(odd) { // as all is that JSON brings
					require.Equal(t, odd, rec.Summary.ActivityDescription, name)
				}
			}
			_, err = p.db.ExecContext(t.Context(), `DELETE FROM workout; DELETE FROM joined`)
			require.NoError(t, err)

			// What a stranger types.
			w = p.post("", "/login", url.Values{"name": {odd}, "password": {odd}})
			require.Contains(t, []int{http.StatusUnauthorized, http.StatusUnprocessableEntity}, w.Code, name)
			require.NotRegexp(t, `<script|<img src=x|<base|onmouseover="`, w.Body.String(), name)
			for _, query := range []string{"/?to=", "/list?day=", "/list?page=", "/connected?error=", "/connected?state=", "/history?still="} {
				w := p.ask("ann", "GET", public+query+url.QueryEscape(odd), nil)
				require.Less(t, w.Code, 500, "%s %s", name, query)
				require.NotRegexp(t, `<script|<img src=x|<base|onmouseover="|evil`, w.Body.String(), "%s %s", name, query)
			}
			// What the operator sees.
			p.troubles.seen("pages", odd)
			require.NotRegexp(t, `<script|<img src=x|<base|onmouseover="|`+"[\u202a-\u202e\x00]", p.operatorPage(), name)
		}
		require.NotContains(t, p.log.String(), "level=ERROR msg=\"a page")
	})
}

// structure is a page's tags with the names of their attributes, each kind once.
func structure(page string) string {
	var all []string
	for _, m := range tag.FindAllStringSubmatch(page, -1) {
		names := regexp.MustCompile(`([\w-]+)=`).FindAllString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(m[3], ""), -1)
		all = append(all, m[1]+m[2]+strings.Join(names, ""))
	}
	return strings.Join(all, " ")
}

// Accounts have names that can be seen and typed.
func TestHostileNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		for name, odd := range map[string]string{"nul": "e\x00", "overridden": "e\u202e", "invisible": "\u200b", "bytes": "\xff", "space": " \u00a0 ", "lines": "a\u2028b"} {
			w := p.post("", "/signup", url.Values{"name": {odd}, "password": {"correct horse battery"}})
			require.Equal(t, http.StatusUnprocessableEntity, w.Code, name)
		}
		for _, odd := range []string{`<script>alert(1)</script>`, `"><img src=x>`, "علي", "José 🏃", strings.Repeat("W", 40)} {
			w := p.post("", "/signup", url.Values{"name": {odd}, "password": {"correct horse battery"}})
			require.Equal(t, http.StatusSeeOther, w.Code, odd)
			p.browsers[odd] = w.Result().Cookies()[0]
			page := p.ask(odd, "GET", public+"/account", nil).Body.String()
			require.Contains(t, html.UnescapeString(page), odd)
			require.NotContains(t, page, "<script")
			require.NotContains(t, page, "<img src=x")
			require.Equal(t, http.StatusSeeOther, p.post(odd, "/delete", url.Values{"name": {odd}}).Code, "it can be typed")
		}
	})
}

// A file may be called anything, too.
func TestHostileFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, nil)
		g := activitytest.NewGenerator(1)
		for name, odd := range hostile {
			if !json.Valid([]byte(`"`+strings.NewReplacer(`"`, ``, "\x00", "", "\n", "", "\r", "", `\`, "").Replace(odd)+`"`)) || strings.Contains(odd, "\xff") {
				continue // it cannot come as JSON
			}
			a := g.Activities(activitytype.Running, time.Now().Add(-time.Hour))[0]
			f, content := g.File("FIT", g.Details(a))
			f.ActivityName, f.ActivityDescription, f.DeviceName, f.ActivityType = odd, odd, odd, activitytype.Type(odd)
			p.user.AddFile(f, content)
			p.garmin.Deliver(t.Context())
			settle()
			w := p.ask("ann", "GET", public+(&workout{GarminID: p.user.ID(), ID: f.SummaryID.Stem()}).Path(), nil)
			require.Equal(t, http.StatusOK, w.Code)
			require.Contains(t, w.Body.String(), `class="way"`, name)
			require.NotRegexp(t, `<script|<img src=x|<base|onmouseover="`, w.Body.String(), name)
		}
	})
}

// unzip returns the files of an export.
func (w *world) unzip(name string) map[string][]byte {
	w.t.Helper()
	answer := w.ask(name, "GET", public+"/export", nil)
	require.Equal(w.t, http.StatusOK, answer.Code)
	return unzip(w.t, answer.Body.Bytes())
}

func unzip(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		files[f.Name], err = io.ReadAll(r)
		require.NoError(t, err)
	}
	return files
}
