// Package spool keeps what Garmin has POSTed in a directory of this machine until it
// is processed. It is the [notify.Queue] for a receiver that runs on one machine.
// Package notify explains what a body, an item and a letter are.
//
//	inbox, err := spool.Open(dir, nil)
//	if err != nil {
//		return err
//	}
//	defer inbox.Close()
//	mux.Handle("/garmin", notify.NewHandler(inbox.Put, nil))
//
// A [notify.Processor] then takes the items out of inbox.
//
// # What survives
//
// Once Put has returned nil, the body survives a kill of the process and a power
// cut, provided that the disk honours sync. What Settle has recorded survives a
// kill. A power cut may undo the records of about the last half minute; the
// processor then works on those items again. Letters survive both. An item with a
// letter is not worked on again unless the letter is redriven.
//
// If Put fails, the body is not processed, with one exception that no store on a
// failing disk can rule out: if the power fails just after a failed sync, the body
// may be found on the disk. It is then processed, and Garmin, which got no 200,
// sends it again. The same may happen to a body that was being written when the
// process died.
//
// # Repeats
//
// Garmin sends a body again if it has not seen the 200. For 8 days, or
// [Options].RepeatTime, an identical body is acknowledged and not stored again.
// Otherwise a late repeat of an old body would be delivered after a newer edit. The
// price: an edit undone within that time, with a body identical to an earlier one,
// looks like a repeat and is not delivered.
//
// A body that may hold a ping, a deregistration or a permission change is always
// stored, and so is what Redrive puts back. Two copies that arrive at the same time
// may both be stored, and so may a repeat after a crash.
//
// # Memory
//
// Memory grows with the number of files, not with the number of bodies or items
// that wait. To recognize repeats, the spool keeps about 60 bytes for each of the
// latest million bodies. A body of 128 KiB or more has a file and an index of its own, so
// that its items are read one by one. The indexes of bodies below 1 MiB are kept in
// memory as long as they take less than 4 MiB, and are made again after a restart.
// A body of 256 MiB or more is refused.
//
// Deregistrations and permission changes do not wait for other items: a body that
// may hold one is marked when it arrives, and there is a separate search for them
// that reads only marked bodies.
//
// # Failing disks
//
// After a failed write or sync, the file is cut back to its last safe record and
// never written again, since the kernel may drop what it could not write. All Puts
// that waited for the write fail, and later ones go to a new file. While the disk
// is full or read-only every Put fails, but stored bodies can still be processed.
// To record their results, the spool has a reserve file of a megabyte, which it
// deletes when the disk is full. It accepts no body until the reserve is restored.
//
// Each body has a checksum, which is verified before its items are handed out. A
// damaged body is never delivered: it becomes a quarantined letter with the
// reason "spool: checksum mismatch…", or "…no readable record" if it is not even
// known where it begins and ends. The bodies after it are still found. A damaged
// body of 128 KiB or more stays beside its letter, in a file that ends in .damaged.
// Damage is found when that part of the body is read, so items of other parts may
// have been delivered. After a power cut, such a letter may also be the rest of a
// write that was never acknowledged.
//
// Parts of the disk that cannot be read are skipped, counted in
// [notify.QueueStats], and tried again by the next Open. The bodies around them are
// handed out.
//
// # One owner
//
// Only one process can open the directory at a time; for a second one, Open returns
// [notify.ErrInUse]. The lock ends when the process ends, in whatever way. It is on
// the directory itself and on the file LOCK in it. On Windows, where directories
// cannot be locked and an open file cannot be removed, it is only on the file.
// Solaris, AIX, Plan 9 and WebAssembly have no such lock: start only one process
// there. Network file systems are not supported. If the directory, or a file in it,
// is removed, moved or replaced while the spool is open, Put fails and acknowledges
// nothing.
//
// Files have mode 0600 and directories 0700, since bodies are personal data. Small
// bodies share files of up to 16 MiB, called segments. A segment is deleted within
// a minute after its last body is finished. If only a few items of a segment wait
// for days, it is replaced by a shorter one without the others.
//
// # Erasing
//
// Erase removes everything of one user from every file. If a segment or a large
// body also has items of others, it is replaced by a copy in which the user's items
// are null and white space; the bytes, places and IDs of other items do not change.
// Erase does not overwrite memory, or disk blocks that the file system has freed.
// An item of the user that is being worked on counts as finished.
//
// # Encryption
//
// With [Options].AEAD, the spool is sealed: bodies, the indexes of large ones,
// letters with their reasons, and the notes of which files were downloaded are
// encrypted and authenticated. No id, coordinate, token or URL is on the disk in
// clear, nor a checksum by which a guessed body could be recognized. Not sealed are
// the names of files, which have numbers, times and sizes, the places of items in
// their bodies, and which items are finished.
//
// The AEAD seals only the spool's own keys, 64 random bytes in the file KEY. These
// seal the rest by AES-256-GCM. If KEY or the key of the AEAD is lost, the bodies
// are lost, so a backup of the directory needs both. If the AEAD is missing or not
// the right one, Open fails with [ErrKey] and changes nothing.
//
// A plain spool becomes a sealed one when it is opened with an AEAD for the first
// time. What it held stays plain until it is finished; small bodies are also sealed
// when their segment is written anew, to save room or by Erase. A sealed spool
// cannot become plain again: process all that is in it, and begin a new directory.
//
// To change the key, open the spool once with an AEAD that seals with the new key
// and opens with either; the example of Options shows one. When Open has returned,
// and has logged no error about KEY, only the new key is needed. The keys in KEY
// stay the same, so this does not help against somebody who has read KEY and knew
// the old key. In that case process all, and begin a new directory.
//
// A body opens only in its own record: its segment, number, time and order are
// authenticated. If parts of a large body are changed, moved or missing, it is
// noticed. If a whole file is given the name of another, or is put back after it
// was removed, it is not. A body that does not open is damaged and becomes a letter.
// The parts of a large one that do open can be read and redriven, with spaces in
// place of the others. Erase cannot tell whose items are in what does not open, and
// reports that this is left.
//
// Each Open draws two random nonce prefixes of 64 bits, one for bodies and one for
// the notes of files, and keeps them in memory alone; a counter of 32 bits follows
// the prefix. So a crash that undoes writes cannot repeat a nonce. With 65,000
// prefixes, the chance that two are equal is 2^-33.
//
// # Files
//
// This version reads spools of version 0.1, but not the other way round. The source
// file layout.go has the format of each file.
//
//	LOCK                                 held by the owner
//	FORMAT                               "activityapi spool 2\n", or 3 if something may be sealed
//	KEY                                  the keys of a sealed spool
//	RESERVE                              a megabyte of zeros
//	repeats                              the sums of the bodies that were received
//	repeats.keyed                        the same of a sealed spool, in the place of repeats
//	claims/log                           which files were asked for, see [notify.Claims]
//	claims/*.claims                      the same, of files that nobody works on any more
//	log/<first number>-<order>-<random>.seg      segment: bodies of less than 128 KiB
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
package spool
