// Package oracle reads Garmin's JSON the slow and obvious way: by reflection
// over encoding/json. The real decoder is tested against it.
package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
)

// aliases are the second spellings that Garmin's documents use for a key.
var aliases = map[string]string{
	"Manual":                             "manual",
	"wheelChairCadenceInPushesPerMinute": "directWheelchairCadence",
}

// Unmarshal reads one JSON value into v, a pointer to a struct of package
// types, by the rules that its package comment gives.
func Unmarshal(data []byte, v any) error {
	return value(bytes.TrimSpace(data), reflect.ValueOf(v).Elem(), "")
}

func value(data []byte, v reflect.Value, path string) error {
	if string(data) == "null" {
		return nil
	}
	if path != "" || v.Kind() != reflect.Struct {
		if u, ok := v.Addr().Interface().(json.Unmarshaler); ok && v.Kind() != reflect.Struct {
			if err := u.UnmarshalJSON(data); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			return nil
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := value(data, p.Elem(), path); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Struct:
		return object(data, v, path)
	case reflect.Slice:
		var items []json.RawMessage
		if err := json.Unmarshal(data, &items); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		s := reflect.MakeSlice(v.Type(), len(items), len(items))
		for i, item := range items {
			if err := value(item, s.Index(i), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		v.Set(s)
		return nil
	case reflect.Int:
		var n json.Number
		if data[0] == '"' {
			return fmt.Errorf("%s: want an integer, have a string", path)
		}
		if err := json.Unmarshal(data, &n); err != nil {
			return fmt.Errorf("%s: want an integer: %w", path, err)
		}
		i, err := integer(n.String())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		v.SetInt(i)
		return nil
	}
	if err := json.Unmarshal(data, v.Addr().Interface()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// integer reads a JSON number whose value is an int, however it is written.
func integer(s string) (int64, error) {
	if len(s) > 64 {
		return 0, fmt.Errorf("number too long")
	}
	if _, exp, ok := strings.Cut(strings.ToLower(s), "e"); ok && len(strings.TrimLeft(exp, "+-0")) > 2 {
		return 0, fmt.Errorf("number out of range")
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return 0, fmt.Errorf("want an integer, have %s", s)
	}
	i := r.Num().Int64()
	if i > math.MaxInt || i < math.MinInt {
		return 0, fmt.Errorf("want an integer, have %s", s)
	}
	return i, nil
}

func object(data []byte, v reflect.Value, path string) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	t := v.Type()
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if key == "-" || key == "" {
			continue
		}
		for alias, real := range aliases {
			if raw, ok := keys[alias]; ok && real == key {
				if err := value(raw, v.Field(i), path+"."+alias); err != nil {
					return err
				}
			}
		}
		if raw, ok := keys[key]; ok {
			if err := value(raw, v.Field(i), path+"."+key); err != nil {
				return err
			}
		}
	}
	return nil
}
