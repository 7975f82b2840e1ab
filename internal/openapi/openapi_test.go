package openapi

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sample = `{"openapi":"3.1.0","paths":{
	"/a/{id}":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}},"204":{}}},
		"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}},"responses":{"200":{}}}},
	"/a/x":{"get":{"responses":{"404":{}}}}},
	"components":{"schemas":{"A":{"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":3},"s":{"type":"string","enum":["u","vv"],"minLength":2},
		"t":{"type":"string","format":"date-time"},"p":{"type":"string","pattern":"^a+$"},"b":{"type":"string","contentEncoding":"base64"},
		"l":{"type":"array","items":{"type":["string","integer"]}},"o":{"anyOf":[{"type":"boolean"},{"type":"null"}]},
		"c":{"const":7},"m":{"type":"object","additionalProperties":{"type":"number"}},"z":{"allOf":[{"type":"number"},{"minimum":2}]},"any":true},
		"required":["n"],"additionalProperties":false}}}}`

func TestAnswer(t *testing.T) {
	d, err := Read([]byte(sample))
	require.NoError(t, err)
	require.Equal(t, []string{"GET /a/x", "GET /a/{id}", "POST /a/{id}"}, d.Operations())
	for body, want := range map[string]string{
		`{"n":1}`: "",
		`{"n":2,"s":"vv","t":"2026-01-02T03:04:05.6Z","p":"aa","b":"YQ==","l":["x",1],"o":null,"c":7,"m":{"x":1.5},"z":2,"any":{}}`: "",
		`{}`:                    "n is missing",
		`{"n":1,"extra":1}`:     "extra is not described",
		`{"n":1.5}`:             "integer",
		`{"n":"1"}`:             "integer",
		`{"n":0}`:               "less",
		`{"n":4}`:               "more",
		`{"n":1,"s":"w"}`:       "none of",
		`{"n":1,"s":"u"}`:       "short",
		`{"n":1,"t":"today"}`:   "today",
		`{"n":1,"p":"b"}`:       "match",
		`{"n":1,"b":"?"}`:       "base64",
		`{"n":1,"l":[true]}`:    "l[0]",
		`{"n":1,"o":1}`:         "boolean",
		`{"n":1,"c":8}`:         "not 7",
		`{"n":1,"m":{"x":"y"}}`: "m.x",
		`{"n":1,"z":1}`:         "less",
		`[]`:                    "array",
		`{"n":1} {}`:            "more than one",
		`{`:                     "EOF",
	} {
		for _, err := range []error{
			d.Answer("GET", "/a/1", 200, "application/json;charset=utf-8", []byte(body)), d.Request("POST", "/a/1", []byte(body)), d.Schema("A", []byte(body)),
		} {
			if want == "" {
				require.NoError(t, err, body)
			} else {
				require.ErrorContains(t, err, want, body)
			}
		}
	}
	require.NoError(t, d.Answer("GET", "/a/1", 204, "", nil))
	require.NoError(t, d.Answer("GET", "/a/x", 404, "", nil))
	require.NoError(t, d.Request("GET", "/a/1", nil))
	for _, err := range []error{
		d.Answer("GET", "/a/x", 200, "", nil), d.Answer("GET", "/b", 200, "", nil), d.Answer("PUT", "/a/1", 200, "", nil),
		d.Answer("GET", "/a/1", 204, "", []byte("x")), d.Answer("GET", "/a/1", 200, "text/html", []byte("x")), d.Answer("GET", "/a/1", 200, "", nil),
		d.Request("GET", "/a/1", []byte("{}")), d.Schema("B", []byte("{}")),
	} {
		require.Error(t, err)
	}
}

func TestRead(t *testing.T) {
	for _, change := range [][2]string{
		{`"minLength"`, `"maxItems"`}, {`schemas/A`, `schemas/B`}, {`"openapi"`, `"swagger"`}, {`"any":true`, `"any":1`}, {`{"type":"null"}`, `{"oneOf":[]}`}, {`"paths":`, `"paths"`},
	} {
		_, err := Read([]byte(strings.Replace(sample, change[0], change[1], 1)))
		require.Error(t, err, change[1])
	}
}
