// Package spool keeps notification bodies in a directory of this machine until
// they are processed. It is the [notify.Queue] for a receiver that runs on one
// machine.
//
//	inbox, err := spool.Open(dir, nil)
//	if err != nil {
//		return err
//	}
//	defer inbox.Close()
//	mux.Handle("/garmin", notify.NewHandler(inbox.Put, nil))
//
// A [notify.Processor] then works on it.
//
// # What survives
//
// Once Put has returned nil, the body survives a kill of the process and a power
// cut, provided that the disk honours sync. What Settle has recorded survives a
// kill. A power cut may undo the records of about the last half minute, and those
// items run again. Letters survive both, and an item with a letter never runs
// again.
//
// A failed Put leaves nothing to be processed, with one exception that no store
// on a failing disk can rule out: if the power fails just after a failed sync,
// the refused body may be found on the disk. It is then processed, like a repeat
// of what Garmin sends again.
//
// Bodies that were being written when the process died may also be found,
// complete but not acknowledged. They are processed too.
//
// # Repeats
//
// Garmin sends a body again if it has not seen the 200. For 8 days, or
// Options.RepeatTime, an identical body is acknowledged and not stored again, so
// that a repeat of an old body is not delivered after a later edit. An edit
// undone within that time, with a body identical to the earlier one, cannot be
// told from a repeat and is not delivered. Two copies that arrive at the same
// time may both be stored, and so may a repeat after a crash. A body that may
// hold a ping, a deregistration or a permission change is always stored, and so
// is what Redrive puts back.
//
// # Items
//
// The ID of an item is made of the number of its body and its offset in the body,
// so that no index is needed to find it. Memory grows with the number of files,
// not with the number of stored bodies or waiting items. To recognize repeats,
// the spool keeps about 60 bytes for each of the latest million bodies. A small
// body is split into items when a scan reaches it. A large one is split while it
// is received, into an index beside it, so that its items are handed out in
// slices and read one by one. The index of a body below 1 MiB has no file as long as
// such indexes take less than 4 MiB of memory; after a restart it is made again. A body of 256 MiB or more is refused.
//
// A body that contains the list key of deregistrations or permission changes is
// marked on arrival. A scan for accounts reads only marked bodies, before all
// others, and never waits for another scan.
//
// # Failing disks
//
// After a failed write or sync the file is cut back to its last safe record and
// never written again, since the kernel may drop what it could not write. All
// bodies that waited for it are refused, and later ones go to a new file. While
// the disk is full or read-only every Put fails, but stored bodies can still be
// processed. A reserve file of a megabyte is deleted when the disk has no room to
// record what is done; no body is stored until the reserve is restored. Segments
// in which only a few items wait for days are replaced by shorter ones, which
// frees the space of finished items.
//
// Each body has a checksum, which is verified before its items are handed out. A
// damaged body is never delivered: it becomes a quarantined letter with the
// reason "spool: checksum mismatch…", or "…no readable record" if even its bounds
// are unknown. The bodies after it are still found. A damaged body of more than
// 64 KiB stays beside its letter in a file that ends in .damaged. The damage is
// found when that part is read, so items of other parts may have been delivered.
// After a power cut such a letter may also be the rest of a write that was never
// acknowledged. Unreadable parts of the disk are skipped, counted in [notify.QueueStats],
// and tried again by the next Open; the bodies around them are handed out.
//
// # One owner
//
// Only one process can open the directory at a time; a second one gets
// [notify.ErrInUse]. The lock ends when the process ends, in any way. It is on the
// directory itself and on the file LOCK in it; on Windows, where directories
// cannot be locked and an open file cannot be removed, it is only on the file.
// Solaris, AIX, Plan 9 and WebAssembly have no such lock: there the caller must
// start only one process. Network file systems are not supported. If the
// directory, or a file in it, is removed, moved or replaced while the spool is
// open, Put fails and acknowledges nothing.
//
// Files have mode 0600 and directories 0700, since bodies are personal data. A
// segment, a file of up to 16 MiB, is deleted within a minute after its last body
// is finished.
//
// # Erasing
//
// Erase takes all that is of one user out of every file. A segment or a
// large body that has items of others too is replaced by one in which the user's
// items are null and white space: others' bytes, places and IDs are what they were.
// What stands in memory or in blocks of the disk that the file system has freed is
// not its business. Who has an item of the user in hand finds that it is finished.
//
// # Encryption
//
// With Options.AEAD, nothing of a body is on the disk in clear: no id, coordinate,
// token or URL of it, nor a sum by which a guessed body could be recognized. Sealed
// are bodies, the indexes of large ones, letters with their reasons, and the notes of
// which files were asked for. Numbers, times, sizes, the places of items in their
// bodies and what was settled are not, nor are names of files. An id of an item does
// not change.
//
// The AEAD seals only the spool's own keys, 64 random bytes in the file KEY; with
// these, bodies are sealed by AES-256-GCM. Whoever loses KEY or the key of the AEAD
// loses the bodies: a backup of the directory needs both. Open fails with [ErrKey],
// and changes nothing, if the AEAD is not the right one or missing.
//
// A spool that was not sealed is from the Open on that has an AEAD. What it held
// stays as it is until it is finished, or written anew to save room or by Erase; a
// large body and a letter stay as they are until they are gone. There is no way
// back but to process all, and to begin a new directory.
//
// To change the key, open the spool once with an AEAD that seals with the new key
// and opens with either: when Open has returned, and logged no error about KEY, only
// the new one is needed. The example of Options shows one. The keys in KEY stay the
// same, so this does not help against who has read KEY and knew the old key: for
// that, process all and begin a new directory.
//
// A nonce is a prefix of 64 random bits, drawn by each Open and kept in memory
// alone, and a counter of 32. So a crash that undoes writes cannot repeat a nonce,
// although it can repeat a number. Of 65,000 prefixes two are equal with a chance of
// 2^-33, and an Open draws two, one for the notes of files.
//
// A body opens only in its record: its segment, number, time and order are
// authenticated. Parts of a large body that are changed, moved or missing are
// noticed, but not a file that is given the name of another, or that is put back
// after it was removed. A body that does not open is damaged, and becomes a letter.
// Of a large one what opens can be read and redriven, with spaces in the place of
// the rest. Erase cannot tell what is in what does not open, and says that it is
// left.
//
// # Files
//
// All numbers in the files are little-endian; checksums are CRC-32C. This version
// reads spools of version 0.1, but not the other way round.
//
//	LOCK                                 held by the owner
//	FORMAT                               "activityapi spool 2\n", or 3 if something may be sealed
//	KEY                                  the keys of a sealed spool, see keys.go
//	RESERVE                              a megabyte of zeros
//	repeats                              the sums of the bodies that were received
//	repeats.keyed                        the same of a sealed spool, in the place of repeats
//	claims/log                           which files were asked for, see [notify.ClaimDir]
//	claims/*.claims                      the same, of files that nobody works on any more
//	log/<first number>-<order>-<random>.seg      segment: bodies of up to 64 KiB
//	log/<first number>-<order>-<random>.marks    what was settled of that segment
//	large/<number>.<time>.<order>.<size>.<checksum>.<a or d>.body   one larger body, as it came
//	large/<number>.<time>.<order>.<size>.<id>.<as or ds>.body       the same, sealed
//	large/….items, large/….marks         its index, if it has a file, and what was settled of it
//	letters/<number>-<offset>-<time>.letter        dead letter of an item
//	letters/<number>-rest-<time>.letter            of the rest of a body
//	letters/<first number>-at-<offset>-<time>.letter   of a part of a segment that holds no readable record
//	letters/….bytes                      a whole large body that is a letter
//	letters/….damaged                    the same with a wrong checksum
//	letters/….sealed                     either, sealed
//	*.tmp, */*.tmp                       being written; removed by Open
//
// Bodies are numbered throughout the spool. In names, numbers, times (nanoseconds
// of Unix time), offsets, random parts and checksums are hexadecimal, and sizes
// are decimal. The letter of a whole body has the offset 0fffffff. Version 0.1
// wrote letters/<number>-<ordinal>.letter, without order and without a or d. An
// order is twice the Unix time in nanoseconds at which the body came, or more if
// many came; see order.go.
//
// The file repeats is a sequence of records as package redelivery writes them.
// It may be removed while the spool is closed; then no repeats are recognized.
//
// A segment is a sequence of records, each padded with zeros to a multiple of 8
// bytes, followed by zeros:
//
//	 0  4  "spo2"
//	 4  4  size of the body; bit 31: it was looked at, bit 30: it may hold items of accounts, bit 29: it is sealed
//	 8  8  number of the body
//	16  8  time of receipt
//	24  8  order
//	32  4  checksum of the body, as it is stored
//	36  4  checksum of the file's name and the 36 bytes before
//	40     the body
//
// Version 0.1 wrote "spol", and no order. A sealed body is a record as the source of
// internal/seal describes it, 28 bytes longer than the body.
//
// Since the name has a random part, no sender can make a body that looks like
// records. After a damaged header a reader continues at the next good one. A
// segment may be replaced by one of the same name without the finished bodies.
//
// A file of marks is a sequence of these:
//
//	 0  4  kind
//	 4  8  number of the body
//	12  4  offset of the item in the body
//	16  4  checksum of the file's name and the 16 bytes before
//
// The kinds are 4 item done; 5 item waits, followed by a 6 with the time of the
// next attempt and the number of attempts, and by 7s with the reason's text,
// twelve bytes each, unless the spool is sealed; 2 body finished; 8 all bodies up to this number finished; 3
// damage that has a letter, with its offset in place of the number; 9 something
// was taken out of the large body, whose checksum is in place of the offset.
// Version 0.1 wrote 1, item done, with the ordinal of the item.
//
// A letter is a line "spool letter 2 <checksum> <size>" about the next line, a
// line of JSON, the bytes of the item, and a last line with their checksum. Of a
// sealed one it is 3, the next line is base64 of a sealed record, and a sealed stream
// follows to the end. The source files index.go and rest.go describe an index and the
// letter of a rest.
package spool
