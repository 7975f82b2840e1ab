// Package sabotage has no code. Its test takes each defence of this module out
// of the code, one at a time, and demands that the test which is named for it
// fails: a test that passes without its defence proves nothing.
//
// The rows stand beside the code, in the file testdata/sabotage.txt of each
// package:
//
//	defence: F16 a swap is synced
//	test: TestFileStoreSyncFails
//	file: file_disk.go
//	 		lines around it, as in a diff
//	-	if sound, err := @.disk.Append(file, line, true); err != nil {
//	+	if sound, err := @.disk.Append(file, line, false); err != nil {
//
// The defence begins with the ids it stands for in the fault matrix (F1 to F46)
// and the threat table (T1 to T20), if it is in one of them. The test is one of the
// package, as for go test -run; "./notify TestX" is one of another package, and
// flags such as -race may follow. The lines without + are whole lines that stand in
// the file once, and @ is a method's receiver, whatever its name. A row may have
// several files, where either of two layers alone holds.
//
// In the short form the rows are checked against the code, so that a change of a
// defence changes its row too. The long form builds and runs each row:
//
//	go test ./internal/sabotage -run Sabotage -sabotage -v -timeout 0
package sabotage
