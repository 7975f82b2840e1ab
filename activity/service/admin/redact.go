package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

const (
	// readMost and showMost bound what is read of a letter and shown of it.
	readMost = 1 << 20
	showMost = 64 << 10
	// deepest is how deep a letter may be nested; Garmin's go to 5.
	deepest = 32
)

// shown are the keys whose values say what an item is and nothing of how the
// user lives. All other values are left out.
var shown = map[string]bool{
	"userId": true, "summaryId": true, "activityId": true, "parentSummaryId": true, "isParent": true,
	"activityType": true, "fileType": true, "manual": true, "isWebUpload": true,
	"uploadStartTimeInSeconds": true, "uploadEndTimeInSeconds": true, "changeTimeInSeconds": true, "permissions": true,
}

// secret are keys whose values are never shown.
func secret(key string) bool {
	k := strings.ToLower(key)
	return strings.Contains(k, "token") || strings.Contains(k, "secret") || strings.Contains(k, "password")
}

// hidden is what stands for a secret.
const hidden = "[hidden]"

// redact reads JSON and writes it again, indented: with whole all but secrets,
// otherwise with most values left out. cut tells that there is more.
func redact(r io.Reader, whole bool) (text string, cut bool, err error) {
	data, err := io.ReadAll(io.LimitReader(r, readMost))
	if err != nil {
		return "", false, err
	}
	cut = len(data) == readMost
	w := &writer{whole: whole}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err = w.value(d, "", 0); err == nil && !cut {
		if _, err = d.Token(); err == nil {
			err = errMore
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	switch {
	case err == nil:
		return w.b.String(), cut, nil
	case errors.Is(err, errFull) || cut:
		return w.b.String(), true, nil
	}
	return noJSON(data, whole), cut, nil
}

// writer writes values until it has written enough.
type writer struct {
	b     strings.Builder
	whole bool
}

var (
	errFull = errors.New("enough")
	errMore = errors.New("bytes after the value")
)

// value copies the value that comes next in d; key is the name it has.
func (w *writer) value(d *json.Decoder, key string, depth int) error {
	if w.b.Len() > showMost || depth > deepest {
		return errFull
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		if secret(key) {
			w.text(hidden)
			return skip(d)
		}
		return w.list(d, t, key, depth)
	case string:
		w.text(w.string(key, t))
	case json.Number:
		w.plain(key, t.String(), "[number]")
	case bool:
		w.plain(key, fmt.Sprint(t), "[true or false]")
	case nil:
		w.b.WriteString("null")
	}
	return nil
}

// skip reads the rest of an object or array.
func skip(d *json.Decoder) error {
	for open := 1; open > 0; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			open++
		case json.Delim('}'), json.Delim(']'):
			open--
		}
	}
	return nil
}

// list copies the rest of an object or array.
func (w *writer) list(d *json.Decoder, open json.Delim, key string, depth int) error {
	w.b.WriteString(open.String())
	for n := 0; d.More(); n++ {
		if n > 0 {
			w.b.WriteByte(',')
		}
		w.line(depth + 1)
		if open == '{' {
			t, err := d.Token()
			if err != nil {
				return err
			}
			key, _ = t.(string)
			w.text(cutText(withoutSecrets(key), 100))
			w.b.WriteString(": ")
		}
		if err := w.value(d, key, depth+1); err != nil {
			return err
		}
	}
	end, err := d.Token()
	if err != nil {
		return err
	}
	w.line(depth)
	fmt.Fprint(&w.b, end)
	return nil
}

func (w *writer) line(depth int) {
	w.b.WriteByte('\n')
	for range depth {
		w.b.WriteString("  ")
	}
}

func (w *writer) text(s string) {
	quoted, _ := json.Marshal(s)
	w.b.Write(quoted)
}

// plain writes a number or flag, or what stands for one.
func (w *writer) plain(key, value, instead string) {
	switch {
	case secret(key):
		w.text(hidden)
	case w.whole || shown[key]:
		w.b.WriteString(value)
	default:
		w.text(instead)
	}
}

// string is what is shown of a text.
func (w *writer) string(key, value string) string {
	switch {
	case secret(key):
		return hidden
	case strings.Contains(strings.ToLower(key), "url") || w.whole && strings.Contains(value, "://"):
		// Where it leads, and not the token in it.
		before, query := value, ""
		if i := strings.IndexAny(value, "?#"); i >= 0 {
			before, query = value[:i], value[i:i+1]+hidden
		}
		if at := strings.LastIndex(before, "@"); at >= 0 {
			before = hidden + before[at:]
		}
		return cutText(withoutSecrets(before)+query, 300)
	case w.whole:
		return cutText(withoutSecrets(value), 1000)
	case shown[key]:
		return cutText(value, 100)
	}
	return fmt.Sprintf("[text of %d]", len(value))
}

func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

var (
	// word is in the name of a secret.
	word = regexp.MustCompile(`(?i)token|secret|password`)
	// letter is one that is written as an escape.
	letter = regexp.MustCompile(`\\u00(?:4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])`)
)

// longestName is how far behind a word its value is looked for. It bounds the time
// for a text that is full of words.
const longestName = 1000

// withoutSecrets returns a text, which may be broken JSON, in which the value behind
// each word that names a secret is hidden.
func withoutSecrets(text string) string {
	text = letter.ReplaceAllStringFunc(text, func(s string) string {
		c, _ := strconv.ParseUint(s[2:], 16, 8)
		return string(rune(c))
	})
	var b strings.Builder
	done := 0
	for _, at := range word.FindAllStringIndex(text, -1) {
		if at[0] < done {
			continue // in a value that is hidden
		}
		if from, to := valueAfter(text, at[1]); from > 0 {
			b.WriteString(text[done:at[1]] + "=" + hidden)
			done = to
		}
	}
	return b.String() + text[done:]
}

// valueAfter returns where the value begins whose name goes on at i, and where it
// ends. from is 0 if there is none. A name in quotes may hold anything, and a list or
// an object behind it is all of the rest. Behind any other name the value follows the
// next colon or equals sign.
func valueAfter(text string, i int) (from, to int) {
	name := text[i:min(len(text), i+longestName)]
	rest := ""
	if q := quote(name); q < len(name) {
		rest = strings.TrimLeft(text[i+q+1:], " \t\r\n")
	}
	quoted := rest != "" && (rest[0] == ':' || rest[0] == '=')
	if !quoted {
		sign := strings.IndexAny(name, ":=")
		if sign < 0 {
			return 0, 0
		}
		rest = text[i+sign:]
	}
	rest = strings.TrimLeft(rest[1:], " \t\r\n")
	from = len(text) - len(rest)
	switch {
	case rest == "" || quoted && (rest[0] == '[' || rest[0] == '{'):
		return from, len(text)
	case rest[0] == '"':
		return from, min(len(text), from+1+quote(rest[1:])+1)
	}
	if n := strings.IndexAny(rest, "&,}]"); n >= 0 {
		return from, from + n
	}
	return from, len(text)
}

// quote returns the index of the first quote that is not escaped, or the length.
func quote(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return len(text)
}

// noJSON shows bytes that are no JSON.
func noJSON(data []byte, whole bool) string {
	if !whole {
		return fmt.Sprintf("[no JSON: %d bytes]", len(data))
	}
	clean := withoutSecrets(string(data))
	return fmt.Sprintf("%q", clean[:min(len(clean), showMost/4)])
}
