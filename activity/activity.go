// Package activity is the client of the Garmin Activity API: it pulls one
// user's summaries, follows the callback URLs of pings, downloads files and
// calls the user endpoints.
package activity
