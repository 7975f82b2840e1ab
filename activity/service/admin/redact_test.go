package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity/service/admin"
)

// TestRedact: what is shown of a letter, at first and once it was asked for.
func TestRedact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in     string
		first, asked string // is in it
		cut          bool
	}{
		{"names stay", `{"userId":"u1","activityType":"RUNNING"}`, `"userId": "u1"`, `"activityType": "RUNNING"`, false},
		{"a name", `{"activityName":"Ann"}`, `"[text of 3]"`, `"Ann"`, false},
		{"a place", `{"startingLatitudeInDegree":51.053}`, `"[number]"`, `51.053`, false},
		{"a long number", `{"activityId":123456789012345678901}`, `123456789012345678901`, `123456789012345678901`, false},
		{"a flag", `{"isParent":true,"odd":false}`, `"[true or false]"`, `false`, false},
		{"null", `{"x":null}`, `null`, `null`, false},
		{"a token", `{"userAccessToken":"CANARY1"}`, `"[hidden]"`, `"[hidden]"`, false},
		{"a token that is a number", `{"token":12345678}`, `"[hidden]"`, `"[hidden]"`, false},
		{"tokens in a list", `{"tokens":["CANARY1",{"x":"y"}]}`, `"[hidden]"`, `"[hidden]"`, false},
		{"a callback", `{"callbackURL":"https://apis.garmin.com/x?token=CANARY1&a=CANARY2"}`, `"https://apis.garmin.com/x?[hidden]"`, `x?[hidden]`, false},
		{"a callback of another name", `{"x":"https://u:CANARY1@h/x?CANARY2"}`, `"[text of 29]"`, `[hidden]@h/x?[hidden]`, false},
		{"a fragment", `{"callbackURL":"https://h/x#access_token=CANARY1"}`, `"https://h/x#[hidden]"`, `x#[hidden]`, false},
		{"a parameter of a path", `{"callbackURL":"https://h/x;token=CANARY1"}`, `"https://h/x;token=[hidden]"`, `x;token=[hidden]`, false},
		{"a name with an address", `{"activityName":"Ann, see http://h"}`, `"[text of 17]"`, `Ann, see http://h`, false},
		{"a token in an object", `{"userAccessToken":{"value":"CANARY1","x":[{}]},"y":1}`, `"userAccessToken": "[hidden]"`, `"y": 1`, false},
		{"a token in lists", `[{"token":[[{"x":"CANARY1"}],"}"]}]`, `"token": "[hidden]"`, `"token": "[hidden]"`, false},
		{"a token in a key", `{"x?token=CANARY1":1}`, `"x?token=[hidden]"`, `"x?token=[hidden]"`, false},
		{"a token within a text", `{"x":"token=CANARY1 and more"}`, `[text of`, `token=[hidden]`, false},
		{"no JSON", `token=CANARY1; "userAccessToken": "CANARY2", hello`, `[no JSON: 50 bytes]`, `hello`, false},
		{"no JSON, with an odd name", `"token2 x": "CANARY1 CANARY2\"CANARY3", hello`, `[no JSON`, `hello`, false},
		{"no JSON, with a comma in a name", `{"token,": "CANARY1", "x": hello`, `[no JSON`, `hello`, false},
		{"no JSON, with signs in a name", `{"a token=,:}] \" x": "CANARY1", hello`, `[no JSON`, `hello`, false},
		{"no JSON, with signs in a value", `{"secret": "CANARY1,CANARY2}]&CANARY3\"CANARY4", hello`, `[no JSON`, `hello`, false},
		{"no JSON, with a quote in a name", `{"a token" x": "CANARY1,CANARY2", hello`, `[no JSON`, `hello`, false},
		{"no JSON, with a long name", `{"token` + strings.Repeat(`\u0026,`, 100) + `": "CANARY1", hello`, `[no JSON`, `hello`, false},
		{"no JSON, with many names", strings.Repeat(`token:a,`, 100_000) + `"`, `[no JSON`, `token`, false},
		{"no JSON, with a list", `{hello "password": ["CANARY1", "CANARY2"]`, `[no JSON`, `hello`, false},
		{"no JSON, with an escape in a name", `{"\u0054oken": "CANARY1", hello`, `[no JSON`, `hello`, false},
		{"no JSON, cut in a value", `{hello "token": "CANARY1`, `[no JSON`, `hello`, false},
		{"JSON in a text", `{"x": "{\"token,\": \"CANARY1,CANARY2\"}"}`, `[text of`, `token=[hidden]`, false},
		{"nothing", ``, `[no JSON: 0 bytes]`, `""`, false},
		{"markup", `{"userId":"<script>"}`, `\u003cscript\u003e`, `\u003cscript\u003e`, false},
		{"deep", strings.Repeat(`[`, 100) + `"CANARY1"` + strings.Repeat(`]`, 100), `[`, `[`, true},
		{"long", `[` + strings.Repeat(`"token=CANARY1",`, 200_000) + `1]`, `[text of`, `[hidden]`, true},
		{"long, no JSON", `{` + strings.Repeat(`token `, 150_000), `[no JSON`, `token`, false},
		{"one long text", `"` + strings.Repeat("x", 1<<21) + `"`, ``, ``, true},
	} {
		for _, whole := range []bool{false, true} {
			text, cut, err := admin.Redact(strings.NewReader(tt.in), whole)
			require.NoError(t, err, tt.name)
			require.Equal(t, tt.cut, cut, tt.name)
			if whole {
				require.Contains(t, text, tt.asked, tt.name)
			} else {
				require.Contains(t, text, tt.first, tt.name)
			}
			require.NotContains(t, text, "CANARY", tt.name)
			require.NotContains(t, text, "12345678\"", tt.name)
			require.Less(t, len(text), 80<<10, tt.name)
		}
	}
}

// FuzzRedact: whatever surrounds it, the value of a token is not shown, and
// what is shown of JSON is JSON.
func FuzzRedact(f *testing.F) {
	f.Add("activities", "userAccessToken", `{"a":1}`)
	f.Add("\u212a", "TOKEN", `[1,[2]]`)
	f.Add("x", "refresh_token", `"text"`)
	f.Add("x", "clientSecret", `{`)
	f.Fuzz(func(t *testing.T, list, key, other string) {
		if !strings.Contains(strings.ToLower(key), "token") || len(key) > 90 {
			key = "userAccessToken"
		}
		const canary = "CANARY-5f2b"
		if strings.Contains(list+key+other, "CANARY") {
			return
		}
		name, _ := json.Marshal(key)
		outer, _ := json.Marshal(list)
		in := fmt.Sprintf(`{%s:[{%s:%q,"callbackURL":"https://x/y?token=%s"},%s]}`, outer, name, canary, canary, other)
		for _, whole := range []bool{false, true} {
			text, cut, err := admin.Redact(strings.NewReader(in), whole)
			require.NoError(t, err)
			require.NotContains(t, text, canary)
			if json.Valid([]byte(in)) && !cut {
				require.True(t, json.Valid([]byte(text)), "%s became %s", in, text)
			}
		}
	})
}
