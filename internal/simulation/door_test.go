package simulation

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/garminkit/activityapi/types"
)

const pathSecret = "canary-path-secret-0123456789"

// door is the network between Garmin and the receiver.
type door struct{ l *life }

// ServeHTTP hands a notification to the process that runs, or does to it what
// networks do.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l := d.l
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	sum := sha256.Sum256(body)
	name := hex.EncodeToString(sum[:6])
	n, x := l.try("post", name)
	if n == 1 {
		l.secrets.learn(body)
	}
	l.mu.Lock()
	p := l.proc
	l.mu.Unlock()
	switch {
	case p == nil || p.dead.Load(), l.weather.is(receiverDown, ""):
		l.count("fault: notification finds nobody")
		panic(http.ErrAbortHandler)
	case l.weather.is(receiverHangs, ""):
		l.count("fault: notification hangs")
		nap(r.Context(), time.Hour)
		panic(http.ErrAbortHandler)
	case x < .03:
		l.count("fault: notification refused")
		panic(http.ErrAbortHandler)
	case x < .04:
		l.count("fault: gateway answers 502")
		w.WriteHeader(http.StatusBadGateway)
		return
	case x < .07:
		l.count("fault: notification cut")
		cut := io.MultiReader(bytes.NewReader(body[:int(x*1e6)%len(body)]), broken{})
		if d.post(p, r, cut, "", nil) == http.StatusOK {
			l.fail("I1", "", "200 for a body that was cut")
		}
		panic(http.ErrAbortHandler)
	}
	var in io.Reader = bytes.NewReader(body)
	encoding := ""
	switch {
	case x < .12:
		l.count("notification is slow")
		in = io.MultiReader(bytes.NewReader(body[:len(body)/2]), &slow{r.Context(), time.Duration(x*1e6) % 30 * time.Second}, bytes.NewReader(body[len(body)/2:]))
	case x < .17:
		l.count("notification is compressed")
		in, encoding = pack(body), "gzip"
	}
	status := d.post(p, r, in, encoding, body)
	switch {
	case p.dead.Load():
		panic(http.ErrAbortHandler)
	case status == http.StatusOK && x > .97:
		l.count("fault: 200 lost")
		panic(http.ErrAbortHandler)
	case status == http.StatusOK && x > .94:
		l.count("fault: notification comes twice")
		late := 2 * time.Second
		if x > .95 {
			late = time.Duration(x*1e6) % 40 * time.Hour
		}
		if n == 1 {
			ctx, again := l.end, r.Clone(l.end)
			go func() {
				if nap(ctx, late) == nil {
					l.mu.Lock()
					p := l.proc
					l.mu.Unlock()
					if p != nil {
						d.post(p, again, bytes.NewReader(body), "", body)
					}
				}
			}()
		}
	}
	w.WriteHeader(status)
}

// post calls the receiver, and notes what it promised.
func (d *door) post(p *process, r *http.Request, body io.Reader, encoding string, whole []byte) int {
	in := r.Clone(r.Context())
	in.Body = io.NopCloser(body)
	in.ContentLength = -1
	if encoding != "" {
		in.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, in)
	if w.Code == http.StatusOK && whole != nil && !p.dead.Load() {
		d.l.promised(whole)
	}
	return w.Code
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type slow struct {
	ctx  context.Context
	wait time.Duration
}

func (s *slow) Read([]byte) (int, error) {
	if nap(s.ctx, s.wait) != nil {
		return 0, errors.New("the sender is gone")
	}
	s.wait = 0
	return 0, io.EOF
}

func pack(body []byte) io.Reader {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	z.Write(body)
	z.Close()
	return &b
}

// item is what the simulation reads of an item, by code of its own.
type item struct {
	UserID          types.UserID `json:"userId"`
	SummaryID       types.ID     `json:"summaryId"`
	CallbackURL     string       `json:"callbackURL"`
	ActivityName    string       `json:"activityName"`
	ActivitySubType string       `json:"activitySubType"`
	Broken          bool         `json:"broken"`
	Summary         struct {
		ActivityName string `json:"activityName"`
	} `json:"summary"`
}

func (i *item) mark() string {
	switch {
	case i.ActivityName != "":
		return i.ActivityName
	case i.ActivitySubType != "":
		return i.ActivitySubType
	}
	return i.Summary.ActivityName
}

func itemsOf(body []byte) map[types.Kind][]*item {
	var lists map[types.Kind][]*item
	_ = json.Unmarshal(body, &lists) // what is no JSON has no items
	return lists
}

// ackedItem is a pushed summary, or a file, that a 200 was said for.
type ackedItem struct {
	recordID
	mark string
	at   time.Time
}

// promised notes what the receiver has taken over with its 200.
func (l *life) promised(body []byte) {
	now := time.Now()
	l.count("notification acknowledged")
	for kind, list := range itemsOf(body) {
		for _, i := range list {
			if i.CallbackURL != "" || !kind.Known() || i.mark() == "" || i.Broken {
				continue // judged by what is at Garmin
			}
			id := recordID{kind, i.UserID, i.SummaryID}
			l.mu.Lock()
			l.acked[seqKey(id, i.mark())] = &ackedItem{id, i.mark(), now}
			l.mu.Unlock()
		}
	}
}

// stored notes the order in which the queue took pushes, and takes that back
// when it did not. It returns what to call for that.
func (l *life) storing(body []byte) (undo func()) {
	var added []string
	l.truth.mu.Lock()
	defer l.truth.mu.Unlock()
	for kind, list := range itemsOf(body) {
		for _, i := range list {
			if key := seqKey(recordID{kind, i.UserID, i.SummaryID}, i.mark()); i.CallbackURL == "" && l.truth.seqs[key] == 0 {
				l.truth.seq++
				l.truth.seqs[key] = l.truth.seq
				added = append(added, key)
			}
		}
	}
	return func() {
		l.truth.mu.Lock()
		defer l.truth.mu.Unlock()
		for _, key := range added {
			delete(l.truth.seqs, key)
		}
	}
}

// queryOf reads a callback's query.
func queryOf(callback string) url.Values {
	u, err := url.Parse(callback)
	if err != nil {
		return nil
	}
	return u.Query()
}
