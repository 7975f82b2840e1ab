package main

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/garminkit/activityapi/activity/export"
	"github.com/garminkit/activityapi/activity/join"
)

// downloadGPX sends a workout as a file, in which Garmin is named.
func (p *partner) downloadGPX(w http.ResponseWriter, r *http.Request) {
	j, err := p.activity(r)
	if err != nil {
		p.broken(w, r, err)
		return
	}
	var tracks []*export.Track
	if j != nil {
		if tracks, err = p.tracks(r.Context(), j); err != nil {
			p.broken(w, r, err)
			return
		}
	}
	begun := &sender{w: w, name: fileName(r.PathValue("id")) + ".gpx", kind: "application/gpx+xml"}
	switch err := export.WriteGPX(begun, nil, tracks...); {
	case errors.Is(err, export.ErrEmpty):
		p.fail(w, r, http.StatusNotFound, "There is no route to download.", nil)
	case err != nil && !begun.sent:
		p.broken(w, r, err)
	case err != nil:
		p.log.Warn("a download broke off", "path", r.URL.Path, "err", err)
	}
}

// sender sets the headers of a download when its first byte comes.
type sender struct {
	w          http.ResponseWriter
	name, kind string
	sent       bool
}

func (s *sender) Write(b []byte) (int, error) {
	if !s.sent {
		s.sent = true
		s.w.Header().Set("Content-Type", s.kind)
		s.w.Header().Set("Content-Disposition", `attachment; filename="`+s.name+`"`)
	}
	return s.w.Write(b)
}

// fileName keeps of an id what is safe in a file's name.
func fileName(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' {
			return r
		}
		return '_'
	}, id)
}

// exportAll sends all that we have of a user: the account, each workout as JSON and
// as GPX, and the files as the device wrote them.
func (p *partner) exportAll(w http.ResponseWriter, r *http.Request) {
	a := accountOf(r)
	out := &sender{w: w, name: "my-data.zip", kind: "application/zip"}
	// A year may take longer to send than a page.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(15 * time.Minute))
	if err := p.writeAll(r.Context(), out, a); err != nil {
		p.log.Warn("an export broke off", "err", err)
		if !out.sent {
			p.broken(w, r, err)
			return
		}
		panic(http.ErrAbortHandler) // so that the browser knows that it is not whole
	}
}

func (p *partner) writeAll(ctx context.Context, out io.Writer, a *account) error {
	connections, err := p.db.connections(ctx, a.ID)
	if err != nil {
		return err
	}
	all, err := p.db.allWorkouts(ctx, a.ID)
	if err != nil {
		return err
	}
	detected, err := p.db.detections(ctx, a.ID, "", "9999")
	if err != nil {
		return err
	}
	z := zip.NewWriter(out)
	if err := writeJSON(z, "account.json", map[string]any{"account": a, "connections": connections, "detected": detected}); err != nil {
		return err
	}
	for i, w := range all {
		name := fmt.Sprintf("workouts/%s-%04d-%s", cmp.Or(w.Day, "undated"), i, fileName(string(w.ID)))
		if err := p.writeWorkout(ctx, z, name, a.ID, w); err != nil {
			return err
		}
	}
	files, err := p.db.files(ctx, a.ID)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := writeFile(z, "files/"+name, filepath.Join(p.files, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	return z.Close()
}

func (p *partner) writeWorkout(ctx context.Context, z *zip.Writer, name, account string, w *workout) error {
	key := join.Key{User: w.GarminID, ID: w.ID}
	rec, err := (&joinStore{p.db, account}).Load(ctx, key)
	if err != nil || rec == nil {
		return err // deleted meanwhile
	}
	if err := writeJSON(z, name+".json", rec); err != nil {
		return err
	}
	if w.Parent != "" {
		return nil // it is a part of its parent's
	}
	j, err := p.db.joined(ctx, account, key)
	if err != nil {
		return err
	}
	tracks, err := p.tracks(ctx, j)
	if err != nil {
		return err
	}
	if err := export.WriteGPX(&entry{z: z, name: name + ".gpx"}, nil, tracks...); err != nil && !errors.Is(err, export.ErrEmpty) {
		return err
	}
	return nil
}

// entry is a file of an archive that is made when its first byte comes.
type entry struct {
	z    *zip.Writer
	name string
	file io.Writer
}

func (e *entry) Write(b []byte) (n int, err error) {
	if e.file == nil {
		if e.file, err = create(e.z, e.name); err != nil {
			return 0, err
		}
	}
	return e.file.Write(b)
}

// create begins a file of an archive. Without a date it would be of 1979.
func create(z *zip.Writer, name string) (io.Writer, error) {
	return z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Now()})
}

func writeJSON(z *zip.Writer, name string, v any) error {
	f, err := create(z, name)
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	e.SetIndent("", " ")
	return e.Encode(v)
}

func writeFile(z *zip.Writer, name, path string) error {
	in, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := create(z, name)
	if err == nil {
		_, err = io.Copy(f, in)
	}
	return err
}
