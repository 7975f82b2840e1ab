package lists

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func reader(before string, items ...[2]string) *Reader {
	return &Reader{
		Before: func() string { return before },
		Next: func() (*Item, error) {
			if len(items) == 0 {
				return nil, io.EOF
			}
			it := items[0]
			items = items[1:]
			return &Item{Key: it[0], Text: strings.NewReader(it[1]), Whole: it[0] == "whole"}, nil
		},
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	for want, items := range map[string][][2]string{
		"a{}":                          nil,
		`a{"x":[1]}`:                   {{"x", "1"}},
		`a{"x":[1,2]}`:                 {{"x", "1"}, {"x", "2"}},
		`a{"x":[1],"y":[2,]}`:          {{"x", "1"}, {"y", "2"}, {"y", ""}},
		`a{"":[1],"x":[2]}`:            {{"", "1"}, {"x", "2"}},
		`a{"x":[1],"y\"":[2],"x":[3]}`: {{"x", "1"}, {"y\"", "2"}, {"x", "3"}},
		`{broken`:                      {{"whole", "{broken"}},
	} {
		require.NoError(t, iotest.TestReader(reader("a", items...), []byte(want)), want)
	}
	r := reader("", [2]string{"x", "1"})
	r.Before = nil
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, `{"x":[1]}`, string(got))
}

func TestReaderFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	_, err := io.ReadAll(&Reader{Next: func() (*Item, error) { return nil, broken }})
	require.ErrorIs(t, err, broken)
	_, err = io.ReadAll(&Reader{Next: func() (*Item, error) { return &Item{Text: iotest.ErrReader(broken)}, nil }})
	require.ErrorIs(t, err, broken)
}
