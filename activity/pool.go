package activity

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Pool holds what the clients of an application share: connections, options and
// the retry budget. An application has one pool, even for a single user, and asks
// it for a [Client] whenever it acts for a user. A client takes a few hundred bytes
// and need not be closed or kept.
//
// A Pool is immutable and safe for concurrent use.
type Pool struct {
	opts   Options
	base   *url.URL
	budget *budget

	// shared keeps connections; once makes a new one for each request.
	shared, once http.RoundTripper
	idle         []interface{ CloseIdleConnections() }
}

// NewPool returns a pool with the given options, nil for defaults. Close it when
// all its clients are done.
func NewPool(opts *Options) (*Pool, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	base, err := parseBase(o.BaseURL, o.PlainHTTPHost)
	if err != nil {
		return nil, err
	}
	p := &Pool{opts: o, base: base, budget: newBudget(o.RetryBudget)}
	shared, once := o.Transport, o.Transport
	if shared == nil {
		own := newTransport(base.Hostname(), o.PlainHTTPHost)
		shared = own
		p.idle = append(p.idle, own)
	}
	if t, ok := shared.(*http.Transport); ok {
		once = oneShot(t)
	}
	if wrap := o.Wrap; wrap != nil {
		if shared, once = wrap(shared), wrap(once); shared == nil || once == nil {
			return nil, errors.New("activity: Options.Wrap returned nil")
		}
	}
	p.shared, p.once = &pin{base: base, next: shared}, &pin{base: base, next: once}
	return p, nil
}

// Client returns a client for the user of the credential.
func (p *Pool) Client(cred Credential) (*Client, error) {
	if cred == nil {
		return nil, errors.New("activity: the credential is nil")
	}
	shared, err := cred(p.shared)
	if err != nil {
		return nil, fmt.Errorf("activity: credential: %w", err)
	}
	once, err := cred(p.once)
	if err != nil {
		return nil, fmt.Errorf("activity: credential: %w", err)
	}
	if shared == nil || once == nil {
		return nil, errors.New("activity: the credential returned no transport")
	}
	return &Client{pool: p, shared: shared, once: once}, nil
}

// Close closes the idle connections of the pool's private transport. Running
// requests continue.
func (p *Pool) Close() error {
	for _, t := range p.idle {
		t.CloseIdleConnections()
	}
	return nil
}
