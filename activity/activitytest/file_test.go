package activitytest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/internal/trackschema"
	"github.com/garminkit/activityapi/types"
)

// detailsOf returns the details of a workout, and its legs if it has some.
func detailsOf(g *activitytest.Generator, sport activitytype.Type, start time.Time) (d *types.ActivityDetails, legs []*types.ActivityDetails) {
	for _, a := range activities(g, sport, start) {
		made := g.Details(a)
		if a.ParentSummaryID != "" {
			legs = append(legs, made)
			continue
		}
		d = made
	}
	return d, legs
}

// TestFilesAreValid: what is written as TCX and GPX keeps the rules of the public
// schemas. Module fitfile reads each file and compares it with its summary.
func TestFilesAreValid(t *testing.T) {
	start := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	for seed := range uint64(5) {
		g := activitytest.NewGenerator(seed)
		for _, sport := range sports {
			d, legs := detailsOf(g, sport, start)
			if d.Summary.DistanceInMeters != nil {
				d.Summary.ActivityName = "Läufe & <mehr>"
			}
			for fileType, root := range map[string]string{"TCX": "tcx:TrainingCenterDatabase", "GPX": "gpx:gpx"} {
				f, content := g.File(fileType, d, legs...)
				require.Equal(t, fileType, f.FileType)
				require.NoError(t, trackschema.Validate(bytes.NewReader(content), root), "%s of %s:\n%.3000s", fileType, sport, content)
				require.NotContains(t, string(content), "NaN")
			}
		}
	}
	require.Panics(t, func() {
		g := activitytest.NewGenerator(1)
		d, _ := detailsOf(g, activitytype.Running, start)
		g.File("KML", d)
	})
}

// TestMultisportFiles: the parent's file has a session a leg.
func TestMultisportFiles(t *testing.T) {
	g := activitytest.NewGenerator(1)
	d, legs := detailsOf(g, activitytype.MultiSport, time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC))
	_, content := g.File("TCX", d, legs...)
	require.Equal(t, 3, strings.Count(string(content), "<Activity "))
	require.Equal(t, 2, strings.Count(string(content), "<Transition "))
	require.Equal(t, 2, strings.Count(string(content), "<NextSport>"))
	_, content = g.File("GPX", d, legs...)
	require.Equal(t, 3, strings.Count(string(content), "<trk>"))
}

// TestOddFiles: each quirk of files, as it is downloaded.
func TestOddFiles(t *testing.T) {
	for _, tt := range []struct {
		quirks   []activitytest.Quirk
		fileType string
		check    func(t *testing.T, plain, odd []byte)
	}{
		{nil, "FIT", func(t *testing.T, plain, odd []byte) { require.Equal(t, plain, odd) }},
		{[]activitytest.Quirk{"file-trailing"}, "FIT", func(t *testing.T, plain, odd []byte) {
			require.Equal(t, append(bytes.Clone(plain), make([]byte, 7)...), odd)
		}},
		{[]activitytest.Quirk{"file-chained"}, "FIT", func(t *testing.T, plain, odd []byte) {
			require.Equal(t, append(bytes.Clone(plain), plain...), odd)
		}},
		{[]activitytest.Quirk{"file-truncated"}, "FIT", func(t *testing.T, plain, odd []byte) {
			require.Equal(t, plain[:len(plain)*2/3], odd)
		}},
		{[]activitytest.Quirk{"file-header-crc-0"}, "FIT", func(t *testing.T, plain, odd []byte) {
			require.Len(t, odd, len(plain))
			require.Zero(t, binary.LittleEndian.Uint16(odd[12:]))
			require.Equal(t, plain[14:len(plain)-2], odd[14:len(odd)-2])
		}},
		{[]activitytest.Quirk{"file-tcx"}, "TCX", func(t *testing.T, _, odd []byte) {
			require.NoError(t, trackschema.Validate(bytes.NewReader(odd), "tcx:TrainingCenterDatabase"))
		}},
		{[]activitytest.Quirk{"file-gpx"}, "GPX", func(t *testing.T, _, odd []byte) {
			require.NoError(t, trackschema.Validate(bytes.NewReader(odd), "gpx:gpx"))
		}},
		{[]activitytest.Quirk{"file-tcx", "file-latin-1"}, "TCX", func(t *testing.T, _, odd []byte) {
			require.Contains(t, string(odd), `encoding="ISO-8859-1"`)
			require.Contains(t, string(odd), "<Notes>Caf\xe9 ")
		}},
		{[]activitytest.Quirk{"file-gpx", "file-latin-1", "file-trailing"}, "GPX", func(t *testing.T, _, odd []byte) {
			require.Contains(t, string(odd), "<name>Caf\xe9 ")
			require.True(t, bytes.HasSuffix(odd, []byte("</gpx>\n\x00\x00\x00\x00\x00\x00\x00")))
		}},
	} {
		t.Run(fmt.Sprint(tt.quirks), func(t *testing.T) {
			start := time.Now()
			file := func(quirks ...activitytest.Quirk) (fileType string, content []byte) {
				fake := newServer(t)
				u := fake.AddUser(nil)
				fake.SetQuirks(1, quirks...)
				u.Sync(activitytest.NewGenerator(1), activitytype.Walking, start)
				v := u.View(types.KindActivityFiles, types.Window{End: start.AddDate(1, 0, 0)})[0]
				status, body := get(t, fake, u.FileURL(v.ID), u.State().AccessToken)
				require.Equal(t, http.StatusOK, status)
				_, fileType, _ = strings.Cut(string(v.JSON), `"fileType":"`)
				return fileType[:3], []byte(body)
			}
			_, plain := file()
			fileType, odd := file(tt.quirks...)
			require.Equal(t, tt.fileType, fileType)
			tt.check(t, plain, odd)
		})
	}
}
