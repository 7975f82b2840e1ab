package solo_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/activity/service/solo"
	"github.com/garminkit/activityapi/activitytype"
	"github.com/garminkit/activityapi/types"
)

// traces gives the files of the program that name a user, or have a text.
func (w *world) traces(user types.UserID, texts ...string) (found []string) {
	w.t.Helper()
	return w.having(append(texts, string(user))...)
}

// having gives the files of the program that have one of the texts.
func (w *world) having(texts ...string) (found []string) {
	w.t.Helper()
	require.NoError(w.t, filepath.WalkDir(w.dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) || strings.Contains(name, text) {
				found = append(found, name)
				return err
			}
		}
		return err
	}))
	return found
}

// fill gives a user something in each of the program's stores: a file, history, a
// token, a dead letter, an item that waits.
func (w *world) fill(user *activitytest.User) {
	w.t.Helper()
	require.Equal(w.t, http.StatusSeeOther, w.connect(user, "").Code)
	user.Sync(activitytest.NewGenerator(2), activitytype.Running, time.Now().Add(-time.Hour))
	w.settle()
	require.Positive(w.t, w.downloaded())
	for _, body := range []string{
		`{"odd":[{"userId":"` + string(user.ID()) + `","latitude":51.4778216}]}`,
		`{"deregistrations":[{"userId":"` + string(user.ID()) + `"}]}`,
	} {
		answer := httptest.NewRecorder()
		w.Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, public+"/garmin/"+secret, strings.NewReader(body)))
		require.Equal(w.t, http.StatusOK, answer.Code)
	}
	w.settle()
	require.GreaterOrEqual(w.t, len(w.traces(user.ID(), "51.4778216", user.State().AccessToken)), 4)
}

// TestLeaving: of who leaves, no byte is left in any file, however that goes, and
// although the partner's database fails at first and the program ends meanwhile.
// Others keep all they have.
func TestLeaving(t *testing.T) {
	for name, leave := range map[string]func(w *world, user *activitytest.User){
		"at Garmin":        func(_ *world, user *activitytest.User) { user.Deregister() },
		"with the program": func(w *world, user *activitytest.User) { _ = w.Disconnect(w.t.Context(), user.ID()) },
		"with a restart":   func(w *world, user *activitytest.User) { user.Deregister(); w.settle(); w.stop(); w.open(nil) },
		"when Garmin is not": func(w *world, user *activitytest.User) {
			w.down.Store(true)
			user.Deregister()
			w.settle()
			w.down.Store(false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				user := w.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
				other := w.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
				w.fill(user)
				w.fill(other)
				token := user.State().AccessToken
				w.accounts.setKeep(errors.New("the database is down"))
				leave(w, user)
				w.settle()
				require.True(t, w.accounts.know(user.ID()), "it is not forgotten by half")
				w.accounts.setKeep(nil)
				time.Sleep(time.Hour)
				require.False(t, w.accounts.know(user.ID()))
				require.Empty(t, w.traces(user.ID(), token))
				require.True(t, w.accounts.know(other.ID()))
				require.GreaterOrEqual(t, len(w.traces(other.ID(), "51.4778216", other.State().AccessToken)), 4)
				w.stop()
				require.Empty(t, w.traces(user.ID(), token))
			})
		})
	}
}

// TestComingBack: who connects again before all was removed stays.
func TestComingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(o *solo.Options) { o.History = -1 })
		user := w.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		require.Equal(t, http.StatusSeeOther, w.connect(user, "").Code)
		w.accounts.setKeep(errors.New("the database is down"))
		require.Error(t, w.Disconnect(t.Context(), user.ID()))
		synctest.Wait() // the background has failed too, and waits
		require.Equal(t, http.StatusSeeOther, w.connect(user, "").Code)
		w.accounts.setKeep(nil)
		time.Sleep(24 * time.Hour)
		require.True(t, w.accounts.know(user.ID()))
		saved := w.saved()
		user.Sync(activitytest.NewGenerator(2), activitytype.Running, time.Now().Add(-time.Hour))
		w.settle()
		require.Greater(t, w.saved(), saved)
	})
}

// TestSealed: with an AEAD no place and no token is on the disk, while work waits,
// after a restart, and when it is done.
func TestSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block, err := aes.NewCipher(make([]byte, 32))
		require.NoError(t, err)
		aead, err := cipher.NewGCM(block)
		require.NoError(t, err)
		seal := func(o *solo.Options) { o.AEAD = aead }
		w := start(t, seal)
		user := w.fake.AddUser(&activitytest.UserOptions{NotConnected: true})
		require.Equal(t, http.StatusSeeOther, w.connect(user, "").Code)
		token := user.State().AccessToken
		w.stop()
		w.open(seal)
		user.Sync(activitytest.NewGenerator(2), activitytype.Running, time.Now().Add(-time.Hour))
		body := `{"odd":[{"userId":"` + string(user.ID()) + `","latitude":51.4778216}]}`
		answer := httptest.NewRecorder()
		w.Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, public+"/garmin/"+secret, strings.NewReader(body)))
		require.Equal(t, http.StatusOK, answer.Code)
		secrets := []string{token, "51.4778216", `"latitude"`, ".FIT"}
		require.Empty(t, w.having(secrets...))
		w.settle()
		require.Positive(t, w.downloaded())
		require.Empty(t, w.having(secrets...))
		w.stop()
		require.Empty(t, w.having(secrets...))
		_, err = solo.Open(w.dir, w.accounts, options(w.fake))
		require.Error(t, err, "without the key")
	})
}
