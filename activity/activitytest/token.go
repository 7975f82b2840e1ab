package activitytest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"time"

	"github.com/garminkit/activityapi/internal/resource"
	"github.com/garminkit/activityapi/types"
)

// How long things can be had (Activity API, sections 3 and 7.4).
const (
	pullTokenLife = 7 * 24 * time.Hour
	fileLife      = 24 * time.Hour
	day           = 24 * time.Hour
)

// pullToken signs the user and the end of validity, so that the server need not
// remember a token. In base64 it has characters that a query must escape, and
// so have Garmin's.
func (s *Server) pullToken(u *User, expires time.Time) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write(b)
	mac.Write([]byte(u.id))
	return base64.StdEncoding.EncodeToString(append(b, mac.Sum(nil)[:24]...))
}

func (s *Server) checkPullToken(u *User, token string) bool {
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(b) < 8 {
		return false
	}
	expires := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	return s.now().Before(expires) && hmac.Equal([]byte(token), []byte(s.pullToken(u, expires)))
}

// CallbackURL returns the URL, with its token, of a ping for this upload window.
// kind must not be KindActivityFiles.
func (u *User) CallbackURL(kind types.Kind, w types.Window) string {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	return u.s.callbackURL(u, kind, w)
}

func (s *Server) callbackURL(u *User, kind types.Kind, w types.Window) string {
	callback := s.BaseURL + "/wellness-api/rest/" + resource.Of(kind) +
		"?uploadStartTimeInSeconds=" + formatInt(w.Start.Unix()) +
		"&uploadEndTimeInSeconds=" + formatInt(w.End.Unix())
	if !s.NoPullTokens {
		callback += "&token=" + url.QueryEscape(s.pullToken(u, s.now().Add(pullTokenLife)))
	}
	return callback
}

// download is one file URL.
type download struct {
	user    *User
	record  *record
	token   string
	expires time.Time
	spent   bool
}

// firstFileID is past 2^53, where a float64 no longer holds every integer.
const firstFileID = 1<<53 + 1

// fileURL makes a URL that downloads the file once.
func (s *Server) fileURL(u *User, r *record) string {
	if s.fileCount++; s.fileCount%1024 == 0 {
		s.sweep(s.now())
	}
	id := formatInt(firstFileID + s.fileCount - 1)
	d := &download{
		user: u, record: r,
		token:   base64.StdEncoding.EncodeToString([]byte(s.hex(16))),
		expires: s.now().Add(fileLife),
	}
	s.files[id] = d
	return s.BaseURL + "/wellness-api/rest/activityFile?id=" + id + "&token=" + url.QueryEscape(d.token)
}

// FileURL returns a new one-time URL for a file that the user has, or "".
func (u *User) FileURL(summaryID types.ID) string {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	r := u.byID[recordKey{types.KindActivityFiles, summaryID}]
	if r == nil {
		return ""
	}
	return u.s.fileURL(u, r)
}
