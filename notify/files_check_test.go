package notify

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// fitOf makes a FIT file with such a header size and so much data.
func fitOf(header, data int) []byte {
	b := make([]byte, header, header+data+2)
	b[0], b[1] = byte(header), 0x20
	binary.LittleEndian.PutUint32(b[4:], uint32(data))
	copy(b[8:], ".FIT")
	for i := range data {
		b = append(b, byte(i*11+3))
	}
	return binary.LittleEndian.AppendUint16(b, crc16(b))
}

func utf16Of(s string, order binary.AppendByteOrder) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func utf32Of(s string, order binary.AppendByteOrder) []byte {
	var b []byte
	for _, r := range s {
		b = order.AppendUint32(b, uint32(r))
	}
	return b
}

// checkCase is a file that came whole. Its first data bytes are what must not
// be missing; what stands behind is not part of it.
type checkCase struct {
	fileType string
	content  []byte
	data     int // 0 means all
	odd      []string
}

func checkCases() map[string]checkCase {
	const track = `<trk><name>Caf%s</name><trkseg><trkpt lat="10.0" lon="20.0"></trkpt></trkseg></trk></gpx>`
	gpx := func(head, cafe string) []byte { return []byte(head + strings.Replace(track, "%s", cafe, 1)) }
	plain := string(gpx("<gpx>", "e"))
	fit := fitOf(14, 40)
	with := func(b []byte, change func([]byte)) []byte {
		b = bytes.Clone(b)
		change(b)
		return b
	}
	behind := func(tail string) checkCase {
		return checkCase{"FIT", append(bytes.Clone(fit), tail...), len(fit), []string{fmt.Sprintf("%d bytes stand behind its end", len(tail))}}
	}
	return map[string]checkCase{
		"FIT":                                {"FIT", fit, 0, nil},
		"FIT, old header":                    {"FIT", fitOf(12, 40), 0, nil},
		"FIT, announced in small letters":    {"fit", fit, 0, nil},
		"FIT, chained":                       {"FIT", append(bytes.Clone(fit), fitOf(12, 9)...), -1, nil},
		"FIT, zeros behind":                  behind("\x00\x00\x00"),
		"FIT, a long tail":                   behind("\x0c0123456789a"),
		"FIT, text behind":                   behind("tail"),
		"FIT, a header of 20 bytes":          {"FIT", fitOf(20, 40), 0, []string{"its header has 20 bytes"}},
		"FIT, checksum does not match":       {"FIT", with(fit, func(b []byte) { b[30] ^= 4 }), 0, []string{"its checksum does not match"}},
		"FIT, checksum of zero":              {"FIT", with(fit, func(b []byte) { b[54], b[55] = 0, 0 }), 0, []string{"its checksum does not match"}},
		"FIT, no checksum of the header":     {"FIT", rehash(with(fit, func(b []byte) { b[12], b[13] = 0, 0 })), 0, nil},
		"FIT, nor of it in that of the file": {"FIT", with(fit, func(b []byte) { b[12], b[13] = 0, 0 }), 0, nil},
		"FIT, checksum of the header is bad": {"FIT", rehash(with(fit, func(b []byte) { b[12] = 1 })), 0, []string{"the checksum of its header does not match"}},
		"GPX":                                {"GPX", []byte(plain), 0, nil},
		"GPX, declaration":                   {"GPX", gpx(`<?xml version="1.0" encoding="UTF-8" standalone='no' ?>`+"\n<gpx>", "é"), 0, nil},
		"GPX, byte order mark":               {"GPX", append([]byte("\xef\xbb\xbf"), plain...), 0, nil},
		"GPX, Latin-1":                       {"GPX", gpx(`<?xml version="1.0" encoding="ISO-8859-1"?><gpx>`, "\xe9"), 0, []string{`its encoding is "iso-8859-1"`}},
		"GPX, windows-1252":                  {"GPX", gpx(`<?xml version='1.0' encoding='windows-1252'?><gpx>`, "\x80"), 0, []string{`its encoding is "windows-1252"`}},
		"GPX, Shift_JIS":                     {"GPX", gpx(`<?xml version="1.0" encoding="Shift_JIS"?><gpx>`, "\x83\x5d\x83\x5c"), 0, []string{`its encoding is "shift_jis"`}},
		"GPX, ISO-2022-JP":                   {"GPX", gpx(`<?xml version="1.0" encoding="ISO-2022-JP"?><gpx>`, "\x1b$B<!>C</gpx>\x1b(B"), 0, []string{`its encoding is "iso-2022-jp"`}},
		"GPX, not what it says":              {"GPX", gpx("<gpx>", "\xe9"), 0, []string{"it is not valid UTF-8"}},
		"GPX, XML 1.1":                       {"GPX", gpx(`<?xml version="1.1" encoding="UTF-8"?><gpx>`, "é"), 0, []string{`it is XML "1.1"`}},
		"GPX, control character":             {"GPX", gpx("<gpx>", "\v"), 0, []string{"it has control characters"}},
		"GPX, prefix":                        {"GPX", []byte(`<g:gpx xmlns:g="http://www.topografix.com/GPX/1/1"><g:trk/></g:gpx>`), 0, nil},
		"GPX, root in capitals":              {"GPX", []byte(`<GPX></GPX>`), 0, nil},
		"GPX, empty root":                    {"GPX", []byte(`<gpx version="1.1" a='/>'/>`), 0, nil},
		"GPX, document type":                 {"GPX", append([]byte(`<!DOCTYPE gpx [<!ENTITY a "</gpx>]>"><!-- it's </gpx> -->]>`), plain...), 0, nil},
		"GPX, end in other places":           {"GPX", []byte(`<!-- </gpx> --><?p </gpx>?><gpx a="</gpx>"><![CDATA[</gpx>]]><!-- </gpx> --></gpx>`), 0, nil},
		"GPX, tags that do not pair":         {"GPX", []byte(`<gpx><desc>a <b> b <3 < 4</desc></gpx>`), 0, []string{"its tags do not pair"}},
		"GPX, line ends behind":              {"GPX", []byte(plain + "\r\n\n"), len(plain), nil},
		"GPX, comment behind":                {"GPX", []byte(plain + "<!-- made by -->"), len(plain), nil},
		"GPX, zeros behind":                  {"GPX", []byte(plain + "\x00\x00"), len(plain), []string{"2 bytes stand behind its end"}},
		"GPX, twice":                         {"GPX", []byte(plain + plain), -1, []string{"another document stands behind its end"}},
		"GPX, UTF-16 big":                    {"GPX", append([]byte("\xfe\xff"), utf16Of(plain, binary.BigEndian)...), 0, []string{"its encoding is UTF-16"}},
		"GPX, UTF-16 small":                  {"GPX", append([]byte("\xff\xfe"), utf16Of("<?xml version='1.0' encoding='UTF-16'?><gpx>\u3c3e</gpx>", binary.LittleEndian)...), 0, []string{"its encoding is UTF-16"}},
		"GPX, UTF-16 without a mark":         {"GPX", utf16Of(plain, binary.LittleEndian), 0, []string{"its encoding is UTF-16"}},
		"GPX, UTF-32":                        {"GPX", append([]byte("\xff\xfe\x00\x00"), utf32Of(plain, binary.LittleEndian)...), 0, []string{"its encoding is UTF-32"}},
		"TCX":                                {"TCX", []byte(`<?xml version="1.0"?><TrainingCenterDatabase><Activities/></TrainingCenterDatabase>`), 0, nil},
		"GPX that was announced as FIT":      {"FIT", []byte(plain), 0, []string{`it is a GPX file and was announced as "FIT"`}},
		"FIT that was announced as nothing":  {"", fit, 0, []string{`it is a FIT file and was announced as ""`}},
	}
}

// rehash puts the right checksum at the end.
func rehash(b []byte) []byte {
	n := len(b) - 2
	return binary.LittleEndian.AppendUint16(b[:n:n], crc16(b[:n]))
}

func TestCheckFile(t *testing.T) {
	t.Parallel()
	for name, c := range checkCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for reader, r := range map[string]io.Reader{
				"at once":      bytes.NewReader(c.content),
				"byte by byte": iotest.OneByteReader(bytes.NewReader(c.content)),
			} {
				got := check(strings.ToUpper(c.fileType), bufio.NewReader(r))
				require.Equal(t, endingWhole, got.ending, "%s: %s", reader, got.why)
				require.Equal(t, c.odd, got.odd, reader)
			}
		})
	}
}

// TestCheckFileFindsCuts cuts each file at every byte. A cut between two
// documents after each other is not to be seen.
func TestCheckFileFindsCuts(t *testing.T) {
	t.Parallel()
	for name, c := range checkCases() {
		if c.data == 0 {
			c.data = len(c.content)
		}
		for n := range len(c.content) {
			got, err := checkFile(c.fileType, bytes.NewReader(c.content[:n]))
			require.NoError(t, err)
			if c.data > 0 {
				// A few bytes behind may be the beginning of another file.
				want := n >= c.data && !beginsFIT(c.content[c.data:n])
				require.Equal(t, want, got.ending == endingWhole, "%s cut to %d of %d bytes: %+v", name, n, len(c.content), got)
			}
		}
	}
}

func TestCheckFileIsNone(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]finding{
		"":          {why: "it is empty", text: true},
		" \r\n\x00": {why: "it is empty", text: true},
		`{"errorMessage":"temporarily unavailable"}`: {why: "it is a JSON document", text: true},
		"[]":                             {why: "it is a JSON document", text: true},
		"<html><body>down</body></html>": {why: "it is an HTML document", text: true},
		"<!doctype html>\n<title>down":   {why: "it is an HTML document", text: true},
		"<?xml version='1.0'?><!DOCTYPE html SYSTEM 'x'><p/>": {why: "it is an HTML document", text: true},
		"<?xml version='1.0'?><Error><Code>1</Code></Error>":  {why: `it is an XML document of the kind "Error"`, text: true},
		"Service Unavailable":                                 {why: "it is no FIT file"},
		"warning: <gpx></gpx>":                                {why: "it is no FIT file"},
		"PK\x03\x04 a zip that holds the file":                {why: "it is no FIT file"},
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03":            {why: "it is no FIT file"},
	} {
		for _, fileType := range []string{"FIT", "GPX", "TCX"} {
			got, err := checkFile(fileType, strings.NewReader(content))
			require.NoError(t, err)
			want := want
			want.ending, want.why = endingNone, strings.ReplaceAll(want.why, "FIT", fileType)
			if got.why == "it is no XML document" {
				want.why = got.why
			}
			require.Equal(t, want, got, "%q", content)
		}
	}
	for _, fileType := range []string{"", "KML", "json"} {
		for content, want := range map[string]ending{
			"": endingNone, "<html></html>": endingNone, "<kml>": endingOpen, "any": endingOpen,
			`{"a":1}`: map[bool]ending{true: endingOpen, false: endingNone}[fileType == "json"],
		} {
			got, err := checkFile(fileType, strings.NewReader(content))
			require.NoError(t, err)
			require.Equal(t, want, got.ending, "%q of the type %q", content, fileType)
		}
	}
}

func TestCheckFileCannotRead(t *testing.T) {
	t.Parallel()
	for _, head := range []string{"", "\x0e\x20", "<gpx>", "<gpx></gpx>"} {
		_, err := checkFile("GPX", &brokenFile{strings.NewReader(head)})
		require.ErrorIs(t, err, iotest.ErrTimeout, "%q", head)
	}
}

type brokenFile struct{ *strings.Reader }

func (f *brokenFile) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = iotest.ErrTimeout
	}
	return n, err
}

// FuzzCheckFile holds the check against simple ones that refuse whatever is
// odd: what they take is whole.
func FuzzCheckFile(f *testing.F) {
	for _, c := range checkCases() {
		f.Add(c.content, c.fileType)
		f.Add(c.content[:len(c.content)/2], c.fileType)
	}
	f.Fuzz(func(t *testing.T, data []byte, fileType string) {
		got, err := checkFile(fileType, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var want bool
		switch fileType {
		case "FIT":
			want = len(data) > 0 && wholeFIT(data)
		case "TCX":
			want = wholeXML(data, "TrainingCenterDatabase")
		case "GPX":
			want = wholeXML(data, "gpx")
		}
		if want && got.ending != endingWhole {
			t.Fatalf("a good file is taken for %+v", got)
		}
		if got.ending != endingWhole && got.ending != endingOpen && got.why == "" {
			t.Fatalf("no reason: %+v", got)
		}
	})
}

func wholeFIT(data []byte) bool {
	for len(data) > 0 {
		head := int(data[0])
		if head != 12 && head != 14 || len(data) < head || string(data[8:12]) != ".FIT" {
			return false
		}
		n := head + int(binary.LittleEndian.Uint32(data[4:]))
		if len(data) < n+2 {
			return false
		}
		if binary.LittleEndian.Uint16(data[n:]) != crc16(data[:n]) {
			return false
		}
		data = data[n+2:]
	}
	return true
}

// crc16 is the checksum of the FIT protocol, bit by bit.
func crc16(data []byte) uint16 {
	crc := uint16(0)
	for _, b := range data {
		crc ^= uint16(b)
		for range 8 {
			crc = crc>>1 ^ 0xA001&-(crc&1)
		}
	}
	return crc
}

// FuzzCheckFIT makes FIT files, some with bytes behind, and cuts and changes
// them.
func FuzzCheckFIT(f *testing.F) {
	f.Add([]byte("one"), []byte("tail"), uint16(0), uint16(0), byte(0))
	f.Add([]byte{}, []byte{}, uint16(1), uint16(3), byte(1))
	f.Add([]byte("long"), []byte("\x0e"), uint16(17), uint16(17), byte(0x80))
	f.Fuzz(func(t *testing.T, data, tail []byte, cut, at uint16, flip byte) {
		size := 12 + 2*(len(data)&1)
		file := append([]byte{byte(size), 0x20, 0, 0}, binary.LittleEndian.AppendUint32(nil, uint32(len(data)))...)
		file = append(append(append(file, ".FIT"...), make([]byte, size-12)...), data...)
		file = binary.LittleEndian.AppendUint16(file, crc16(file))
		// What is changed behind the header is odd and no cut.
		changed := bytes.Clone(file)
		if len(data) > 0 {
			changed[size+int(at)%len(data)] ^= flip
		}
		for _, file := range [][]byte{file, changed} {
			if got, _ := checkFile("FIT", bytes.NewReader(append(bytes.Clone(file), tail...))); got.ending != endingWhole && !beginsFIT(tail) && !isFIT(tail) {
				t.Fatalf("%x with %x behind: %+v", file, tail, got)
			}
			n := int(cut) % len(file)
			if got, _ := checkFile("FIT", bytes.NewReader(file[:n])); got.ending == endingWhole {
				t.Fatalf("%x is taken for whole: %+v", file[:n], got)
			}
		}
	})
}

// FuzzCheckXML makes documents that are good and wants them taken, and found
// to be cut anywhere before the end of the root, in every width of characters.
func FuzzCheckXML(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, uint16(3))
	f.Add([]byte{20, 0, 0, 0, 1, 3, 1, 1, 4, 5, 6, 1, 0}, uint16(60))
	f.Add([]byte{7}, uint16(0))
	f.Fuzz(func(t *testing.T, program []byte, cut uint16) {
		fileType, root := "GPX", "gpx"
		if len(program)%2 > 0 {
			fileType, root = "TCX", "TrainingCenterDatabase"
		}
		doc, end := drawXML(program, root)
		if !wholeXML(doc, root) {
			t.Fatalf("not well-formed: %q", doc)
		}
		for width, encode := range map[int]func([]byte) []byte{
			1: func(b []byte) []byte { return bytes.Clone(b) },
			2: func(b []byte) []byte { return utf16Of(string(b), binary.BigEndian) },
			4: func(b []byte) []byte { return utf32Of(string(b), binary.LittleEndian) },
		} {
			if got, _ := checkFile(fileType, bytes.NewReader(encode(doc))); got.ending != endingWhole || len(got.odd) > 0 && width == 1 {
				t.Fatalf("%q in %d bytes: %+v", doc, width, got)
			}
			whole := encode(doc[:end])
			part := whole[:int(cut)%len(whole)]
			if got, _ := checkFile(fileType, bytes.NewReader(part)); got.ending == endingWhole {
				t.Fatalf("taken although it is cut: %q", part)
			}
		}
	})
}

// drawXML makes a well-formed document, and tells where its root ends.
func drawXML(program []byte, root string) (doc []byte, end int) {
	if len(program) > 0 && program[0]&1 != 0 {
		doc = append(doc, `<?xml version="1.0" encoding="UTF-8"?>`...)
	}
	doc = append(doc, "<"+root+" xmlns:x=\"urn:x\" a='1'>"...)
	open := []string{root}
	for _, c := range program {
		name := []string{"trk", "Activity", "x:ext", "a.b-c"}[c>>4&3]
		switch c & 15 {
		case 0, 1, 2:
			doc = append(doc, "<"+name+">"...)
			open = append(open, name)
		case 3, 4, 5:
			if len(open) > 1 {
				doc = append(doc, "</"+open[len(open)-1]+" >"...)
				open = open[:len(open)-1]
			}
		case 6:
			doc = append(doc, "<"+name+" v=\"a&gt;b/&quot;\"/>"...)
		case 7:
			doc = append(doc, "<!-- </gpx> -- >"[:11]+" -->"...)
		case 8:
			doc = append(doc, "<![CDATA[</gpx> ]] >]]>"...)
		case 9:
			doc = append(doc, "<?pi </gpx>?>"...)
		case 10:
			doc = append(doc, "&amp;&#x41;é"...)
		case 11:
			doc = append(doc, "\r\n\t"...)
		default:
			doc = append(doc, 'a'+c>>4)
		}
	}
	for i := len(open) - 1; i >= 0; i-- {
		doc = append(doc, "</"+open[i]+">"...)
	}
	end = len(doc)
	if len(program) > 1 && program[1]&1 != 0 {
		doc = append(doc, "\n<!-- end -->\n"...)
	}
	return doc, end
}

func wholeXML(data []byte, root string) bool {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	began := false
	for {
		switch t, err := d.Token(); t := t.(type) {
		case xml.CharData: // the package takes text before the root, XML does not
			if !began && len(bytes.TrimSpace(t)) > 0 {
				return false
			}
		case xml.StartElement:
			if began || t.Name.Local != root || d.Skip() != nil {
				return false
			}
			began = true
		case nil:
			return began && err == io.EOF
		}
	}
}

// TestLongDocumentType: the name of a document type may be as long as a file. It is not
// held.
func TestLongDocumentType(t *testing.T) {
	allocs := func(n int) float64 {
		in := []byte("<!DOCTYPE " + strings.Repeat("x", n) + "><gpx/>")
		return testing.AllocsPerRun(1, func() {
			_, err := checkFile("GPX", bytes.NewReader(in))
			require.NoError(t, err)
		})
	}
	require.InDelta(t, allocs(1<<10), allocs(4<<20), 4)
}
