package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestStory(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) { require.NoError(t, story(context.Background(), &out, dir)) })
	t.Log(out.String())
	require.Contains(t, out.String(), "100 %")
	require.Contains(t, out.String(), "requests beyond Garmin's limit: 0\n")
	require.Contains(t, out.String(), "refused, before the user's earliest time")
	require.Contains(t, out.String(), "hole, duplicate of a request for another range")
	for _, id := range []string{"anna", "ben", "carla"} {
		svg, err := os.ReadFile(filepath.Join(dir, "history-"+id+".svg"))
		require.NoError(t, err)
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err = d.Token(); err != nil {
				break
			}
		}
		require.ErrorIs(t, err, io.EOF, "%v", err)
	}
}
