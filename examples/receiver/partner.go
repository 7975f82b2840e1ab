package main

import (
	"context"
	"log"

	"github.com/garminkit/activityapi/notify"
	"github.com/garminkit/activityapi/types"
)

func callbacks() notify.Callbacks {
	return notify.Callbacks{Save: save, Deregistration: left, PermissionChange: permitted}
}

// resolve finds your users behind Garmin's id.
func resolve(_ context.Context, garminID types.UserID) ([]notify.User, error) {
	return []notify.User{{ID: "user of " + string(garminID)}}, nil
}

// save stores a summary under d.Record: see [notify.Delivery.Replaces].
func save(_ context.Context, d *notify.Delivery, s types.Summary) error {
	log.Print(d.User.ID, " has ", s.Kind(), " ", s.ID())
	return nil
}

// left deletes a user, after making sure that it is true: see
// [notify.Callbacks].
func left(_ context.Context, d *notify.Delivery, _ *notify.Deregistration) error {
	log.Print(d.User.ID, " says goodbye")
	return nil
}

// permitted keeps what the user allows, the newest by its time.
func permitted(_ context.Context, d *notify.Delivery, e *notify.PermissionChange) error {
	log.Print(d.User.ID, " allows ", e.Permissions)
	return nil
}
