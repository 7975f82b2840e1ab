package simulation

import (
	"net/url"
	"strings"
	"sync"
)

// secrets are the canaries: all that may stand in no log line and no error.
type secrets struct {
	mu     sync.Mutex
	tokens map[string]bool
}

func (s *secrets) init() { s.tokens = map[string]bool{} }

// learn notes the tokens of a body's callbacks.
func (s *secrets) learn(body []byte) {
	for _, list := range itemsOf(body) {
		for _, i := range list {
			if token := queryOf(i.CallbackURL).Get("token"); token != "" {
				s.mu.Lock()
				s.tokens[strings.TrimRight(token, "=")] = true
				s.mu.Unlock()
			}
		}
	}
}

// in returns the secret in a text, or "".
func (s *secrets) in(text string) string {
	for _, known := range []string{"fake-access-", "fake-refresh-", "fake-client-secret", pathSecret} {
		if strings.Contains(text, known) {
			return known
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, word := range strings.FieldsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '%')
	}) {
		if len(word) < 16 {
			continue
		}
		if strings.Contains(word, "%") {
			word, _ = url.QueryUnescape(word)
		}
		if s.tokens[strings.TrimRight(word, "=")] {
			return word
		}
	}
	return ""
}

// heard checks a text that leaves the library.
func (l *life) heard(where, text string) {
	if secret := l.secrets.in(text); secret != "" {
		l.fail("I3", "", "a secret in %s: %s", where, strings.ReplaceAll(text, secret, "<"+secret[:6]+"…>"))
	}
}

// logs is where all loggers write.
type logs struct{ l *life }

func (w logs) Write(b []byte) (int, error) {
	w.l.count("log lines")
	w.l.heard("a log line", string(b))
	return len(b), nil
}
