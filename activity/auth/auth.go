// Package auth connects users: it takes them to Garmin's consent page and
// back, and keeps the tokens that come of it good for use.
package auth
