package auth

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// tidy writes the JSON object of a token server's good answer anew, with what
// the libraries that read it need and as they need it. The answer to a refresh is
// the only copy of the user's next refresh token: no oddity beside the tokens,
// such as a lifetime with a fraction, may cost it. Anything else than an object is
// returned as it is.
func tidy(body []byte) []byte {
	var have map[string]json.RawMessage
	if json.Unmarshal(body, &have) != nil || have == nil {
		return body
	}
	answer := map[string]any{}
	for _, key := range []string{"access_token", "refresh_token", "token_type", "error", "error_description"} {
		var s string
		if json.Unmarshal(have[key], &s) == nil && s != "" {
			answer[key] = s
		}
	}
	for _, key := range []string{"expires_in", "refresh_token_expires_in"} {
		number := string(bytes.Trim(have[key], `" `))
		if f, err := strconv.ParseFloat(number, 64); err == nil && f >= 1 && f <= math.MaxInt32 {
			answer[key] = int64(f)
		}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return body
	}
	return text
}
