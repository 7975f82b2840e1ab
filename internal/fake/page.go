package fake

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/garminkit/activityapi/activity/activitytest"
	"github.com/garminkit/activityapi/types"
)

//go:embed web
var web embed.FS

// pagePolicy takes no script and no style but the page's own, from no other place.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// servePage serves the page and what belongs to it. It has no secret in it: the
// script asks the control API, which knows whom to answer.
func servePage(mux *http.ServeMux) {
	page := renderPage()
	serve := func(path, contentType string, b []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType+"; charset=utf-8")
			w.Header().Set("Content-Security-Policy", pagePolicy)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Referrer-Policy", "no-referrer")
			w.Header().Set("Cache-Control", "no-cache")
			w.Write(b)
		})
	}
	serve("/{$}", "text/html", page)
	for name, contentType := range map[string]string{"fake.css": "text/css", "fake.js": "text/javascript"} {
		b, err := web.ReadFile("web/" + name)
		if err != nil {
			panic(err) // it is embedded
		}
		serve("/"+name, contentType, b)
	}
}

// setting is how a program in some language is pointed at the fake. The words in
// capitals are filled in by the page.
type setting struct{ ID, Name, Text string }

func renderPage() []byte {
	var b bytes.Buffer
	t := template.Must(template.ParseFS(web, "web/page.html"))
	err := t.Execute(&b, map[string]any{
		"Sports": []string{"run", "ride", "indoor-ride", "pool-swim", "open-swim", "walk", "strength", "wheelchair", "triathlon", "manual"}, "Kinds": types.Kinds(), "Quirks": activitytest.Quirks(), "Settings": settings(),
	})
	if err != nil {
		panic(err) // the template is embedded, and all it gets is ours
	}
	return b.Bytes()
}

func settings() []setting {
	return []setting{
		{"go", "Go", `pool, err := activity.NewPool(&activity.Options{BaseURL: "BASE_URL/wellness-api/rest"})
app := auth.App{ClientID: "CLIENT_ID", ClientSecret: "CLIENT_SECRET"}
users, err := auth.NewUsers(app, store, &auth.Options{Pool: pool, BaseURL: "BASE_URL"})`},
		{"node", "Node", `import { Control } from "./control.mjs"; // examples/javascript
import { Garmin } from "./garmin.mjs";
const control = new Control("BASE_URL/control");
const user = await control.addUser({});
const garmin = new Garmin("BASE_URL", { headers: { Authorization: "Bearer " + user.accessToken } });
console.log(await garmin.getUserID());
// OAuth 2: client_id "CLIENT_ID", client_secret "CLIENT_SECRET"`},
		{"python", "Python", `import json, urllib.request
def call(method, url, token=None, body=None):
    request = urllib.request.Request(url, method=method, data=body and json.dumps(body).encode())
    if token:
        request.add_header("Authorization", "Bearer " + token)
    return json.load(urllib.request.urlopen(request))
user = call("POST", "BASE_URL/control/users", body={"historyFrom": "2025-01-01T00:00:00Z"})
print(call("GET", "BASE_URL/wellness-api/rest/user/id", user["accessToken"]))
# OAuth 2: client_id "CLIENT_ID", client_secret "CLIENT_SECRET"`},
		{"curl", "curl", `curl -X POST BASE_URL/control/users -d '{"id": "alice", "accessToken": "t1"}'
curl -X PUT BASE_URL/control/endpoints/all -d '{"url": "http://127.0.0.1:8080/garmin"}'
curl -X POST BASE_URL/control/users/alice/sync -d '{"sport": "run"}'
curl BASE_URL/wellness-api/rest/user/id -H 'Authorization: Bearer t1'
curl -X POST BASE_URL/control/clock -d '{"advance": "24h"}'
curl BASE_URL/di-oauth2-service/oauth/token -d grant_type=refresh_token -d client_id=CLIENT_ID -d client_secret=CLIENT_SECRET -d refresh_token=REFRESH_TOKEN`},
	}
}
