// Package readme holds the code of README.md and of the guides in docs, as
// Examples that are compiled and run.
package readme
