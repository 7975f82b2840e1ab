//go:build !windows

package auth

// lockData tells that writers lock the token file itself, which may be replaced
// while it is open.
const lockData = true
