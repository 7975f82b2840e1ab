package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/garminkit/activityapi/types"
)

//go:embed page
var embedded embed.FS

// views are the pages, by name. Each is a file, within the layout.
type views map[string]*template.Template

func parseViews() (views, error) {
	layout, err := template.New("").Funcs(template.FuncMap{
		"clock": clock, "kilometers": kilometers, "date": date, "stamp": stamp, "share": share, "shown": func(s string) string { return shown(brief(s)) },
		"derived": func() string { return types.DerivedAttribution },
		"charted": func() string { return types.ChartAttribution },
		"garmin":  func() string { return types.Attribution("") },
	}).ParseFS(embedded, "page/layout.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(embedded, "page/*.html")
	if err != nil {
		return nil, err
	}
	all := views{}
	for _, name := range names {
		if name == "page/layout.html" {
			continue
		}
		page, err := template.Must(layout.Clone()).ParseFS(embedded, name)
		if err != nil {
			return nil, err
		}
		all[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return all, nil
}

// page writes a page. It is made as a whole first, so that what fails is an error
// and not half a page.
func (p *partner) page(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	shown := struct {
		Page    string
		Account *account
		Fake    bool
		Data    any
	}{name, accountOf(r), p.fake != nil, data}
	if err := p.views[name].ExecuteTemplate(&b, "layout", shown); err != nil {
		p.log.Error("a page cannot be written", "page", name, "err", err)
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// say writes a page of one sentence.
func (p *partner) say(w http.ResponseWriter, r *http.Request, text string) {
	p.page(w, r, http.StatusOK, "message", text)
}

// fail writes a page of one sentence, and the cause into the log: it is not for
// users, and no secret is in it.
func (p *partner) fail(w http.ResponseWriter, r *http.Request, status int, text string, err error) {
	if err != nil {
		p.log.Warn("a request failed", "path", r.URL.Path, "status", status, "err", err)
	}
	p.page(w, r, status, "message", text)
}

// broken answers a request that we cannot answer now.
func (p *partner) broken(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil { // or nobody waits for the answer
		p.troubles.page(err)
	}
	p.fail(w, r, http.StatusInternalServerError, "That did not work. Please try again.", err)
}

// userPages serves the pages of users.
func (p *partner) userPages() (err error) {
	if p.views, err = parseViews(); err != nil {
		return err
	}
	get := func(pattern string, page http.HandlerFunc) { p.pages.HandleFunc("GET "+pattern, p.private(page)) }
	get("/{$}", p.yearPage)
	get("/list", p.listPage)
	get("/activity/{garmin}/{id}", p.activityPage)
	get("/activity/{garmin}/{id}/gpx", p.downloadGPX)
	get("/history", p.historyPage)
	get("/account", p.accountPage)
	get("/export", p.exportAll)
	p.pages.HandleFunc("POST /delete", p.private(p.deletePage))
	p.pages.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		p.page(w, r, http.StatusOK, "login", loginPage{Fake: p.fake.names()})
	})
	p.pages.HandleFunc("POST /login", p.login)
	p.pages.HandleFunc("POST /signup", p.signUp)
	p.pages.HandleFunc("POST /logout", p.private(p.logout))
	p.pages.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.fail(w, r, http.StatusNotFound, "There is no such page.", nil)
	})
	p.mux.Handle("/", secured(p.known(p.pages)))
	for _, name := range []string{"style.css", "icon.svg"} {
		p.mux.Handle("GET /"+name, secured(asset(name)))
	}
	return nil
}

func asset(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		http.ServeFileFS(w, r, embedded, "page/"+name)
	})
}

// accountPage shows what there is of a user, and how to end it.
func (p *partner) accountPage(w http.ResponseWriter, r *http.Request) {
	all, err := p.db.connections(r.Context(), accountOf(r).ID)
	if err != nil {
		p.broken(w, r, err)
		return
	}
	p.page(w, r, http.StatusOK, "account", all)
}

// deletePage deletes an account. The form asks for its name, so that nobody does
// so by accident.
func (p *partner) deletePage(w http.ResponseWriter, r *http.Request) {
	a := accountOf(r)
	if strings.TrimSpace(r.PostFormValue("name")) != a.Name {
		p.fail(w, r, http.StatusUnprocessableEntity, "Nothing was deleted: type the name of your account to delete it.", nil)
		return
	}
	if err := p.deleteAccount(r.Context(), a.ID); err != nil {
		p.fail(w, r, http.StatusBadGateway, "That did not work. Please try again.", err)
		return
	}
	p.logout(w, r)
}

// errNoDate is of a parameter that is none.
var errNoDate = errors.New("this is no date")

// clock prints a duration as 1:02:03.
func clock(d time.Duration) string {
	s := int64(max(d, 0).Round(time.Second).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

func kilometers(m float64) string {
	switch {
	case m <= 0:
		return "–"
	case m < 100_000:
		return number(m/1000, 2) + " km"
	}
	return number(m/1000, 0) + " km"
}

// number prints what devices measure with so many decimals. What none can measure
// takes no more room than another number.
func number(v float64, decimals int) string {
	if math.Abs(v) >= 1e9 || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

func date(t time.Time) string { return t.Format("Mon 2 Jan 2006") }

func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// share is a part of a whole in per cent.
func share(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return 100 * part / whole
}
