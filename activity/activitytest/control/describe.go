package control

import (
	"embed"
	"encoding/json"
	"net/http"
)

// The documents: of the control API, of the Garmin API as it is simulated, and of
// the notifications.
//
//go:embed openapi/*.json
var documents embed.FS

func document(name string) func(*http.Request) (any, error) {
	return func(*http.Request) (any, error) {
		b, err := documents.ReadFile("openapi/" + name + ".json")
		return json.RawMessage(b), err
	}
}
