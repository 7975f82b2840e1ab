package notify

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"io"
	"testing"
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
		sum := fitCRC{}
		sum.Write(data[:n])
		if binary.LittleEndian.Uint16(data[n:]) != sum.crc {
			return false
		}
		data = data[n+2:]
	}
	return true
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
