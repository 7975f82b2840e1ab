package notify

import (
	"bufio"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// checkFile reads r from its start and reports what is wrong with it as a
// complete file of the type, or nil for a type it does not know.
func checkFile(fileType string, r io.ReadSeeker) error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	switch strings.ToUpper(fileType) {
	case "FIT":
		return checkFIT(r)
	case "TCX":
		return checkXML(r, "TrainingCenterDatabase")
	case "GPX":
		return checkXML(r, "gpx")
	}
	return nil
}

// checkable reports whether checkFile can tell a complete file of the type.
func checkable(fileType string) bool {
	switch strings.ToUpper(fileType) {
	case "FIT", "TCX", "GPX":
		return true
	}
	return false
}

// checkFIT accepts one FIT file, or several after each other, as the FIT
// protocol allows.
func checkFIT(r io.Reader) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for files := 0; ; files++ {
		size, err := br.ReadByte()
		if err == io.EOF && files > 0 {
			return nil
		}
		if err != nil {
			return errors.New("an empty FIT file")
		}
		if size != 12 && size != 14 {
			return fmt.Errorf("a FIT header of %d bytes", size)
		}
		header := make([]byte, size)
		header[0] = size
		if _, err := io.ReadFull(br, header[1:]); err != nil {
			return errors.New("a FIT header is cut short")
		}
		if string(header[8:12]) != ".FIT" {
			return errors.New("no FIT header")
		}
		// The checksum of everything, itself included, is zero.
		sum := &fitCRC{}
		_, _ = sum.Write(header)
		want := int64(binary.LittleEndian.Uint32(header[4:8])) + 2
		n, err := io.CopyN(sum, br, want)
		switch {
		case err != nil:
			return fmt.Errorf("a FIT file has %d of %d bytes after its header", n, want)
		case sum.crc != 0:
			return errors.New("a FIT checksum does not match")
		}
	}
}

// fitCRC is the CRC-16 of the FIT protocol.
type fitCRC struct{ crc uint16 }

func (c *fitCRC) Write(p []byte) (int, error) {
	crc := c.crc
	for _, b := range p {
		crc ^= uint16(b)
		for range 8 {
			crc = crc>>1 ^ 0xA001&-(crc&1) // reflected 0x8005
		}
	}
	c.crc = crc
	return len(p), nil
}

// checkXML wants one well-formed document with the given root.
func checkXML(r io.Reader, root string) error {
	d := xml.NewDecoder(bufio.NewReaderSize(r, 64<<10))
	// Only the structure counts.
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	depth, found := 0, false
	for {
		t, err := d.RawToken()
		if err == io.EOF {
			if !found || depth != 0 {
				return fmt.Errorf("%s: the document is cut short", root)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: not well-formed XML", root)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 0 && (found || t.Name.Local != root) {
				return fmt.Errorf("the root element is %.40q, not %q", t.Name.Local, root)
			}
			found = true
			depth++
		case xml.EndElement:
			depth--
			if depth < 0 {
				return fmt.Errorf("%s: not well-formed XML", root)
			}
		}
	}
}
