package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/garminkit/activityapi/activity/service/admin"
	"github.com/garminkit/activityapi/types"
)

// operatorPage is what an operator sees first: what has to be mended, and what
// Garmin's portal has to know.
type operatorPage struct {
	Troubles []trouble
	Health   health
	Accepted time.Time // the last notification
	Connections,
	Orphans int // tokens of nobody
	URL string
}

// health is what the service says of itself.
type health struct {
	OK       bool     `json:"ok"`
	Reasons  []string `json:"reasons"`
	Warnings []string `json:"warnings"`
	Waiting  int64    `json:"waiting"`
	Letters  int64    `json:"letters"`
}

// operatorPages serves the operator's pages, behind the operator's password: ours,
// and the panel of package admin.
func (p *partner) operatorPages(c *config) error {
	panel, err := admin.New(p.inbox, p.log, &admin.Options{
		Processor: p.svc.Processor(), Ledger: p.ledger, Tokens: p.store, Drift: p.changes,
		Who: func(*http.Request) string { return "operator" },
	})
	if err != nil {
		return err
	}
	p.mux.Handle("/operator/queue/", operators(c.operator, http.StripPrefix("/operator/queue", panel)))
	p.mux.Handle("GET /operator/{$}", operators(c.operator, secured(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.operatorPage(w, r, c.url)
	}))))
	return nil
}

func (p *partner) operatorPage(w http.ResponseWriter, r *http.Request, url string) {
	page := &operatorPage{URL: url}
	ready := &recorder{header: http.Header{}}
	p.svc.Ready().ServeHTTP(ready, r)
	err := json.Unmarshal(ready.body.Bytes(), &page.Health)
	if err == nil {
		page.Connections, page.Orphans, err = p.countConnections(r.Context())
	}
	page.Troubles, page.Accepted = p.troubles.list()
	if err != nil {
		p.broken(w, r, err)
		return
	}
	p.page(w, r, http.StatusOK, "operator", page)
}

// countConnections counts those who are connected, and the tokens that belong to
// none of them: they are left when the database was older than the tokens.
func (p *partner) countConnections(ctx context.Context) (connected, orphans int, err error) {
	all, err := p.db.connections(ctx, "")
	if err != nil {
		return 0, 0, err
	}
	known := map[types.UserID]bool{}
	for _, c := range all {
		known[c.GarminID] = true
	}
	p.troubles.stay(known)
	for t, err := range p.store.Tokens(ctx) {
		if err != nil {
			return 0, 0, err
		}
		if !known[t.UserID] {
			orphans++
		}
	}
	return len(all), orphans, nil
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
