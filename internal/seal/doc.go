// Package seal encrypts what is kept on a disk, with an AEAD that the caller
// chose: small records, and streams that are read from any place.
//
// # Records
//
// A record is a nonce and what the AEAD made of the text:
//
//	nonce | ciphertext and tag
//
// Who opens a record says again what it is about: its number, its name, its
// place. That is authenticated and not stored, so that a record that was put in
// the place of another does not open.
//
// # Streams
//
// A stream is a head and chunks:
//
//	 0  8   "aaseal1\n"
//	 8  16  id, random for each stream
//	24      a record of nothing: it opens if the key is right
//	        chunks: records of 64 KiB each, the last one of what is left
//
// Only an empty stream has an empty chunk. With each chunk its stream's id, its
// number and whether it is the last are authenticated, and what the stream is
// about. So a chunk that is changed, moved, repeated, left out, or of another
// stream does not open, nor does the last one of a stream that was cut short. A
// reader of the first bytes alone does not see a cut; who reads to the end does.
//
// # Nonces
//
// A nonce must never be used twice with one key, and random nonces of 96 bits are
// safe for 2^32 messages only. A nonce here is a prefix and a counter: all but
// the last 4 bytes are drawn at random when a [Box] is made, and again after 2^32
// records; the last 4 count up. Nothing of it is read from a disk, so no crash and
// no power cut, which may undo writes and give a number or a place again, can
// give a nonce again: after it, the prefix is another one. With 12 bytes, two
// prefixes of 65,536 are equal with a chance of 2^-33: with one key, a program
// can be started that often, and each time seal 2^32 records.
//
// An AEAD with nonces of 0 bytes makes its own, as that of
// [cipher.NewGCMWithRandomNonce]; then its limits count.
package seal
