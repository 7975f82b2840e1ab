// Command prometheus is a service that Prometheus reads, with a fake Garmin that sends
// to it. Beside it are a board for Grafana, board.json, and rules for alerts, alerts.yaml.
//
//	go run -C otel/examples/prometheus .          # metrics at http://127.0.0.1:9464/metrics
//	go run -C otel/examples/prometheus . -once    # prints what Prometheus would read, and ends
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	promexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9464", "where Prometheus reads the metrics")
	once := flag.Bool("once", false, "let Garmin send a few things, print the metrics, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *listen, *once); err != nil {
		fmt.Fprintln(os.Stderr, "prometheus:", err)
		os.Exit(1)
	}
}

// run serves metrics until ctx ends, or prints them once.
func run(ctx context.Context, out io.Writer, listen string, once bool) (err error) {
	// The SDK is the program's: what Prometheus reads, and where spans go.
	registry := prometheus.NewRegistry()
	exporter, err := promexporter.New(promexporter.WithRegisterer(registry))
	if err != nil {
		return err
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	// A real program gives it an exporter: sdktrace.WithBatcher(...).
	traces := sdktrace.NewTracerProvider()
	defer func() {
		err = errors.Join(err, traces.Shutdown(context.WithoutCancel(ctx)), meters.Shutdown(context.WithoutCancel(ctx)))
	}()

	dir, err := os.MkdirTemp("", "prometheus")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := newWorld(dir, traces, meters)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()

	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	if once {
		for range 3 {
			if err := w.send(ctx); err != nil {
				return err
			}
		}
		return scrape(ctx, metrics, out)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	fmt.Fprintf(out, "metrics at http://%s/metrics\n", l.Addr())
	for ctx.Err() == nil {
		if err := w.send(ctx); err != nil && ctx.Err() == nil {
			return errors.Join(err, server.Close())
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	err = server.Close()
	<-served
	return err
}

// scrape prints what Prometheus would read.
func scrape(ctx context.Context, metrics http.Handler, out io.Writer) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return err
	}
	metrics.ServeHTTP(&page{out, http.Header{}}, r)
	return nil
}

// page is an answer that is printed.
type page struct {
	io.Writer
	header http.Header
}

func (p *page) Header() http.Header { return p.header }
func (p *page) WriteHeader(int)     {}
