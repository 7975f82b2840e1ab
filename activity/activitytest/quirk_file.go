package activitytest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/garminkit/activityapi/internal/fitsum"
	"github.com/garminkit/activityapi/types"
)

// fileType is that of an upload with these legs.
func (s *Server) fileType(legs ...*types.ActivityDetails) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.odd(quirkFileTCX):
		return "TCX"
	case s.quirks[quirkFileGPX] > 0 && slices.ContainsFunc(legs, func(d *types.ActivityDetails) bool { return newLeg(d).placed() }) && s.odd(quirkFileGPX):
		return "GPX"
	}
	return "FIT"
}

// oddFile applies the quirks of files to what is downloaded.
func (s *Server) oddFile(content []byte) []byte {
	if len(s.quirks) == 0 {
		return content
	}
	if fit := len(content) > 14 && content[0] == 14 && string(content[8:12]) == ".FIT"; fit {
		if s.odd(quirkFileHeaderCRC0) {
			content = withoutHeaderSum(content)
		}
		if s.odd(quirkFileChained) {
			content = slices.Concat(content, content)
		}
	} else if bytes.HasPrefix(content, []byte("<?xml")) && s.odd(quirkFileLatin1) {
		content = latin1(content)
	}
	if s.odd(quirkFileTrailing) {
		content = slices.Concat(content, make([]byte, 7))
	}
	if s.odd(quirkFileTruncated) {
		content = content[:len(content)*2/3]
	}
	return content
}

// withoutHeaderSum returns a FIT file whose header has no checksum. The last of
// the file, which is over the header too, is made anew.
func withoutHeaderSum(file []byte) []byte {
	file = slices.Clone(file)
	file[12], file[13] = 0, 0
	end := len(file) - 2
	sum := fitsum.Add(0, file[:end])
	file[end], file[end+1] = byte(sum), byte(sum>>8)
	return file
}

// latin1 writes an XML document in ISO-8859-1. Its first name gets a letter that
// is another byte there than in UTF-8.
func latin1(file []byte) []byte {
	text := strings.Replace(string(file), `encoding="UTF-8"`, `encoding="ISO-8859-1"`, 1)
	for _, tag := range []string{"<name>", "<Notes>"} {
		text = strings.Replace(text, tag, tag+"Café ", 1)
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			out = append(out, "&#"+formatInt(int64(r))+";"...)
			continue
		}
		out = append(out, byte(r))
	}
	return out
}
