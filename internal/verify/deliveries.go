package verify

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

// longestLine is how much of a line is read. What is listed is two ids a line.
const longestLine = 1 << 20

// deliveries looks for a summary in a file or at an address that lists what is
// stored. It is read anew each time.
func deliveries(source string) func(context.Context, types.UserID, types.ID) (bool, error) {
	return func(ctx context.Context, user types.UserID, id types.ID) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		list, err := open(ctx, source)
		if err != nil {
			return false, err
		}
		defer list.Close()
		return listed(list, user, id)
	}
}

func open(ctx context.Context, source string) (io.ReadCloser, error) {
	if !strings.HasPrefix(source, "http://") && !strings.HasPrefix(source, "https://") {
		return os.Open(source)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		_ = res.Body.Close()
		return nil, fmt.Errorf("-deliveries answered %d", res.StatusCode)
	}
	return res.Body, nil
}

// listed reads until a line is about the summary. The two ids must be all that a
// line begins with: a log of requests, which has them somewhere, shows only that
// a body came.
func listed(r io.Reader, user types.UserID, id types.ID) (bool, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(text, "{") {
			var row struct {
				UserID    types.UserID `json:"userId"`
				SummaryID types.ID     `json:"summaryId"`
			}
			if json.Unmarshal([]byte(text), &row) == nil && row.UserID == user && row.SummaryID == id {
				return true, nil
			}
			continue
		}
		words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,;", r) })
		if len(words) >= 2 && strings.Trim(words[0], `"`) == string(user) && strings.Trim(words[1], `"`) == string(id) {
			return true, nil
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("reading -deliveries: %w", err)
	}
	return false, nil
}
