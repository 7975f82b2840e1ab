// Package verdict lets a credential tell the client above it that a refusal
// does not judge the user.
package verdict

import (
	"io"
	"net/http"
)

// Withhold marks an answer that refuses the user's token and proves nothing
// about the user: the token is not the user's last one, or is fresh from the
// token server.
func Withhold(resp *http.Response) {
	if !Withheld(resp) {
		resp.Body = withheld{resp.Body}
	}
}

// Withheld reports whether the answer was marked.
func Withheld(resp *http.Response) bool {
	_, ok := resp.Body.(withheld)
	return ok
}

type withheld struct{ io.ReadCloser }
