package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"github.com/garminkit/activityapi/types"
)

// Bounds on names, in bytes. A file system takes 255 for an element; a name of
// ours leaves room for the revision and the sidecar's ending within 120.
const (
	maxElement   = 98
	maxForeign   = 200  // an element of a name that the partner made
	maxName      = 1024 // the whole of it
	sidecarEnd   = ".json"
	maxExtension = 16
)

// fileName makes the name of a file from its announcement, such as
// "4aacafe8/5001-file_19940666749.fit": the user, the summary id, the activity id
// if there is one, and the type. Different files have different names, even in a
// case-insensitive file system, and no name equals that of a sidecar: the
// elements are escaped so that "/", "_" and "." occur only between them. No
// element is a name that Windows reserves.
func fileName(f *types.ActivityFile) string {
	base := escape(string(f.SummaryID))
	if f.ActivityID != "" {
		base += "_" + escape(string(f.ActivityID))
	}
	if base == "" {
		base = "_"
	}
	ext := escapeType(f.FileType)
	if ext = "." + ext; ext == sidecarEnd {
		ext = ".%6ason" // The other name is that of the sidecar of a file without a type.
	}
	ext = strings.TrimSuffix(ext, ".")
	return userDir(f.UserID) + "/" + shorten(base+ext, maxElement, ext)
}

// userDir is the first element of the names of a user's files.
func userDir(id types.UserID) string {
	user := escape(string(id))
	if user == "" {
		user = "_"
	}
	return shorten(user, maxElement, "")
}

const plainBytes = "abcdefghijklmnopqrstuvwxyz0123456789-"

// escape makes foreign text part of a name: a-z, 0-9 and "-" stay, and every
// other byte, including upper-case letters, is written like "%41".
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		escapeByte(&b, s[i])
	}
	if reserved(b.String()) {
		return fmt.Sprintf("%%%02x%s", s[0], b.String()[1:])
	}
	return b.String()
}

func escapeByte(b *strings.Builder, c byte) {
	if strings.IndexByte(plainBytes, c) >= 0 {
		b.WriteByte(c)
	} else {
		fmt.Fprintf(b, "%%%02x", c)
	}
}

// escapeType does the same for a type, with the cases swapped: FIT becomes "fit".
func escapeType(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		case c >= 'a' && c <= 'z':
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			escapeByte(&b, c)
		}
	}
	return b.String()
}

// reserved reports whether Windows takes the lower-case name for a device,
// whatever its ending.
func reserved(name string) bool {
	switch name {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(name) == 4 && (strings.HasPrefix(name, "com") || strings.HasPrefix(name, "lpt")) && name[3] >= '0' && name[3] <= '9'
}

// shorten cuts an element that is longer than most and marks it with a hash of
// the whole. Its ending ext is kept if it is short. "~" is in no name before.
func shorten(element string, most int, ext string) string {
	if len(element) <= most {
		return element
	}
	if len(ext) > maxExtension {
		ext = ""
	}
	sum := sha256.Sum256([]byte(element))
	mark := "~" + hex.EncodeToString(sum[:16]) + ext
	return element[:most-len(mark)] + mark
}

// revised returns another name for a file whose own name is taken by other bytes.
func revised(name, sha256 string) string {
	dir, element := path.Split(name)
	ext := path.Ext(element)
	return dir + strings.TrimSuffix(element, ext) + "~" + sha256[:16] + ext
}

// name returns the file's name in the store. It refuses, before Garmin is asked,
// what could not be stored later.
func (s *fileStore) name(f *types.ActivityFile) (string, error) {
	if s.opts.Name == nil {
		return fileName(f), nil
	}
	name := path.Clean(s.opts.Name(f))
	elements := strings.Split(name, "/")
	for i, e := range elements {
		ext := ""
		if i == len(elements)-1 {
			ext = path.Ext(e)
		}
		elements[i] = shorten(e, maxForeign, ext)
	}
	name = strings.Join(elements, "/")
	if len(name) > maxName {
		return "", fmt.Errorf("notify: file name %.100q... is longer than %d bytes", name, maxName)
	}
	return name, checkName(name)
}
