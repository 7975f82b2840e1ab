package activity_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/garminkit/activityapi/activity"
	"github.com/garminkit/activityapi/internal/memqueue"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// plainFIT is a FIT file of n bytes of records.
func plainFIT(n int) string {
	b := append([]byte{14, 0x20, 0, 0, 0, 0, 0, 0}, ".FIT\x00\x00"...)
	binary.LittleEndian.PutUint32(b[4:], uint32(n))
	for i := range n {
		b = append(b, byte(i/7))
	}
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			crc = crc>>1 ^ 0xA001*(crc&1)
		}
	}
	return string(binary.LittleEndian.AppendUint16(b, crc))
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

// TestFileAnswers: what the answer to a file's one download may look like, over a
// real connection. Bytes that came are delivered or kept; what gave nothing out
// is asked again.
func TestFileAnswers(t *testing.T) {
	t.Parallel()
	file := plainFIT(2000)
	half := file[:1000]
	packed := zipped(file)
	length := func(body string, header ...string) string {
		return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", strings.Join(append(header, ""), "\r\n"), len(body), body)
	}
	chunk := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(body), body) }
	for name, tt := range map[string]struct {
		answer  string
		attempt int    // that delivers the file, or 0
		kept    string // what the letter's file has
		fault   types.Fault
		got     string // if not the file
		odd     bool
	}{
		"as documented":              {answer: "200 OK\r\n" + length(file), attempt: 1},
		"203 of a proxy":             {answer: "203 X\r\n" + length(file), attempt: 1},
		"206 with all of it":         {answer: "206 X\r\n" + length(file, fmt.Sprintf("Content-Range: bytes 0-%d/%d", len(file)-1, len(file))), attempt: 1},
		"206 without a range":        {answer: "206 X\r\n" + length(file), attempt: 1},
		"206 with a part":            {answer: "206 X\r\n" + length(half, fmt.Sprintf("Content-Range: bytes 0-%d/%d", len(half)-1, len(file))), kept: half, fault: types.FaultItem},
		"206 with the end":           {answer: "206 X\r\n" + length(file[1000:], fmt.Sprintf("Content-Range: bytes 1000-%d/%d", len(file)-1, len(file))), kept: file[1000:], fault: types.FaultItem},
		"206 of unknown size":        {answer: "206 X\r\n" + length(half, fmt.Sprintf("Content-Range: bytes 0-%d/*", len(half)-1)), kept: half, fault: types.FaultItem},
		"gzip that nobody asked":     {answer: "200 OK\r\n" + length(packed, "Content-Encoding: gzip"), attempt: 1},
		"GZIP":                       {answer: "200 OK\r\n" + length(packed, "Content-Encoding:  GZIP "), attempt: 1},
		"gzip that is none":          {answer: "200 OK\r\n" + length(file, "Content-Encoding: gzip"), attempt: 1},
		"the same, cut":              {answer: "200 OK\r\n" + strings.Replace(length(file, "Content-Encoding: gzip"), file, half, 1), kept: half, fault: types.FaultItem},
		"gzip, cut":                  {answer: "200 OK\r\n" + strings.Replace(length(packed, "Content-Encoding: gzip"), packed, packed[:len(packed)-4], 1), attempt: 1, odd: true},
		"br that is none":            {answer: "200 OK\r\n" + length(file, "Content-Encoding: br"), attempt: 1},
		"utf-8":                      {answer: "200 OK\r\n" + length(file, "Content-Encoding: utf-8"), attempt: 1},
		"an encoding we do not know": {answer: "200 OK\r\n" + length("\x8b brotli, for all we know", "Content-Encoding: br"), attempt: 2},
		"gzip without its name":      {answer: "200 OK\r\n" + length(packed), attempt: 2},
		"more than the length":       {answer: "200 OK\r\n" + length(file) + "more", attempt: 1},
		"a length too small":         {answer: "200 OK\r\n" + strings.Replace(length(half), half, file, 1), attempt: 1, got: half, odd: true},
		"a length too large":         {answer: "200 OK\r\n" + strings.Replace(length(file+"x"), file+"x", file, 1), attempt: 1, odd: true},
		"a length far too large":     {answer: "200 OK\r\n" + strings.Replace(length(file), file, half, 1), kept: half, fault: types.FaultItem},
		"no length, closed":          {answer: "200 OK\r\nConnection: close\r\n\r\n" + file, attempt: 1},
		"no length, closed early":    {answer: "200 OK\r\nConnection: close\r\n\r\n" + half, kept: half, fault: types.FaultItem},
		"two lengths":                {answer: "200 OK\r\nContent-Length: 5\r\n" + length(file), fault: types.FaultItem},
		"chunks":                     {answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(half) + chunk(file[1000:]) + "0\r\n\r\n", attempt: 1},
		"chunks without an end":      {answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(file), attempt: 1, odd: true},
		"chunks without an end, cut": {answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(half), kept: half, fault: types.FaultItem},
		"the same, a bit flipped":    {answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(file[:100]+"\xff"+file[101:]), kept: file[:100] + "\xff" + file[101:], fault: types.FaultItem},
		"chunks that break":          {answer: "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(half) + "zz\r\n", kept: half, fault: types.FaultItem},
		"another content type":       {answer: "200 OK\r\n" + length(file, "Content-Type: text/html"), attempt: 1},
		"nothing":                    {answer: "200 OK\r\n" + length(""), attempt: 2},
		"nothing, called gzip":       {answer: "200 OK\r\n" + length("", "Content-Encoding: gzip"), attempt: 2},
		"a page":                     {answer: "200 OK\r\n" + length("<html>sign in</html>", "Content-Type: text/html"), attempt: 2},
		"a page with a mark":         {answer: "200 OK\r\n" + length("\ufeff<!DOCTYPE html><html></html>"), attempt: 2},
		"an error object":            {answer: "200 OK\r\n" + length(`{"errorMessage":"try later"}`), attempt: 2},
		"the same with a mark":       {answer: "200 OK\r\n" + length("\ufeff"+`{"errorMessage":"try later"}`), attempt: 2},
		"an OAuth error":             {answer: "200 OK\r\n" + length(`{"error":"invalid_token"}`), attempt: 2},
		"null":                       {answer: "200 OK\r\n" + length("null"), attempt: 2},
		"201":                        {answer: "201 X\r\n" + length(""), attempt: 2},
		"202, not ready":             {answer: "202 X\r\n" + length(""), attempt: 2},
		"204":                        {answer: "204 X\r\n\r\n", attempt: 2},
		"205":                        {answer: "205 X\r\n" + length(""), attempt: 2},
		"300":                        {answer: "300 X\r\n" + length(""), attempt: 2, fault: types.FaultNetwork},
		"a redirect elsewhere":       {answer: "302 X\r\n" + length("", "Location: https://evil.example/"), attempt: 2, fault: types.FaultNetwork},
		"304":                        {answer: "304 X\r\n\r\n", attempt: 2, fault: types.FaultNetwork},
		"407":                        {answer: "407 X\r\n" + length("", "Proxy-Authenticate: Basic"), attempt: 2, fault: types.FaultNetwork},
		"416":                        {answer: "416 X\r\n" + length(""), attempt: 2},
		"418":                        {answer: "418 X\r\n" + length("<html>"), attempt: 2, fault: types.FaultNetwork},
		"451 page":                   {answer: "451 X\r\n" + length("<html>"), attempt: 2, fault: types.FaultNetwork},
		"511":                        {answer: "511 X\r\n" + length("<html>"), attempt: 2, fault: types.FaultNetwork},
		"101":                        {answer: "101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", attempt: 2, fault: types.FaultNetwork},
		"100, then the file":         {answer: "100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n" + length(file), attempt: 1},
		"100 and no more":            {answer: "100 Continue\r\n\r\n", fault: types.FaultItem},
		"100 for ever":               {answer: strings.Repeat("102 Processing\r\n\r\nHTTP/1.1 ", 100), fault: types.FaultItem},
		"a status that is none":      {answer: "2x0 OK\r\n" + length(file), fault: types.FaultItem},
		"410":                        {answer: "410 Gone\r\n" + length(""), fault: types.FaultItem},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			base := rawServer(t, func(_ int, c net.Conn) {
				in := bufio.NewReader(c)
				if !request(in) {
					return
				}
				if asked.Add(1) == 1 {
					io.WriteString(c, "HTTP/1.1 "+tt.answer)
					return
				}
				io.WriteString(c, "HTTP/1.1 200 OK\r\n"+length(file))
			})
			client := overSocket(t, base, activity.Options{MaxRetries: -1})
			dir := t.TempDir()
			got, odd := "", []string(nil)
			worker, err := notify.NewProcessor(nil, func(context.Context, types.UserID) ([]notify.User, error) {
				return []notify.User{{ID: "local", Client: client}}, nil
			}, notify.Callbacks{
				Save: func(context.Context, *notify.Delivery, types.Summary) error { return nil },
				File: func(_ context.Context, _ *notify.Delivery, f *notify.File) error {
					b, err := os.ReadFile(f.Path)
					got, odd = string(b), f.Odd
					return err
				},
				Deregistration:   func(context.Context, *notify.Delivery, *notify.Deregistration) error { return nil },
				PermissionChange: func(context.Context, *notify.Delivery, *notify.PermissionChange) error { return nil },
			}, &notify.ProcessorOptions{Files: &notify.Files{Dir: dir, Claims: memqueue.NewClaims()}})
			require.NoError(t, err)
			defer worker.Close()
			item := &notify.Item{Piece: notify.Piece{Key: "activityFiles"}, Raw: fmt.Appendf(nil, `{"userId":"u","summaryId":"1","fileType":"FIT","callbackURL":%q}`, string(fileAt(base)))}
			var first error
			for attempt := 1; attempt <= 3 && got == ""; attempt++ {
				err := worker.Attempt(t.Context(), item)
				if attempt == 1 {
					first = err
				}
				require.Equal(t, attempt == tt.attempt, err == nil, "%d: %v", attempt, err)
			}
			want := tt.got
			if tt.attempt > 0 && want == "" {
				want = file
			}
			require.Equal(t, want, got)
			require.Equal(t, tt.odd, len(odd) > 0, "%v", odd)
			if tt.attempt != 1 {
				require.Equal(t, tt.fault, faultIn(first), "%v", first)
			}
			if tt.attempt == 0 {
				require.EqualValues(t, 1, asked.Load(), "asked again for what may be spent")
			} else {
				require.EqualValues(t, tt.attempt, asked.Load())
			}
			var kept []string
			for _, pattern := range []string{"*.broken", "*.rejected", "*.part", "*.answer"} {
				names, err := filepath.Glob(filepath.Join(dir, ".downloads", pattern))
				require.NoError(t, err)
				kept = append(kept, names...)
			}
			if tt.kept == "" {
				require.Empty(t, kept)
				return
			}
			require.Len(t, kept, 1)
			b, err := os.ReadFile(kept[0])
			require.NoError(t, err)
			require.Equal(t, tt.kept, string(b))
			require.Contains(t, first.Error(), filepath.Base(kept[0]))
		})
	}
}

// faultIn is what a processor hears of an error.
func faultIn(err error) types.Fault {
	if f, ok := errors.AsType[notify.Failure](err); ok {
		return f.Fault()
	}
	return ""
}
