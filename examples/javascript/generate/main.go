// Generate writes the JavaScript clients of examples/javascript from the OpenAPI
// documents of the fake Garmin, with declarations for TypeScript:
//
//	go run ./examples/javascript/generate
//
// A client is a module of JavaScript, which every Node runs as it is, with a file of
// types beside it, which TypeScript reads. Node takes TypeScript itself only from
// version 22.18 on.
package main

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	from := flag.String("from", "activity/activitytest/control/openapi", "`folder` of the documents")
	to := flag.String("to", "examples/javascript", "`folder` of the clients")
	flag.Parse()
	for _, name := range clients() {
		code, types, err := generate(filepath.Join(*from, name+".json"), name)
		if err == nil {
			err = os.WriteFile(filepath.Join(*to, name+".mjs"), code, 0o644)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(*to, name+".d.mts"), types, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "generate:", err)
			os.Exit(1)
		}
	}
}

// clients are the documents of which a client is made.
func clients() []string { return []string{"control", "garmin"} }

type document struct {
	Info       struct{ Title string }
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

type operation struct {
	OperationID string
	Summary     string
	Description string
	Parameters  []parameter
	RequestBody *body
	Responses   map[string]body
}

type parameter struct {
	Name, In string
	Required bool
	Schema   schema
}

type body struct {
	Required bool
	Content  map[string]struct{ Schema schema }
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Description          string
	Properties           map[string]schema
	Required             []string
	Items                *schema
	Enum                 []any
	Const                any
	AnyOf, AllOf         []schema
	AdditionalProperties any
}

// call is an operation with its place.
type call struct {
	operation
	method, path string
}

// base is what every client begins with.
//
//go:embed base.mjs
var base string

// baseTypes declares it.
//
//go:embed base.d.mts
var baseTypes string

func generate(file, name string) (code, types []byte, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	var calls []call
	for path, item := range d.Paths {
		for method, op := range item {
			calls = append(calls, call{op, strings.ToUpper(method), path})
		}
	}
	slices.SortFunc(calls, func(a, b call) int { return cmp.Compare(a.OperationID, b.OperationID) })
	class := strings.ToUpper(name[:1]) + name[1:]
	head := "// " + d.Info.Title + ". Written by examples/javascript/generate: do not edit.\n\n"

	var js, ts strings.Builder
	js.WriteString(head + base + "\nexport class " + class + " extends Client {\n")
	ts.WriteString(head + baseTypes + "\n")
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		s := d.Components.Schemas[name]
		comment(&ts, "", s.Description)
		fmt.Fprintf(&ts, "export type %s = %s;\n\n", name, s.typescript(""))
	}
	fmt.Fprintf(&ts, "export class %s extends Client {\n", class)
	for i := range calls {
		c := &calls[i]
		if i > 0 {
			js.WriteString("\n")
			ts.WriteString("\n")
		}
		c.javascript(&js)
		c.declare(&ts)
	}
	js.WriteString("}\n")
	ts.WriteString("}\n")
	return []byte(js.String()), []byte(ts.String()), nil
}

func comment(b *strings.Builder, indent, text string) {
	if text != "" {
		fmt.Fprintf(b, "%s/** %s */\n", indent, text)
	}
}

func (c *call) in(where string) []parameter {
	return slices.DeleteFunc(slices.Clone(c.Parameters), func(p parameter) bool { return p.In != where })
}

// form and json tell what the request's body is.
func (b *body) has(contentType string) bool {
	if b == nil {
		return false
	}
	_, ok := b.Content[contentType]
	return ok
}

const formType = "application/x-www-form-urlencoded"

// javascript writes the method: first the variables of the path, then the query,
// then the body.
func (c *call) javascript(b *strings.Builder) {
	comment(b, "  ", strings.TrimSpace(c.Summary+". "+c.Description))
	var args []string
	path := c.path
	for _, p := range c.in("path") {
		args = append(args, p.Name)
		path = strings.ReplaceAll(path, "{"+p.Name+"}", "${encodeURIComponent("+p.Name+")}")
	}
	options := []string{}
	if len(c.in("query")) > 0 {
		args = append(args, "query = {}")
		options = append(options, "query")
	}
	switch {
	case c.RequestBody.has("application/json"):
		args = append(args, "body")
		options = append(options, "json: body")
	case c.RequestBody.has(formType):
		args = append(args, "form")
		options = append(options, "form")
	}
	fmt.Fprintf(b, "  %s(%s) {\n    return this.call(%q, `%s`, { %s });\n  }\n", c.OperationID, strings.Join(args, ", "), c.method, path, strings.Join(options, ", "))
}

// declare writes the method's type.
func (c *call) declare(b *strings.Builder) {
	comment(b, "  ", strings.TrimSpace(c.Summary+". "+c.Description))
	var args []string
	for _, p := range c.in("path") {
		args = append(args, p.Name+": "+p.Schema.typescript("  "))
	}
	if q := c.in("query"); len(q) > 0 {
		o := schema{Type: "object", Properties: make(map[string]schema)}
		for _, p := range q {
			o.Properties[p.Name] = p.Schema
			if p.Required {
				o.Required = append(o.Required, p.Name)
			}
		}
		optional := "?"
		if len(o.Required) > 0 {
			optional = ""
		}
		args = append(args, "query"+optional+": "+o.typescript("  "))
	}
	for contentType, name := range map[string]string{"application/json": "body", formType: "form"} {
		if c.RequestBody.has(contentType) {
			optional := "?"
			if c.RequestBody.Required {
				optional = ""
			}
			args = append(args, name+optional+": "+c.RequestBody.Content[contentType].Schema.typescript("  "))
		}
	}
	fmt.Fprintf(b, "  %s(%s): Promise<%s>;\n", c.OperationID, strings.Join(args, ", "), c.answer())
}

// answer is the type of the first success.
func (c *call) answer() string {
	for _, status := range slices.Sorted(maps.Keys(c.Responses)) {
		r := c.Responses[status]
		switch {
		case status[0] == '3':
			return "{ location: string }"
		case status[0] != '2':
		case r.has("application/json"):
			return r.Content["application/json"].Schema.typescript("  ")
		case r.has("application/octet-stream"):
			return "Uint8Array"
		case len(r.Content) > 0:
			return "string"
		default:
			return "void"
		}
	}
	return "void"
}

// typescript writes the type of a schema.
func (s schema) typescript(indent string) string {
	union := func(list []schema, with string) string {
		var parts []string
		for _, sub := range list {
			parts = append(parts, sub.typescript(indent))
		}
		return strings.Join(parts, with)
	}
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case s.Const != nil:
		return literal(s.Const)
	case s.Enum != nil:
		var parts []string
		for _, v := range s.Enum {
			parts = append(parts, literal(v))
		}
		return strings.Join(parts, " | ")
	case s.AnyOf != nil:
		return union(s.AnyOf, " | ")
	case s.AllOf != nil:
		return union(s.AllOf, " & ")
	}
	if types, ok := s.Type.([]any); ok {
		var parts []schema
		for _, t := range types {
			parts = append(parts, schema{Type: t})
		}
		return union(parts, " | ")
	}
	switch s.Type {
	case "string":
		return "string"
	case "integer", "number":
		return "number"
	case "boolean":
		return "boolean"
	case "array":
		return "Array<" + s.Items.typescript(indent) + ">"
	case "object":
		return s.object(indent)
	}
	return "unknown"
}

func literal(v any) string {
	b, _ := json.Marshal(v) // of JSON
	return string(b)
}

func (s schema) object(indent string) string {
	if s.Properties == nil {
		if of, ok := s.AdditionalProperties.(map[string]any); ok {
			var sub schema
			if b, err := json.Marshal(of); err == nil && json.Unmarshal(b, &sub) == nil {
				return "{ [name: string]: " + sub.typescript(indent) + " }"
			}
		}
		return "{ [name: string]: unknown }"
	}
	var b strings.Builder
	b.WriteString("{\n")
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		comment(&b, indent+"  ", p.Description)
		optional := "?"
		if slices.Contains(s.Required, name) {
			optional = ""
		}
		fmt.Fprintf(&b, "%s  %s%s: %s;\n", indent, key(name), optional, p.typescript(indent+"  "))
	}
	b.WriteString(indent + "}")
	return b.String()
}

// key quotes a name that TypeScript does not take bare.
func key(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" {
		return literal(name)
	}
	return name
}
