// Package spool keeps notification bodies in a directory of this machine until
// they are processed. It is the [notify.Store] and [notify.Queue] for a receiver
// that runs on one machine.
//
//	inbox, err := spool.Open(dir, nil)
//	if err != nil {
//		return err
//	}
//	defer inbox.Close()
//	mux.Handle("/garmin", notify.NewHandler(inbox, nil))
//
// A [notify.Processor] then works on it.
//
// # What survives
//
// When Put has returned nil, the body survives a kill of the process and a cut
// of the power, as far as the disk keeps its own promise about sync. What Settle
// has recorded survives a kill; a power cut may undo what was done and what waits
// of the last half minute or so, and these items run again. Letters survive both,
// and an item that has one never runs again.
//
// A Put that failed leaves nothing to be processed, with one exception that no
// store on a failing disk can rule out: if the power goes just after a failed
// sync, the refused body may be found on the disk. It is then processed, as a
// repeat of what Garmin sends again.
//
// Bodies that were being written when the process died may be found too: whole,
// and not acknowledged. They are processed as well.
//
// # Repeats
//
// Garmin sends a body again if it has not seen the 200. A body that was received
// before, byte for byte, is acknowledged and not stored again, for 8 days or what
// [Options].RepeatTime says: a repeat of an old body is not delivered behind the
// edit that came after it. An edit that was taken back within that time, with the
// very same bytes as before, cannot be told from a repeat and is not delivered.
// Two copies that come at the same moment may both be stored, and so may a
// repeat after a crash. What may hold a ping, a deregistration or a change of
// permissions is always stored, and so is what Redrive puts back.
//
// # Items
//
// The ID of an item is the number of its body and the place in the body where it
// begins, so that it is found without an index. In memory is what is known of each
// file: neither the number of bodies that are stored nor that of items that wait
// counts. To know repeats it keeps some 60 bytes for each of the latest million
// bodies. A small body is taken apart when a scan comes to it. A large one is taken
// apart while it is received, into an index beside it, so that its items are handed
// out by slices and read one by one. A body of 256 MiB is refused.
//
// A body that may hold a deregistration or a change of permissions is marked when
// it comes, by a look for these two words. A scan for accounts reads only these
// bodies, ahead of all others, and never waits for another scan.
//
// # Failing disks
//
// After a failed write or sync the file is cut back to its last safe record and
// never written again, since the kernel may forget what it could not write; all
// bodies that waited for it are refused, and the next ones go to a new file.
// While the disk is full or read-only every Put fails and everything that is
// there can be processed. A file of a megabyte is kept in reserve: when the disk
// has no room to note what is done, it is given up for that, and no body is stored
// until it is whole again. Segments in which a few items wait for days are
// replaced by shorter ones, and what is done leaves the disk.
//
// Each body has a checksum, which is compared before its items are handed out. A
// damaged body is never delivered: it becomes a quarantined letter with the
// reason "spool: checksum mismatch…", or "…no readable record" where even its
// place cannot be told, and the bodies after it are found all the same. A
// damaged body of more than 64 KiB stays beside its letter in a file that ends
// in .damaged; it is found when a part of it is read, so items of other parts may
// have been delivered. After a power cut such a letter may also be the rest of a
// write that was never acknowledged. What the disk does not give back is passed
// over, counted in [Counts], and tried again by the next Open; its neighbours are
// handed out.
//
// # One owner
//
// One process has the directory at a time, and a second gets [ErrLocked]. The
// lock ends with the process, however it ends. It is on the directory itself and
// on the file LOCK in it; on Windows, where directories cannot be locked and an
// open file cannot be removed, on the file alone. On Solaris, AIX, Plan 9 and in
// WebAssembly there is no such lock, and it is left to the caller to start one
// process only. Network file systems are not supported. If the directory, or a
// file in it, is removed, moved or replaced while the spool is open, no body is
// acknowledged into what is gone: Put fails with [ErrGone].
//
// Files have mode 0600 and directories 0700: the bodies are personal data. What
// is finished leaves the disk within a minute after the last body of its
// segment, a file of up to 16 MiB, is finished.
//
// # Files
//
// All numbers in the files are little-endian, checksums are CRC-32C. Spools of
// version 0.1 are read; it cannot read what this version has opened.
//
//	LOCK                                 held by the owner
//	FORMAT                               "activityapi spool 2\n"
//	RESERVE                              a megabyte of zeros
//	repeats                              the sums of the bodies that were received
//	claims/                              which files were asked for, see [notify.ClaimDir]
//	log/<first number>-<order>-<random>.seg      segment: bodies of up to 64 KiB
//	log/<first number>-<order>-<random>.marks    what was settled of that segment
//	large/<number>.<time>.<order>.<size>.<checksum>.<a or d>.body   one larger body, as it came
//	large/….items, large/….marks         its index, and what was settled of it
//	letters/<number>-<offset>-<time>.letter        dead letter of an item
//	letters/<number>-rest-<time>.letter            of the rest of a body
//	letters/<first number>-at-<offset>-<time>.letter   of a part of a segment that holds no readable record
//	letters/….bytes                      a whole large body that is a letter
//	letters/….damaged                    the same with a wrong checksum
//	repeats.tmp, */*.tmp                              being written; removed by Open
//
// The number of a body counts all bodies of the spool. Numbers, times (nanoseconds
// of Unix time), offsets, random parts and checksums stand in names as hexadecimal
// digits, sizes as decimal ones. Of the letter of a whole body the offset is
// 0fffffff. Version 0.1 wrote letters/<number>-<ordinal>.letter, and told neither
// order nor a or d. What orders are, order.go says.
//
// The file repeats is a sequence of records as [notify.Redeliveries] writes them.
// It may be removed while the spool is closed; then nothing is known as a repeat.
//
// A segment is a sequence of records, each padded with zeros to a multiple of 8
// bytes, and zeros behind the last one:
//
//	 0  4  "spo2"
//	 4  4  size of the body; bit 31: it was looked at, bit 30: it may hold items of accounts
//	 8  8  number of the body
//	16  8  time of receipt
//	24  8  order
//	32  4  checksum of the body
//	36  4  checksum of the file's name and the 36 bytes before
//	40     the body
//
// Version 0.1 wrote "spol", and no order.
//
// Since the name has a random part, no sender can make a body that looks like
// records. A reader that meets a damaged header goes on at the next good one. A
// segment may be replaced by one under the same name without the bodies that are
// finished.
//
// A file of marks is a sequence of these:
//
//	 0  4  kind
//	 4  8  number of the body
//	12  4  offset of the item in the body
//	16  4  checksum of the file's name and the 16 bytes before
//
// The kinds are 4 item done; 5 item waits, followed by a 6 with the time of the
// next attempt and the number of attempts, and by 7s with the reason's text, twelve
// bytes each; 2 body finished; 8 all bodies up to this number finished; 3 damage
// dealt with, with its offset for a number. Version 0.1 wrote 1, item done, with
// the ordinal of the item.
//
// A letter is a line "spool letter 2 <checksum> <size>" about the next line, a
// line of JSON, the bytes of the item, and a line's end with their checksum. How an
// index and the letter of a rest are built, index.go and rest.go say.
package spool
