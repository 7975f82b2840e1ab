package personal_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/activity/service/personal"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
	"github.com/garminkit/activityapi/types"
)

func ExampleStores_Erase() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	inbox, err := spool.Open(filepath.Join(dir, "inbox"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer inbox.Close()
	files, err := notify.OpenFileDir(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer files.Close()
	tokens, ledger := auth.NewMemory(), backfill.NewLedger()
	err = inbox.Put(ctx, strings.NewReader(`{"activities":[{"userId":"4aac","summaryId":"1"},{"userId":"b","summaryId":"2"}]}`))
	if err != nil {
		log.Fatal(err)
	}

	user := types.UserID("4aac")
	stores := &personal.Stores{Queue: inbox, Files: files, Tokens: tokens, Ledger: ledger}
	receipt, err := stores.Erase(ctx, user, false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Complete(), receipt.Stores[0].Name, receipt.Stores[0].Removed)
	// Output: true queue map[items:1]
}
