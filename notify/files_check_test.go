package notify

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"io"
	"testing"
	"testing/iotest"
)

// FuzzCheckFile holds the streaming check of a file against one that has it
// whole.
func FuzzCheckFile(f *testing.F) {
	file := []byte("\x0e\x20\x00\x00\x02\x00\x00\x00.FIT\x00\x00ab")
	sum := fitCRC{}
	sum.Write(file)
	file = binary.LittleEndian.AppendUint16(file, sum.crc)
	f.Add(file, "FIT")
	f.Add(append(bytes.Clone(file), file...), "FIT")
	f.Add(file[:len(file)-1], "FIT")
	f.Add([]byte{}, "FIT")
	for _, size := range []byte{0, 5, 11, 13, 15} { // of a header
		odd := append([]byte{size}, file[1:]...)
		f.Add(odd, "FIT")
	}
	f.Add([]byte(`<?xml version="1.0"?><gpx a="b"><trk/></gpx>`), "GPX")
	f.Add([]byte(`<TrainingCenterDatabase><A></A></TrainingCenterDatabase> `), "TCX")
	f.Add([]byte(`<gpx>`), "GPX")
	f.Add([]byte(`<gpx></gpx><gpx></gpx>`), "GPX")
	f.Fuzz(func(t *testing.T, data []byte, fileType string) {
		got := checkFile(fileType, bytes.NewReader(data)) == nil
		var want bool
		switch fileType {
		case "FIT":
			want = len(data) > 0 && wholeFIT(data)
		case "TCX":
			want = wholeXML(data, "TrainingCenterDatabase")
		case "GPX":
			want = wholeXML(data, "gpx")
		default:
			return
		}
		// encoding/xml's checked tokens refuse more than the raw ones: names
		// that do not match.
		if got != want && (fileType == "FIT" || want) {
			t.Fatalf("checkFile says %v, the oracle %v", got, want)
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

// crc16 is the checksum of the FIT protocol as its document has it, half a byte
// at a time.
func crc16(data []byte) uint16 {
	table := [16]uint16{
		0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401, 0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
	}
	crc := uint16(0)
	for _, b := range data {
		crc = crc>>4 ^ table[crc&15] ^ table[b&15]
		crc = crc>>4 ^ table[crc&15] ^ table[b>>4]
	}
	return crc
}

// FuzzCheckFIT makes files with good checksums, which FuzzCheckFile finds
// hardly ever, and then perhaps does them harm: a cut, a changed byte.
func FuzzCheckFIT(f *testing.F) {
	f.Add([]byte("one"), []byte("another"), uint16(0), uint16(0), byte(0))
	f.Add([]byte{}, []byte("second"), uint16(1), uint16(3), byte(1))
	f.Add([]byte("long"), []byte{}, uint16(0), uint16(17), byte(0x80))
	f.Fuzz(func(t *testing.T, one, two []byte, cut, at uint16, flip byte) {
		var file []byte
		for i, data := range [][]byte{one, two} {
			if i > 0 && len(data) == 0 {
				break
			}
			size := 12 + 2*(len(data)&1)
			from := len(file)
			file = append(file, byte(size), 0x20, 0, 0)
			file = binary.LittleEndian.AppendUint32(file, uint32(len(data)))
			file = append(append(append(file, ".FIT"...), make([]byte, size-12)...), data...)
			file = binary.LittleEndian.AppendUint16(file, crc16(file[from:]))
		}
		if checkFile("FIT", bytes.NewReader(file)) != nil || !wholeFIT(file) {
			t.Fatalf("a good file is refused: %x", file)
		}
		file = file[:len(file)-int(cut)%len(file)]
		file[int(at)%len(file)] ^= flip
		want := wholeFIT(file)
		for name, r := range map[string]io.Reader{"whole": bytes.NewReader(file), "byte by byte": iotest.OneByteReader(bytes.NewReader(file))} {
			if have := checkFIT(r) == nil; have != want {
				t.Fatalf("%s: have %v, want %v of %x", name, have, want, file)
			}
		}
	})
}

// FuzzCheckXML makes documents that are good and wants them taken, and refused
// when they are cut anywhere before the end of the root.
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
		if err := checkFile(fileType, bytes.NewReader(doc)); err != nil || !wholeXML(doc, root) {
			t.Fatalf("%q: %v", doc, err)
		}
		if checkFile(fileType, bytes.NewReader(doc[:int(cut)%end])) == nil {
			t.Fatalf("taken although it is cut: %q", doc[:int(cut)%end])
		}
		other := map[string]string{"GPX": "TCX", "TCX": "GPX"}[fileType]
		if checkFile(other, bytes.NewReader(doc)) == nil || checkFile(fileType, bytes.NewReader(append(bytes.Clone(doc), doc[:end]...))) == nil {
			t.Fatalf("taken with another root, or twice: %q", doc)
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
	var doc struct{ XMLName xml.Name }
	if d.Decode(&doc) != nil || doc.XMLName.Local != root {
		return false
	}
	for {
		t, err := d.Token()
		if err == io.EOF {
			return true
		}
		if _, more := t.(xml.StartElement); more || err != nil {
			return false
		}
	}
}
