package openapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"
)

// validate holds a value against a schema. at is where the value is.
func (d *Document) validate(schema, v any, at string) error {
	if all, ok := schema.(bool); ok {
		if !all {
			return fmt.Errorf("%s is not described", at)
		}
		return nil
	}
	s, ok := schema.(map[string]any)
	if !ok {
		return errors.New("not a schema")
	}
	if ref, ok := s["$ref"].(string); ok {
		target, err := d.resolve(ref)
		if err != nil {
			return err
		}
		return d.validate(target, v, at)
	}
	if err := checkType(s["type"], v); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if want, ok := s["const"]; ok && !reflect.DeepEqual(want, v) {
		return fmt.Errorf("%s: %v, not %v", at, v, want)
	}
	if enum, ok := s["enum"].([]any); ok && !slices.ContainsFunc(enum, func(e any) bool { return reflect.DeepEqual(e, v) }) {
		return fmt.Errorf("%s: %v is none of %v", at, v, enum)
	}
	all, _ := s["allOf"].([]any)
	for _, sub := range all {
		if err := d.validate(sub, v, at); err != nil {
			return err
		}
	}
	if some, ok := s["anyOf"].([]any); ok {
		var errs []error
		for _, sub := range some {
			err := d.validate(sub, v, at)
			if err == nil {
				errs = nil
				break
			}
			errs = append(errs, err)
		}
		if errs != nil {
			return errors.Join(errs...)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		return d.object(s, v, at)
	case []any:
		if items, ok := s["items"]; ok {
			for i, e := range v {
				if err := d.validate(items, e, fmt.Sprintf("%s[%d]", at, i)); err != nil {
					return err
				}
			}
		}
	case string:
		if err := checkString(s, v); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	case json.Number:
		if err := checkNumber(s, v); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

func (d *Document) object(s, v map[string]any, at string) error {
	required, _ := s["required"].([]any)
	for _, key := range required {
		if _, ok := v[key.(string)]; !ok {
			return fmt.Errorf("%s.%s is missing", at, key)
		}
	}
	properties, _ := s["properties"].(map[string]any)
	for key, e := range v {
		sub, ok := properties[key]
		if !ok {
			if sub, ok = s["additionalProperties"]; !ok {
				continue
			}
		}
		if err := d.validate(sub, e, at+"."+key); err != nil {
			return err
		}
	}
	return nil
}

func checkType(want, v any) error {
	var types []any
	switch want := want.(type) {
	case nil:
		return nil
	case []any:
		types = want
	default:
		types = []any{want}
	}
	got := []any{"null"}
	switch v := v.(type) {
	case map[string]any:
		got = []any{"object"}
	case []any:
		got = []any{"array"}
	case string:
		got = []any{"string"}
	case bool:
		got = []any{"boolean"}
	case json.Number:
		got = []any{"number"}
		if _, err := v.Int64(); err == nil {
			got = append(got, "integer")
		}
	}
	if !slices.ContainsFunc(types, func(t any) bool { return slices.Contains(got, t) }) {
		return fmt.Errorf("%v, not %v", got, types)
	}
	return nil
}

func checkString(s map[string]any, v string) error {
	if n, ok := s["minLength"].(json.Number); ok {
		if least, err := n.Int64(); err != nil || int64(utf8.RuneCountInString(v)) < least {
			return errors.New("too short")
		}
	}
	if pattern, ok := s["pattern"].(string); ok {
		if match, err := regexp.MatchString(pattern, v); err != nil || !match {
			return fmt.Errorf("%q does not match %s", v, pattern)
		}
	}
	switch s["format"] {
	case nil:
	case "date-time":
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
			return err
		}
	default:
		return fmt.Errorf("the format %v is not known", s["format"])
	}
	if s["contentEncoding"] == "base64" {
		if _, err := base64.StdEncoding.DecodeString(v); err != nil {
			return err
		}
	}
	return nil
}

func checkNumber(s map[string]any, v json.Number) error {
	f, err := v.Float64()
	if err != nil {
		return err
	}
	if n, ok := s["minimum"].(json.Number); ok {
		if least, err := n.Float64(); err != nil || f < least {
			return fmt.Errorf("%s is less than %s", v, n)
		}
	}
	if n, ok := s["maximum"].(json.Number); ok {
		if most, err := n.Float64(); err != nil || f > most {
			return fmt.Errorf("%s is more than %s", v, n)
		}
	}
	return nil
}
