package personal

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// Manifest is the content of manifest.json, the last file of an export. It
// describes the other files.
type Manifest struct {
	User    types.UserID `json:"user"`
	At      time.Time    `json:"at"`
	Entries []Entry      `json:"entries"`
	// Missing names the stores that could not be read, and why.
	Missing []string `json:"missing,omitempty"`
}

// Entry describes one file of an export.
type Entry struct {
	// File is the name in the zip.
	File string `json:"file"`
	// Store is the name of the store, and What says what the file has, such as
	// "item".
	Store string `json:"store"`
	What  string `json:"what"`
	// Key is the list key of an item or dead letter, Reason is that of a dead
	// letter, and Name is the name or id that the store uses.
	Key    string `json:"key,omitempty"`
	Reason string `json:"reason,omitempty"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Export writes everything that the stores hold of a user as a zip: a file for
// each item, dead letter and downloaded file, one for the requested history, and
// at the end manifest.json, which lists them. A token is exported as its dates
// alone. What an application keeps elsewhere is not included.
func (s *Stores) Export(ctx context.Context, user types.UserID, w io.Writer) (*Manifest, error) {
	if user == "" {
		return nil, errors.New("personal: no user")
	}
	m := &Manifest{User: user, At: time.Now().UTC(), Entries: []Entry{}}
	z := zip.NewWriter(w)
	for _, p := range s.parts() {
		n := 0
		for h, err := range p.holdings(ctx, user) {
			if err == nil {
				n++
				err = m.add(z, p.name, n, h)
			}
			if ctx.Err() != nil {
				return m, context.Cause(ctx)
			}
			if err != nil {
				m.Missing = append(m.Missing, p.name+": "+err.Error())
			}
		}
	}
	f, err := z.Create("manifest.json")
	if err == nil {
		e := json.NewEncoder(f)
		e.SetIndent("", "  ")
		err = e.Encode(m)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return m, fmt.Errorf("personal: export: %w", err)
	}
	return m, nil
}

func (m *Manifest) add(z *zip.Writer, store string, n int, h *notify.Holding) error {
	r, err := h.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	name := fmt.Sprintf("%s/%s-%05d", store, h.What, n)
	f, err := z.Create(name)
	if err != nil {
		return err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, sum), r)
	if err != nil {
		return err
	}
	m.Entries = append(m.Entries, Entry{name, store, h.What, h.Key, h.Reason, h.Name, size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// asJSON is a holding of one value.
func asJSON(what, name string, v any) (*notify.Holding, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &notify.Holding{What: what, Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}, nil
}

func (s *Stores) ledgerHoldings(ctx context.Context, user types.UserID) iter.Seq2[*notify.Holding, error] {
	return func(yield func(*notify.Holding, error) bool) {
		for c, err := range s.Ledger.Chunks(ctx, user) {
			var h *notify.Holding
			if err == nil {
				h, err = asJSON("chunks", c.Window.String(), c)
			}
			if !yield(h, err) || err != nil {
				return
			}
		}
	}
}

func (s *Stores) tokenHoldings(ctx context.Context, user types.UserID) iter.Seq2[*notify.Holding, error] {
	return func(yield func(*notify.Holding, error) bool) {
		t, err := s.Tokens.Token(ctx, user)
		if errors.Is(err, auth.ErrNotConnected) {
			return
		}
		var h *notify.Holding
		if err == nil {
			h, err = asJSON("tokens", "token", map[string]any{"expiry": t.Expiry, "refresh_expiry": t.RefreshExpiry, "revoked": t.Revoked})
		}
		yield(h, err)
	}
}
