package spool

// How the spool works, for those who change it. doc.go says what it promises.
//
// # Names
//
// doc.go lists the files. What is needed to find a thing is in its name: number,
// order, size, checksum. So a name and the file's bytes become valid together, by
// one rename. A file that ends in .tmp is unfinished; the next Open removes it.
//
// # The life of a body
//
// Put reads up to 128 KiB. If the body ends before, it is a record, and joins the
// batch of the Puts that are waiting. The writer, the only goroutine that writes
// to the newest segment, writes the batch behind the records that are safe, syncs
// once, and lets all of these Puts return. A larger body goes to a file of its
// own, and is split while it arrives, so that it need not be read again.
//
// The body gets its number and its orders when it is stored. An item's ID is the
// body's number and the item's offset, and its order is the body's order and the
// offset. No list of items exists anywhere: a scan reads the bodies in order of
// their numbers, splits them, and skips what the marks say is finished. That is
// why waiting items take no memory, and why a restart needs no recovery of them.
//
// Settle first makes the letters of buried items safe, and then appends a cell for
// each item to the marks of its unit, a segment or a large body. When every item
// of a unit is finished, its files are removed. A segment in which only a few
// items wait is rewritten without the finished bodies.
//
// # What Open does
//
// Each step needs what the one before has found:
//
//  1. It makes the directories that are missing, takes the lock, and reads FORMAT and
//     KEY. A spool of a later version, or with another key, is left as it is.
//  2. Segments: it reads the marks and the headers of the records, cuts off the unused
//     end, and syncs a segment with unfinished bodies (rule 2 below).
//  3. Large bodies: only their names. Marks and indexes without a body are removed:
//     of a finished body, the body itself goes first.
//  4. Letters: each marks its item as done, if the crash came before the mark
//     (rule 3). So marks and bodies must be known.
//  5. It syncs the directories: a name that a killed process made may not be safe yet.
//  6. RESERVE and repeats, which cost nothing but room and repeats if they are lost.
//  7. A new segment, whose name takes the next number. So all numbers in use must have
//     been seen: those of records, of large bodies and of letters.
//
// No record is added to a segment of an earlier Open. Bodies are verified when they are
// handed out.
//
// # What must be safe before what
//
//  1. A Put returns nil after the bytes and the name are synced.
//  2. An item is handed out only if its record is safe: Open syncs the segments in
//     which it finds unfinished bodies. Otherwise a power cut could remove a body
//     that was already worked on and give its number to another.
//  3. A letter, with its name, is synced before the mark of its item, and the mark
//     is synced too. So a crash in between leaves the item and its letter; Settle
//     then writes the letter again. It never leaves neither.
//     For the same reason the letters of a Settle that fails are removed only after the
//     marks that it had written are gone, safely.
//  4. A mark without a letter is not synced. If a power cut undoes it, the item
//     runs again, which every receiver must expect anyway.
//  5. A file that replaces another is synced before the rename, and the directory
//     after it. A crash leaves the old file or the new one.
//
// TestPowerCut cuts the power after each write, sync and name, and checks these
// rules; TestPowerCutSeesMissingSyncs takes each kind of sync away and must find a
// loss.
//
// # When the disk fails
//
// After a failed write or sync, the kernel may have dropped bytes and report
// success for the next sync of that file. So a file with a failed sync is never
// trusted again: the segment is cut back to its safe end and closed, and marks
// are rewritten to a new file. A page that cannot be read is skipped, and the unit
// is pinned: it stays, with everything in it, for the next Open.
//
// Bytes can also be wrong. Each record, large body, block of an index, mark and
// letter has a checksum, salted with a random part of the file's name where a
// sender could otherwise imitate one. A damaged body becomes a letter; a damaged
// index or file of repeats is made again; a damaged mark makes its item run again.
//
// A sealed spool has the same files. The checksum is that of the bytes on the disk,
// so damage is found as in a plain one, and what opens them is the place that they
// were written for: see keys.go, text.go and header.about.
//
// # Locks
//
// They are taken in this order; whoever holds one may only take later ones:
//
//	erasing         Erase, against whoever stores again what is already stored
//	redriving       one letter at a time is put back or discarded
//	building        one index at a time is rebuilt
//	gate            for reading: a change of the directory; for writing: Close
//	settling        a change of finished items or of letters
//	share.mu        one scan, and share.account one for accounts; never with settling
//	largeBody.swap  opening a large body with its index, or replacing both
//	markFile.mu     of each file of marks, in the order of their units; opening a segment, or replacing it
//	spool.mu        the lists of segments and large bodies, and their fields
//
// enter takes the gate for reading, and nobody may enter twice: a Close that waits
// in between would make all three wait for ever. TestCloseAtEveryOperation closes
// the spool at each operation on the disk. spool.mu is never held during one.
//
// oldest.mu, which Stats takes, comes before markFile.mu. The mutexes of gathering,
// knownItems, letterList and repeats, and spool.reserving, are the last: who holds
// one takes no other.
//
// # Memory
//
// It grows with the number of files and not with bodies or items. Indexes that have
// no files take at most indexRoom. Marks and indexes
// are read when they are needed and dropped when others need the room (maxMarks and
// keepIndex). Items that a scan has found and nobody has asked for are
// kept whole up to maxHeld bytes for each class, and beyond that as IDs.
//
// # Formats
//
// All numbers are little-endian; checksums are CRC-32C.
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
// twelve bytes each, unless the spool is sealed; 2 body finished; 8 all bodies up
// to this number finished; 3 damage that has a letter, with its offset in place of the number; 9 something
// was taken out of the large body, whose checksum is in place of the offset.
// Version 0.1 wrote 1, item done, with the ordinal of the item.
//
// A letter is a line "spool letter 2 <checksum> <size>" about the next line, a
// line of JSON, the bytes of the item, and a last line with their checksum. Of a
// sealed one it is 3, the next line is base64 of a sealed record, and a sealed stream
// follows to the end. index.go describes an index, and rest.go the letter of
// the rest of a body.
