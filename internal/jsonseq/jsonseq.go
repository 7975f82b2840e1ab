// Package jsonseq reads lists of records from JSON as a stream, one record at
// a time.
package jsonseq
