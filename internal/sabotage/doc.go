// Package sabotage has no code. Its test takes each defence of this module out
// of the code, one at a time, and demands that the test which is named for it
// fails: a test that passes without its defence proves nothing.
//
// The tables say how, one file for each part of the module. In the short form
// they are checked against the code, so that a change of a defence changes its
// row too. The long form builds and runs each row:
//
//	go test ./internal/sabotage -run Sabotage -sabotage -v -timeout 0
package sabotage
