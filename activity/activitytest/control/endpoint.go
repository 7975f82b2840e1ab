package control

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/garminkit/activityapi/types"
)

type endpointView struct {
	Key     types.Kind `json:"key"`
	URL     string     `json:"url"`
	Enabled bool       `json:"enabled"`
	OnHold  bool       `json:"onHold"`
	Push    bool       `json:"push"`
	// Waiting are items not yet sent, Failed those that will be sent again.
	Waiting int `json:"waiting"`
	Failed  int `json:"failed"`
}

// listKeys returns the list keys in the order of Garmin's tool.
func listKeys() []types.Kind {
	return append(types.Kinds(), types.KindDeregistrations, types.KindPermissionChanges)
}

func (c *control) endpoints() []endpointView {
	var list []endpointView
	state := c.s.State()
	for _, key := range listKeys() {
		e := state.Endpoints[key]
		list = append(list, endpointView{key, e.URL, e.Enabled, e.OnHold, e.Push, state.Waiting[key], state.Failed[key]})
	}
	return list
}

// setEndpoint changes the fields that the body has.
func (c *control) setEndpoint(r *http.Request) (any, error) {
	var b struct {
		URL     *string `json:"url"`
		Enabled *bool   `json:"enabled"`
		OnHold  *bool   `json:"onHold"`
		Push    *bool   `json:"push"`
	}
	if err := readBody(r, &b); err != nil {
		return nil, err
	}
	if b.URL != nil && *b.URL != "" && !strings.HasPrefix(*b.URL, "http://") && !strings.HasPrefix(*b.URL, "https://") {
		return nil, errors.New("the URL is neither http nor https")
	}
	keys := listKeys()
	if key := types.Kind(r.PathValue("key")); key != "all" {
		if !key.Known() && key != types.KindDeregistrations && key != types.KindPermissionChanges {
			return nil, fmt.Errorf("no such list key")
		}
		keys = []types.Kind{key}
	}
	for _, key := range keys {
		e := c.s.State().Endpoints[key]
		if b.URL != nil {
			e.URL = *b.URL
		}
		for field, v := range map[*bool]*bool{&e.Enabled: b.Enabled, &e.OnHold: b.OnHold, &e.Push: b.Push} {
			if v != nil {
				*field = *v
			}
		}
		c.s.SetEndpoints(e, key)
	}
	return c.endpoints(), nil
}
