// Package openapi holds answers against a document of OpenAPI 3.1, for tests. It
// knows the keywords of JSON Schema that the documents of this module use, and
// refuses others, so that nothing is described that is not checked.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strconv"
	"strings"
)

// Document is a document of OpenAPI or AsyncAPI.
type Document struct{ root map[string]any }

// Read reads a document in JSON. It fails if a reference leads nowhere or a schema
// has a keyword that is not known.
func Read(b []byte) (*Document, error) {
	d := &Document{}
	v, err := decode(b)
	if err != nil {
		return nil, err
	}
	d.root, _ = v.(map[string]any)
	if d.root["openapi"] == nil && d.root["asyncapi"] == nil {
		return nil, errors.New("neither openapi nor asyncapi")
	}
	return d, d.look(d.root, "#")
}

func decode(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err = d.Decode(&v); err == nil && d.More() {
		err = errors.New("more than one JSON value")
	}
	return v, err
}

// keywords are those that validate looks at, and those that say nothing about
// what is valid.
var keywords = [...]string{
	"$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "const", "allOf", "anyOf",
	"minimum", "maximum", "minLength", "pattern", "format",
	"description", "default", "contentEncoding",
}

// look checks references and schemas below v.
func (d *Document) look(v any, at string) error {
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			if err := d.look(e, at+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			if _, err := d.resolve(ref); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
		}
		for key, e := range v {
			var err error
			switch key {
			case "schema", "payload":
				err = d.lookSchema(e, at+"/"+key)
			case "schemas":
				for name, s := range e.(map[string]any) {
					if err = d.lookSchema(s, at+"/"+key+"/"+name); err != nil {
						break
					}
				}
			default:
				err = d.look(e, at+"/"+key)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Document) lookSchema(v any, at string) error {
	s, ok := v.(map[string]any)
	if !ok {
		if _, ok = v.(bool); ok {
			return nil
		}
		return fmt.Errorf("%s: not a schema", at)
	}
	below := []any{}
	for key, e := range s {
		if !slices.Contains(keywords[:], key) {
			return fmt.Errorf("%s: the keyword %s is not known", at, key)
		}
		switch key {
		case "$ref":
			if _, err := d.resolve(e.(string)); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
		case "items", "additionalProperties":
			below = append(below, e)
		case "allOf", "anyOf":
			below = append(below, e.([]any)...)
		case "properties":
			for _, p := range e.(map[string]any) {
				below = append(below, p)
			}
		}
	}
	for _, e := range below {
		if err := d.lookSchema(e, at+"/…"); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) resolve(ref string) (map[string]any, error) {
	var v any = d.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s leads nowhere", ref)
	}
	return m, nil
}

// Operations returns what the document of an API describes, as "GET /users/{id}",
// sorted.
func (d *Document) Operations() []string {
	var list []string
	paths, _ := d.root["paths"].(map[string]any)
	for path, item := range paths {
		for method := range item.(map[string]any) {
			list = append(list, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

// Answer checks the answer to a request: its status, the type of its body, and
// the body if that is JSON.
func (d *Document) Answer(method, path string, status int, contentType string, body []byte) error {
	op, err := d.operation(method, path)
	if err != nil {
		return err
	}
	responses, _ := op["responses"].(map[string]any)
	response, ok := responses[strconv.Itoa(status)].(map[string]any)
	if !ok {
		return fmt.Errorf("%s %s: status %d is not described", method, path, status)
	}
	if err := d.content(response["content"], contentType, body); err != nil {
		return fmt.Errorf("%s %s: answer %d: %w", method, path, status, err)
	}
	return nil
}

// Request checks the JSON body of a request.
func (d *Document) Request(method, path string, body []byte) error {
	op, err := d.operation(method, path)
	if err != nil {
		return err
	}
	request, ok := op["requestBody"].(map[string]any)
	switch {
	case len(body) == 0:
		return nil
	case !ok:
		return fmt.Errorf("%s %s: a body is not described", method, path)
	}
	if err := d.content(request["content"], "application/json", body); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

func (d *Document) content(content any, contentType string, body []byte) error {
	types, _ := content.(map[string]any)
	if types == nil {
		if len(body) > 0 {
			return errors.New("no body is described")
		}
		return nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	c, ok := types[media].(map[string]any)
	if !ok {
		return fmt.Errorf("a body of %s is not described", media)
	}
	if media != "application/json" {
		return nil
	}
	v, err := decode(body)
	if err != nil {
		return err
	}
	return d.validate(c["schema"], v, "")
}

// Schema checks JSON against a schema of the components.
func (d *Document) Schema(name string, body []byte) error {
	v, err := decode(body)
	if err != nil {
		return err
	}
	return d.validate(map[string]any{"$ref": "#/components/schemas/" + name}, v, "")
}

// operation finds the one that a path is of: the one with the fewest variables.
func (d *Document) operation(method, path string) (map[string]any, error) {
	paths, _ := d.root["paths"].(map[string]any)
	var found map[string]any
	least := 1 << 10
	for template, item := range paths {
		n, ok := matches(template, path)
		op, has := item.(map[string]any)[strings.ToLower(method)].(map[string]any)
		if ok && has && n < least {
			found, least = op, n
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s %s is not described", method, path)
	}
	return found, nil
}

// matches also returns how many variables the template has.
func matches(template, path string) (variables int, ok bool) {
	a, b := strings.Split(template, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return 0, false
	}
	for i := range a {
		switch {
		case strings.HasPrefix(a[i], "{") && b[i] != "":
			variables++
		case a[i] != b[i]:
			return 0, false
		}
	}
	return variables, true
}
