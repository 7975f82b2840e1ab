// Package spool keeps notification bodies in a directory of this machine until
// they are processed. It is the [notify.Store] and [notify.Queue] for a receiver
// that runs on one machine.
//
//	inbox, err := spool.Open(dir, nil)
//	if err != nil {
//		return err
//	}
//	defer inbox.Close()
//	mux.Handle("POST /garmin", notify.NewHandler(inbox, nil))
//
// A [notify.Processor] then works on it.
//
// # What survives
//
// When Put has returned nil, the body survives a kill of the process and a cut
// of the power, as far as the disk keeps its own promise about sync. A mark
// survives a kill; a power cut may undo the marks and the finished bodies of the
// last half minute or so, and their items run again. Letters survive both.
//
// A Put that failed leaves nothing to be processed, with one exception that no
// store on a failing disk can rule out: if the power goes just after a failed
// sync, the refused body may be found on the disk. It is then processed, as a
// repeat of what Garmin sends again.
//
// Bodies that were being written when the process died may be found too: whole,
// and not acknowledged. They are processed as well.
//
// # Failing disks
//
// After a failed write or sync the file is cut back to its last safe record and
// never written again, since the kernel may forget what it could not write; all
// bodies that waited for it are refused, and the next ones go to a new file.
// While the disk is full or read-only every Put fails and everything that is
// there can be processed. Nothing has to be repaired by hand.
//
// Each body has a checksum, which is compared before the body is handed out. A
// damaged body is never delivered: it becomes a quarantined letter with the
// reason "spool: checksum mismatch…", or "…no readable record" where even its
// place cannot be told, and the bodies after it are found all the same. A
// damaged body of more than 64 KiB stays beside its letter in a file that ends
// in .damaged. After a power cut such a letter may also be the rest of a write
// that was never acknowledged.
//
// # One owner
//
// One process has the directory at a time, and a second gets [ErrLocked]. The
// lock ends with the process, however it ends. On Solaris, AIX, Plan 9 and in
// WebAssembly there is no such lock, and it is left to the caller to start one
// process only. Network file systems are not supported.
//
// Files have mode 0600 and directories 0700: the bodies are personal data. What
// is finished leaves the disk within a minute after the last body of its
// segment, a file of up to 16 MiB, is finished.
//
// # Files
//
// All numbers in the files are little-endian, checksums are CRC-32C.
//
//	LOCK                                 held by the owner
//	FORMAT                               "activityapi spool 1\n"
//	log/<first number>-<random>.seg      segment: bodies of up to 64 KiB
//	log/<first number>-<random>.marks    what is done in that segment
//	large/<number>.<time>.<size>.<checksum>.body   one larger body, as it came
//	large/<number>.<time>.<size>.<checksum>.marks  what is done in it
//	large/*.tmp, letters/*.tmp           being written; removed by Open
//	letters/<number>-<ordinal>.letter    dead letter
//	letters/<number>-<ordinal>.damaged   large body with a wrong checksum
//
// The number of a body counts all bodies of the spool and is its ID. Numbers,
// times (nanoseconds of Unix time), random parts and checksums stand in names
// as hexadecimal digits, sizes as decimal ones. Of the letter of a whole body the
// ordinal is ffffffff; letters/<first number>-at-<offset>.letter is about a part
// of a segment that holds no readable record.
//
// A segment is a sequence of records, each padded with zeros to a multiple of 8
// bytes, and zeros behind the last one:
//
//	 0  4  "spol"
//	 4  4  size of the body
//	 8  8  number of the body
//	16  8  time of receipt
//	24  4  checksum of the body
//	28  4  checksum of the file's name and the 28 bytes before
//	32     the body
//
// Since the name has a random part, no sender can make a body that looks like
// records. A reader that meets a damaged header goes on at the next good one.
//
// A file of marks is a sequence of these:
//
//	 0  4  kind: 1 item done, 2 body finished, 3 damage dealt with
//	 4  8  number of the body; offset of the damage
//	12  4  ordinal of the item
//	16  4  checksum of the file's name and the 16 bytes before
//
// A letter is a line "spool letter 1 <checksum> <size>" about all that follows, a
// line of JSON, and the bytes of the item.
package spool
