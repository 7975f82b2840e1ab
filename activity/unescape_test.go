package activity_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/types"
)

// A token that comes back in another form than it was sent in is still a token.
func TestEscapedSecretsAreScrubbed(t *testing.T) {
	t.Parallel()
	const plain = `s3cr3t/t0k3n=="<+x&y> z`
	quoted, err := json.Marshal(plain)
	require.NoError(t, err)
	every := func(format string) string {
		var b strings.Builder
		for _, c := range []byte(plain) {
			fmt.Fprintf(&b, format, c)
		}
		return b.String()
	}
	once := url.QueryEscape(plain)
	forms := map[string]string{
		"as it is": plain, "query": once, "path": url.PathEscape(plain), "lower case": strings.ToLower(once),
		"twice": url.QueryEscape(once), "three times": url.QueryEscape(url.QueryEscape(once)),
		"JSON": strings.Trim(string(quoted), `"`), "JSON of the escaped": strings.ReplaceAll(once, "%", `\u0025`),
		"HTML": html.EscapeString(plain), "HTML of the escaped": strings.ReplaceAll(once, "%", "&#37;"),
		"every byte": every("%%%02x"), "every byte in JSON": every(`\u%04x`), "every byte in HTML": every("&#x%x;"), "every byte in Go": every(`\x%02X`),
		"slashes as PHP has them": strings.ReplaceAll(plain, "/", `\/`),
	}
	for sent, token := range map[string]string{"query": url.QueryEscape(plain), "path": strings.ReplaceAll(url.PathEscape(plain), "&", "%26"), "twice": url.QueryEscape(url.QueryEscape(plain))} {
		for name, form := range forms {
			for _, wrap := range []string{"%s", "<p>bad token %s here %[1]s</p>", `{"message":"x %s"}`} {
				body := fmt.Sprintf(wrap, form)
				c, _ := answering(t, 400, body, nil, activity.Options{})
				callback := types.Secret(base + "/activities?uploadStartTimeInSeconds=1&uploadEndTimeInSeconds=2&token=" + token)
				_, err := collect(c.Follow(t.Context(), types.KindActivities, callback))
				e := asError(t, err)
				require.Equal(t, 400, e.StatusCode, "%v", err)
				require.NotContains(t, e.Body+e.Message+e.Error(), "s3cr3t", "%s, sent as %s", name, sent)
				for range 4 {
					e.Body, e.Message = html.UnescapeString(e.Body), html.UnescapeString(e.Message)
					if u, err := url.PathUnescape(e.Body); err == nil {
						e.Body = u
					}
					if u, err := url.PathUnescape(e.Message); err == nil {
						e.Message = u
					}
				}
				require.NotContains(t, e.Body+e.Message, "s3cr3t", "%s, sent as %s", name, sent)
			}
		}
	}
}

// An answer made of escapes costs no more time than it is long.
func TestScrubbingIsBounded(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"%31%32%33%34", "%2525252525", `\u0025`, "&#37;", "%", "&"} {
		c, _ := answering(t, 400, strings.Repeat(piece, 64<<10/len(piece)), nil, activity.Options{})
		began := time.Now()
		_, err := c.Download(t.Context(), types.Secret(base+"/activityFile?id=1234&token=abcd"))
		require.Error(t, err)
		require.Less(t, time.Since(began), 5*time.Second, piece)
	}
}
