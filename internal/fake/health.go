package fake

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// health tells whoever started the program that it answers.
func health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(`{"status":"ok"}` + "\n"))
}

// Healthy asks a running fake whether it is. caFile is the authority to trust, or
// "": images without a shell have no other program to ask with.
func Healthy(ctx context.Context, baseURL, caFile string) error {
	client := http.DefaultClient
	if caFile != "" {
		ca, err := os.ReadFile(caFile)
		if err != nil {
			return err
		}
		if client, err = trusting(ca); err != nil {
			return err
		}
		defer client.CloseIdleConnections()
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/health", nil)
	if err != nil {
		return err
	}
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("health: %s", res.Status)
	}
	return nil
}
