package types

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUserIDIn(t *testing.T) {
	for _, tt := range []struct {
		id   UserID
		app  string
		want UserID
	}{
		{"4aacafe8", "", "4aacafe8"},
		{"", "", ""},
		{"4aacafe8", "evaluation", "4aacafe8@evaluation"},
		{"", "evaluation", "@evaluation"},
		// A stranger names a user of another application.
		{"4aacafe8@evaluation", "", "4aacafe8@evaluation@"},
		{"4aacafe8@evaluation", "production", "4aacafe8@evaluation@production"},
		{"@", "", "@@"},
	} {
		got := tt.id.In(tt.app)
		require.Equal(t, tt.want, got)
		require.Equal(t, tt.app, got.App())
	}
}

// FuzzUserID: an id and an application come out as they went in, so that no two
// pairs make one user.
func FuzzUserID(f *testing.F) {
	f.Add("4aacafe8", "")
	f.Add("4aacafe8@evaluation", "")
	f.Add("@", "x")
	f.Fuzz(func(t *testing.T, id, app string) {
		for _, c := range app {
			if c == '@' {
				t.Skip() // no application has such a name
			}
		}
		got, in := UserID(id).In(app).cut()
		require.Equal(t, UserID(id), got)
		require.Equal(t, app, in)
	})
}
