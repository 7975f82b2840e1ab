package notifytest_test

import (
	"testing"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/notifytest"
)

func TestMemory(t *testing.T) {
	queues := map[string]*notifytest.Memory{}
	notifytest.Run(t, func(t *testing.T, dir string) notify.Queue {
		if queues[dir] == nil {
			queues[dir] = notifytest.NewMemory()
		}
		return queues[dir]
	})
}
