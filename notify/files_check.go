package notify

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/garminkit/activityapi/internal/fitsum"
)

// ending is the result of checking a received file.
type ending int

const (
	endingWhole ending = iota // nothing is missing at its end
	endingCut                 // its end is missing
	endingNone                // it is not a file but, for example, an error document or nothing
	endingOpen                // its end cannot be determined
)

// finding is an ending with its reason, except for endingWhole, and what is odd
// about the file. The check tells complete files from truncated ones. It does not
// validate them.
type finding struct {
	ending ending
	why    string
	odd    []string
	text   bool // of endingNone: a page or a message, or nothing
}

func (v *finding) add(format string, args ...any) {
	v.odd = append(v.odd, fmt.Sprintf(format, args...))
}

var checkReaders = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

// checkFile reads r from its start. Its error is r's.
func checkFile(fileType string, r io.ReadSeeker) (finding, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return finding{}, err
	}
	in := &errReader{r: r}
	br := checkReaders.Get().(*bufio.Reader)
	br.Reset(in)
	v := check(strings.ToUpper(fileType), br)
	br.Reset(nil)
	checkReaders.Put(br)
	return v, in.err
}

func check(fileType string, br *bufio.Reader) finding {
	head, _ := br.Peek(512)
	known := fileType == "FIT" || fileType == "TCX" || fileType == "GPX"
	var v finding
	is := ""
	switch text := bytes.TrimLeft(head, " \t\r\n\x00"); {
	case len(text) == 0:
		return finding{ending: endingNone, text: true, why: "it is empty"}
	case isFIT(head), fileType == "FIT" && beginsFIT(head):
		is, v = "FIT", checkFIT(br)
	case text[0] == '{' || text[0] == '[':
		if fileType == "JSON" {
			break
		}
		return finding{ending: endingNone, text: true, why: "it is a JSON document"}
	case beginsXML(text):
		is, v = checkXML(br)
		if strings.EqualFold(is, "html") && fileType != "HTML" {
			return finding{ending: endingNone, text: true, why: "it is an HTML document"}
		}
	}
	switch {
	case is == "FIT" || is == "TCX" || is == "GPX":
		if is != fileType {
			v.add("it is a %s file and was announced as %.20q", is, fileType)
		}
	case !known:
		// The format of this type is not known.
		v = finding{ending: endingOpen, why: fmt.Sprintf("files of the type %.20q cannot be checked", fileType)}
		v.add("%s", v.why)
	case is == "":
		v = finding{ending: endingNone, why: "it is no " + fileType + " file"}
	case v.ending == endingOpen, v.ending == endingNone:
	case v.ending == endingCut && is == "?":
		// It was cut before its root element.
	default:
		v = finding{ending: endingNone, text: true, why: fmt.Sprintf("it is an XML document of the kind %.40q", is)}
	}
	return v
}

// errReader keeps an error other than io.EOF.
type errReader struct {
	r   io.Reader
	err error
}

func (r *errReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

const fitMark = ".FIT"

// isFIT reports whether head begins with a FIT header, whatever its size.
func isFIT(head []byte) bool {
	return len(head) >= 12 && string(head[8:12]) == fitMark
}

// beginsFIT reports whether head is everything and may be the start of a FIT
// header.
func beginsFIT(head []byte) bool {
	return len(head) > 0 && len(head) < 12 && (head[0] == 12 || head[0] == 14) &&
		(len(head) <= 8 || strings.HasPrefix(fitMark, string(head[8:])))
}

// checkFIT checks one FIT file or several concatenated ones, as the FIT protocol
// allows.
func checkFIT(br *bufio.Reader) finding {
	var v finding
	for n := 1; ; n++ {
		head, _ := br.Peek(14)
		switch {
		case len(head) == 0:
			return v
		case isFIT(head):
		case beginsFIT(head):
			v.ending, v.why = endingCut, "a FIT header is cut short"
			return v
		default:
			rest, _ := io.Copy(io.Discard, br)
			v.add("%d bytes stand behind its end", rest)
			return v
		}
		if !oneFIT(br, head, &v) {
			return v
		}
	}
}

// oneFIT checks one file, whose header starts with head.
func oneFIT(br *bufio.Reader, head []byte, v *finding) bool {
	size := int64(head[0])
	if size != 12 && size != 14 {
		v.add("its header has %d bytes", size)
		size = max(size, 12)
	}
	unsummed := false // the header
	if own := head[12:]; size >= 14 && len(own) == 2 {
		crc := fitCRC{}
		_, _ = crc.Write(head[:12])
		want := binary.LittleEndian.Uint16(own)
		unsummed = want == 0
		if !unsummed && want != crc.crc {
			v.add("the checksum of its header does not match")
		}
	}
	want := size + int64(binary.LittleEndian.Uint32(head[4:8])) + 2
	// The checksum of everything, itself included, is zero. Some programs leave a
	// header out that has none of its own.
	sum, data := &fitCRC{}, &fitCRC{}
	n, _ := io.CopyN(sum, br, size)
	if n == size {
		var to io.Writer = sum
		if unsummed {
			to = io.MultiWriter(sum, data)
		}
		rest, _ := io.CopyN(to, br, want-size)
		n += rest
	}
	if n < want {
		v.ending, v.why = endingCut, fmt.Sprintf("it has %d of %d bytes", n, want)
		return false
	}
	if sum.crc != 0 && !(unsummed && data.crc == 0) {
		v.add("its checksum does not match")
	}
	return true
}

// fitCRC is the checksum of what is written.
type fitCRC struct{ crc uint16 }

func (c *fitCRC) Write(p []byte) (int, error) {
	c.crc = fitsum.Add(c.crc, p)
	return len(p), nil
}
