package redact_test

import (
	"html"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/internal/redact"
)

func TestText(t *testing.T) {
	t.Parallel()
	const plain = `s3cr3t/t0k3n==<+x`
	once := url.QueryEscape(plain)
	for _, secret := range []string{plain, once, url.QueryEscape(once)} {
		for _, form := range []string{plain, once, strings.ToLower(once), url.QueryEscape(once), html.EscapeString(plain), strings.ReplaceAll(plain, "/", `\/`)} {
			require.Equal(t, "before [REDACTED] after", redact.Text("before "+form+" after", secret), form)
		}
	}
	require.Equal(t, "[REDACTED]&[REDACTED]", redact.Text("secret&secret", "secret"))
	require.Equal(t, "a text", redact.Text("a text", ""))
	require.Empty(t, redact.Text("", "x"))
	require.Equal(t, "100%25 [REDACTED]", redact.Text("100%25 abc", "abc"), "what is no secret stays as it is")
}

// A text that was cut off inside of a secret.
func TestCut(t *testing.T) {
	t.Parallel()
	const plain = `s3cr3t/t0k3n==<+x`
	once := url.QueryEscape(plain)
	for _, secret := range []string{plain, once, url.QueryEscape(once)} {
		for _, form := range []string{plain, once, strings.ToLower(once), url.QueryEscape(once), html.EscapeString(plain), strings.ReplaceAll(plain, "/", `\/`)} {
			for i := range form {
				want := "before "
				if i < 4 {
					want += form[:i]
				}
				require.Equal(t, want, redact.Cut("before "+form[:i], secret), "%s: %s", secret, form[:i])
			}
			whole := "before " + form
			require.Equal(t, whole, redact.Cut(whole, secret), "Text takes it out")
			require.Equal(t, whole+" after s3c", redact.Cut(whole+" after s3c", secret))
		}
	}
	require.Equal(t, `{"a":"s3cr3t%2F"}`, redact.Cut(`{"a":"s3cr3t%2F"}`, plain), "not at the end")
	for _, s := range []string{"", "x", "%", "secr%", "a text of &lt"} {
		require.Equal(t, s, redact.Cut(s, ""), s)
		require.Equal(t, s, redact.Cut(s, "abc"), s)
	}
}

func FuzzText(f *testing.F) {
	f.Add("before %73ecret after", "secret")
	f.Add("&#115;ecret\\u0073ecret", "secret")
	f.Fuzz(func(t *testing.T, s, secret string) {
		if len(s) > 1<<12 || len(secret) < 4 || strings.Contains(redact.Mark, secret) || strings.Contains(secret, redact.Mark) {
			return
		}
		clean := redact.Text(s, secret)
		for part := range strings.SplitSeq(clean, redact.Mark) {
			if strings.Contains(part, secret) {
				t.Fatalf("%q of %q is in %q", secret, s, clean)
			}
		}
	})
}
