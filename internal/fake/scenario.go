package fake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Step is one of a scenario: a call of the control API.
type Step struct {
	// After is how long to wait before it.
	After  string          `json:"after"`
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body"`

	// Wait is After as a duration.
	Wait time.Duration `json:"-"`
}

// ReadScenario reads a file of steps.
func ReadScenario(name string) ([]Step, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var steps []Step
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&steps); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i := range steps {
		c := &steps[i]
		if c.After != "" {
			if c.Wait, err = time.ParseDuration(c.After); err != nil {
				return nil, fmt.Errorf("%s: step %d: %w", name, i+1, err)
			}
		}
		if c.Method == "" || c.Path == "" || c.Path[0] != '/' {
			return nil, fmt.Errorf("%s: step %d: want a method and a path", name, i+1)
		}
	}
	return steps, nil
}

// Play carries out the steps at the control API and says what became of each. It
// stops at the first that fails.
func Play(ctx context.Context, control string, steps []Step, out io.Writer) error {
	return play(ctx, http.DefaultClient, control, steps, out)
}

func play(ctx context.Context, client *http.Client, control string, steps []Step, out io.Writer) error {
	for i, c := range steps {
		t := time.NewTimer(c.Wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		status, answer, err := c.do(ctx, client, control)
		if err != nil {
			return fmt.Errorf("scenario, step %d: %w", i+1, err)
		}
		fmt.Fprintf(out, "step %d: %s %s -> %d\n", i+1, c.Method, c.Path, status)
		if status != http.StatusOK {
			return fmt.Errorf("scenario, step %d: %d: %s", i+1, status, answer)
		}
	}
	return nil
}

func (c *Step) do(ctx context.Context, client *http.Client, control string) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, c.Method, control+c.Path, bytes.NewReader(c.Body))
	if err != nil {
		return 0, nil, err
	}
	res, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, bytes.TrimSpace(answer), err
}
