package admin

import (
	"io"
	"net/http"
	"time"
)

// patience is how long who asked may take nothing of an answer.
const patience = time.Minute

// unlimited lets an answer take longer than the server lets one take. With HTTP/2 the
// end of that time also ends the request's context. That of HTTP/1 and of HTTP/2 ends
// when who asked has gone. limit is called before the answer's last bytes are written.
func unlimited(w http.ResponseWriter) (limit func()) {
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Time{})
	return func() { _ = c.SetWriteDeadline(time.Now().Add(patience)) }
}

// slowWriter writes an answer that takes long, to who takes it.
type slowWriter struct{ w http.ResponseWriter }

var _ io.Writer = slowWriter{}

func (s slowWriter) Write(b []byte) (int, error) {
	c := http.NewResponseController(s.w)
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	n, err := s.w.Write(b)
	_ = c.SetWriteDeadline(time.Time{}) // the next may come late
	return n, err
}
