package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// guard refuses what a page of a stranger may make a browser send: requests
// under another name than ours, and writes from another origin. Garmin is no
// browser and passes.
func (p *partner) guard(public *url.URL, listen string, next http.Handler) http.Handler {
	hosts := []string{strings.ToLower(public.Host)}
	if public.Port() == "" {
		hosts = append(hosts, strings.ToLower(public.Host)+map[string]string{"https": ":443", "http": ":80"}[public.Scheme])
	}
	// A proxy on this machine may name the address that it connects to.
	if _, port, err := net.SplitHostPort(listen); err == nil {
		hosts = append(hosts, "localhost:"+port, "127.0.0.1:"+port, "[::1]:"+port)
	}
	origin := http.NewCrossOriginProtection()
	if err := origin.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		p.log.Error("pages will be refused", "err", err) // readConfig has checked the URL
	}
	checked := origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(hosts, strings.ToLower(r.Host)) {
			p.log.Warn("refused a request to another host", "host", r.Host, "this is", public.Host)
			w.Header().Set("Connection", "close")
			http.Error(w, "this is another host", http.StatusMisdirectedRequest)
			return
		}
		checked.ServeHTTP(w, r)
	})
}

// maxForm is the largest form that is read, in bytes.
const maxForm = 64 << 10

// secured sets what browsers are to keep: nothing but our own style and pictures
// is loaded, no script runs, nobody frames a page, and no page is kept.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// operators demands the operator's password.
func operators(password string, next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(password))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, given, _ := r.BasicAuth()
		have := sha256.Sum256([]byte(given))
		if equal := subtle.ConstantTimeCompare(have[:], want[:]) == 1; !equal || name != "operator" {
			w.Header().Set("WWW-Authenticate", `Basic realm="operator", charset="UTF-8"`)
			http.Error(w, "the operator's password is needed", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
