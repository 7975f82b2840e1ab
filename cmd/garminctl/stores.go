package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/garminkit/activityapi/activity/auth"
	"github.com/garminkit/activityapi/backfill"
	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/notify/spool"
)

// A store must exist: a wrong name is an error and makes nothing.

// openTokens opens the token file or the table of tokens.
func openTokens(ctx context.Context, path string, d *database) (store auth.TokenStore, done func() error, err error) {
	switch {
	case d.Database && path != "":
		return nil, nil, usagef("-tokens and -database are both given")
	case d.Database:
		db, done, err := d.open(ctx)
		if err != nil {
			return nil, nil, err
		}
		return db.Tokens(), done, nil
	case path == "":
		return nil, nil, usagef("give -tokens, or -database")
	}
	if _, err := os.Stat(path); err != nil {
		return nil, nil, usagef("the token file: %v", reason(err))
	}
	aead, err := seal(tokensKey)
	if err != nil {
		return nil, nil, err
	}
	file, err := auth.OpenFile(path, &auth.FileOptions{AEAD: aead})
	if err != nil {
		return nil, nil, err
	}
	return file, file.Close, nil
}

// openLedger opens the ledger in a directory or its tables.
func openLedger(ctx context.Context, dir string, d *database) (ledger backfill.Ledger, done func() error, err error) {
	switch {
	case d.Database && dir != "":
		return nil, nil, usagef("-ledger and -database are both given")
	case d.Database:
		db, done, err := d.open(ctx)
		if err != nil {
			return nil, nil, err
		}
		return db.Ledger(), done, nil
	case dir == "":
		return nil, nil, usagef("give -ledger of a stopped service, -admin of a running one, or -database")
	}
	if _, err := os.Stat(filepath.Join(dir, "ledger.log")); err != nil {
		return nil, nil, usagef("the ledger: %v", reason(err))
	}
	l, err := makeLedger(dir)
	if err != nil {
		return nil, nil, err
	}
	return l, l.Close, nil
}

func openSpool(dir string) (notify.Queue, error) {
	if _, err := os.Stat(filepath.Join(dir, "FORMAT")); errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("%s is no spool", dir)
	}
	aead, err := seal(spoolKey)
	if err != nil {
		return nil, err
	}
	s, err := spool.Open(dir, &spool.Options{AEAD: aead})
	if errors.Is(err, spool.ErrKey) {
		return nil, usagef("%v; set %s to the key of the service", err, spoolKey)
	}
	if errors.Is(err, notify.ErrInUse) {
		_, holder, _ := holderOf(dir, filepath.Join(dir, "LOCK"))
		return nil, fmt.Errorf("the spool is in use by %s: give -admin, or stop the service", holder)
	}
	return s, err
}
