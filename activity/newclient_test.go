package activity_test

import "github.com/garminkit/activityapi/activity"

// poolClient returns a client of a pool of its own.
func poolClient(cred activity.Credential, opts *activity.Options) (*activity.Client, error) {
	pool, err := activity.NewPool(opts)
	if err != nil {
		return nil, err
	}
	return pool.Client(cred)
}
