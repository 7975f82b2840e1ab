// Command newcomer is all that a partner's program has to be, in as few lines as it
// takes: users connect, pushes and pings come in, summaries and files go to SQL, who
// leaves is forgotten, permissions are kept, a year of history is fetched; there are
// metrics, pages for the operator, probes and a graceful stop. TestLines counts it.
//
//	export GARMIN_KEY=... GARMIN_SECRET=... GARMIN_PATH_SECRET=... OPERATOR_PASSWORD=...
//	go run . https://me.example.com # listens on :8080, behind a proxy that logs users in
package main

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	_ "modernc.org/sqlite"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/fitfile"
	"github.com/garminkit/activityapi/activity/service"
	"github.com/garminkit/activityapi/activity/service/solo"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/otel"
	"github.com/garminkit/activityapi/types"
)

const schema = `
CREATE TABLE IF NOT EXISTS user (id TEXT PRIMARY KEY, account TEXT NOT NULL, permissions TEXT NOT NULL, changed REAL NOT NULL);
CREATE TABLE IF NOT EXISTS summary (record TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES user ON DELETE CASCADE,
	kind TEXT NOT NULL, ord INTEGER NOT NULL, revision TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS track (record TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES user ON DELETE CASCADE,
	file TEXT NOT NULL, points TEXT NOT NULL);`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, mux, err := open(ctx, "data", os.Args[1], os.Getenv, nil)
	if err == nil {
		err = p.Service.ListenAndServe(ctx, ":8080", mux)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// open puts the parts together. garmin is nil but in tests.
func open(ctx context.Context, dir, url string, getenv func(string) string, garmin http.RoundTripper) (*solo.Program, http.Handler, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "app.db")+"?_pragma=foreign_keys(1)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, nil, err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, nil, err
	}
	exporter, err := prometheus.New()
	if err != nil {
		return nil, nil, err
	}
	tel, err := otel.New(&otel.Options{MeterProvider: metric.NewMeterProvider(metric.WithReader(exporter))})
	if err != nil {
		return nil, nil, err
	}
	p, err := solo.Open(dir, accounts{db}, &solo.Options{
		URL:        url,
		App:        auth.App{ClientID: getenv("GARMIN_KEY"), ClientSecret: types.Secret(getenv("GARMIN_SECRET"))},
		PathSecret: types.Secret(getenv("GARMIN_PATH_SECRET")),
		Session:    account,
		Operator:   func(pages http.Handler) http.Handler { return operator(getenv("OPERATOR_PASSWORD"), pages) },
		Telemetry:  tel,
		Transport:  garmin,
		Service:    service.Options{Close: []io.Closer{db}, Logger: slog.Default()},
	})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", p.Handler)
	mux.Handle("GET /metrics", promhttp.Handler())
	_, err = tel.Watch(&otel.Sources{Queue: p.Queue, Processor: p.Service.Processor(), Tokens: p.Users})
	return p, mux, err
}

// account is who is logged in: the proxy before this program says it.
func account(r *http.Request) (string, error) {
	if name := r.Header.Get("X-Account"); name != "" {
		return name, nil
	}
	return "", errors.New("nobody is logged in")
}

// operator lets only who knows the password pass.
func operator(password string, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, have, _ := r.BasicAuth()
		if password == "" || subtle.ConstantTimeCompare([]byte(have), []byte(password)) != 1 {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// accounts is the database.
type accounts struct{ db *sql.DB }

// store runs a statement whose first argument is v as JSON.
func (a accounts) store(ctx context.Context, query string, v any, args ...any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = a.db.ExecContext(ctx, query, append([]any{string(data)}, args...)...)
	return err
}

func (a accounts) Connect(ctx context.Context, c *auth.Connection) error {
	return a.store(ctx, `INSERT INTO user (permissions, id, account, changed) VALUES (?, ?, ?, 0)
		ON CONFLICT DO UPDATE SET account = excluded.account, permissions = excluded.permissions`, c.Permissions, c.UserID, c.Session)
}

func (a accounts) Account(ctx context.Context, user types.UserID) (name string, err error) {
	err = a.db.QueryRowContext(ctx, `SELECT account FROM user WHERE id = ?`, user).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		err = notify.ErrUnknownUser
	}
	return name, err
}

func (a accounts) Permit(ctx context.Context, user types.UserID, allowed []types.Permission, at types.Timestamp) error {
	return a.store(ctx, `UPDATE user SET permissions = ?1, changed = ?3 WHERE id = ?2 AND changed <= ?3`, allowed, user, float64(at))
}

func (a accounts) Forget(ctx context.Context, user types.UserID) error {
	_, err := a.db.ExecContext(ctx, `DELETE FROM user WHERE id = ?`, user) // and what refers to it
	return err
}

func (a accounts) Save(ctx context.Context, d *notify.Delivery, s types.Summary) error {
	return a.store(ctx, `INSERT INTO summary (data, record, user, kind, ord, revision) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET data = excluded.data, kind = excluded.kind, ord = excluded.ord, revision = excluded.revision
		WHERE excluded.ord >= ord AND excluded.revision <> revision`, s, d.Record, d.UserID, d.Kind, int64(d.Order), d.Revision)
}

func (a accounts) File(ctx context.Context, d *notify.Delivery, f *notify.File) error {
	r, err := f.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	whole, err := fitfile.Read(r)
	if err != nil {
		return notify.Permanent(err)
	}
	return a.store(ctx, `REPLACE INTO track (points, record, user, file) VALUES (?, ?, ?, ?)`, whole.Sessions, d.Record, d.UserID, f.Name)
}
