package notify_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

// A store of the partner's own keeps what the one in a directory does: a file
// is there whole, or not at all, and none replaces another.
func ExampleOpenFileDir() {
	dir, err := os.MkdirTemp("", "files")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store, err := notify.OpenFileDir(dir, nil)
	if err != nil {
		panic(err)
	}
	defer store.Close()

	ctx := context.Background()
	put := func(content string) error {
		sum := sha256.Sum256([]byte(content))
		return store.Put(ctx, "u/7.gpx", strings.NewReader(content), int64(len(content)), hex.EncodeToString(sum[:]))
	}
	fmt.Println(put("<gpx></gpx>"))
	fmt.Println(put("<gpx></gpx>"), "again")
	fmt.Println(errors.Is(put("<gpx>other</gpx>"), fs.ErrExist))
	file, err := store.Open(ctx, "u/7.gpx")
	if err != nil {
		panic(err)
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	fmt.Println(string(content), err)
	// Output:
	// <nil>
	// <nil> again
	// true
	// <gpx></gpx> <nil>
}

// A callback that wants to know what is odd about a file.
func ExampleFile() {
	file := func(ctx context.Context, f *notify.File) error {
		if len(f.Odd) > 0 {
			fmt.Printf("%s of %s: %s\n", f.Name, f.Announced.UserID, strings.Join(f.Odd, ", "))
		}
		return nil
	}
	_ = file(context.Background(), &notify.File{
		Announced: types.ActivityFile{UserID: "4aacafe8"},
		Name:      "4aacafe8/5001-file.fit",
		Odd:       []string{"3 bytes stand behind its end"},
	})
	// Output: 4aacafe8/5001-file.fit of 4aacafe8: 3 bytes stand behind its end
}
