// Package spool keeps notification bodies in a directory of this machine until
// they are processed.
package spool
