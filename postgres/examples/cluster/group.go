//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// group is the processes of the service, and the load balancer before them.
type group struct {
	o      *options
	config serviceConfig

	mu        sync.Mutex
	processes []*process
	killed    int
}

type process struct {
	cmd     *exec.Cmd
	address string // "" until it listens
}

func (g *group) begin() error {
	for range g.o.processes {
		p, err := g.start()
		if err != nil {
			return err
		}
		g.mu.Lock()
		g.processes = append(g.processes, p)
		g.mu.Unlock()
	}
	return nil
}

func (g *group) start() (*process, error) {
	config, err := json.Marshal(g.config)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(g.o.self)
	cmd.Env = append(os.Environ(), serviceEnv+"="+string(config))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // its end tells the service that we have gone
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	go func() {
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n')
		g.mu.Lock()
		p.address = strings.TrimSpace(line)
		g.mu.Unlock()
		_, _ = io.Copy(io.Discard, r)
	}()
	return p, nil
}

// kills ends one process after another without a word, and starts a new one.
func (g *group) kills(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(g.o.kill):
		}
		g.mu.Lock()
		i := rand.IntN(len(g.processes))
		p := g.processes[i]
		p.address = ""
		g.killed++
		g.mu.Unlock()
		fmt.Fprintf(g.o.out, "kill -9 %d\n", p.cmd.Process.Pid)
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		time.Sleep(time.Second)
		next, err := g.start()
		if err != nil {
			fmt.Fprintln(g.o.out, "starting a process:", err)
			return
		}
		g.mu.Lock()
		g.processes[i] = next
		g.mu.Unlock()
	}
}

func (g *group) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.processes {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	}
}

// ServeHTTP hands a request to a process that listens. Garmin sends what fails
// again.
func (g *group) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	var live []string
	for _, p := range g.processes {
		if p.address != "" {
			live = append(live, p.address)
		}
	}
	g.mu.Unlock()
	if len(live) == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	host := live[rand.IntN(len(live))]
	(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", host },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}).ServeHTTP(w, r)
}
