//! The format, byte by byte: version 2.
//!
//! A packet is a sequence of sections, and a section is a header and a body. All numbers are big-endian. A test reads
//! the tables and the examples on this page, and compares them with what a replica writes.
//!
//! # Header
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic: `ATMK` |
//! | 4 | 1 | format: 2 |
//! | 5 | 1 | kind: see below |
//! | 6 | 1 | algebra: 0 for XOR, 1 for addition |
//! | 7 | 1 | reserved: 0 |
//! | 8 | 8 | cluster: a digest of the name, the shard size and the initial base |
//! | 16 | 8 | node: of the origin |
//! | 24 | 8 | incarnation: of the origin |
//! | 32 | 4 | origin checksum: CRC-32C of node and incarnation |
//! | 36 | 4 | shard: its index in the table |
//! | 40 | 8 | from: a version |
//! | 48 | 8 | to: a version |
//! | 56 | 4 | words: how many |
//! | 60 | 4 | entries: how many |
//! | 64 | 4 | folds: how many |
//! | 68 | 4 | body length: in bytes |
//! | 72 | 4 | body checksum: CRC-32C of the body |
//! | 76 | 4 | header checksum: CRC-32C of the 76 bytes before |
//!
//! The body has the words, then the entries, and then the folds. The length of the body allows a receiver to skip a
//! section whose kind it does not know, that has a reserved byte other than 0, that has folds although its kind has
//! none, or that has a fold whose tag it does not know.
//!
//! # Kinds
//!
//! | kind | section | from | to | a word is | entries |
//! |---|---|---|---|---|---|
//! | 1 | frame: totals of a shard of an origin | what it leads from | what it leads to | a total, 16 bytes | yes |
//! | 2 | versions of neighbouring shards of an origin, from `shard` on | number of the section, or 0 | number of the vector, or 0 | a version, 8 bytes | no |
//! | 3 | request for what changed in a shard after `from` | a version | 0 | | no |
//! | 4 | digest of a shard of an origin at version `to` | 0 | a version | a digest, 8 bytes | no |
//! | 5 | hello: request for the version vector; the origin is the sender | 0 | digest of the sender's version vector | | no |
//! | 6 | version of a stored shard; it does not travel | 0 | a version | the number of its blocks, and the sum of their stamps, 8 bytes each | no |
//! | 7 | part `shard` of the `to` parts of report number `from`; the origin is the sender | number of the report | how many parts, or 0 | a number, 8 bytes | no |
//! | 8 | fold by name: version `to` of a shard of an origin is the version before with these shards folded into it | `to` - 1 | what it leads to | the name of a shard, 24 bytes | no |
//! | 9 | digest of the version vector of the origin, alone or after the vector | how many sections the vector had, or 0 | number of the vector, or 0 | a digest, 8 bytes | no |
//! | 10 | digests of the versions of a shard and of its merged states; the origin is the sender | 0 | 0 | a digest, 8 bytes | no |
//! | 11 | denial: the origin made versions of a shard up to `from`, and not `to` | a version | a version | | no |
//! | 12 | block of a stored shard; it does not travel | index of the block in its shard | its stamp: the version at which it last changed | a total, 8 bytes | yes |
//! | 13 | claims of a store; it does not travel; the incarnation is 2^64 - 1 | 0 | 1 | a number, 8 bytes | no |
//!
//! A heartbeat has versions and digests. The sections of a whole version vector are numbered from 1, and a digest with
//! their number follows them: a receiver that has them all has heard the sender out.
//!
//! # Records
//!
//! A word of a frame is a total. Addresses ascend.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 4 | address |
//! | 4 | 8 | total |
//! | 12 | 4 | version: the low 32 bits of `to` |
//!
//! An entry is what an origin knows of an address that was loaded. Addresses ascend.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 4 | address |
//! | 4 | 8 | counter: of the LOAD, below 2^63 |
//! | 12 | 8 | node: of the LOAD |
//! | 20 | 8 | incarnation: of the LOAD |
//! | 28 | 8 | value: of the LOAD |
//! | 36 | 8 | total: of the deltas that the origin made since it knew the LOAD |
//!
//! A fold says that a shard covers all earlier starts of its origin's node: they are folded into it, or void. A frame
//! and a stored version (kinds 1 and 6) have one of these, or none. A fold by name (kind 8) has one.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 8 | tag: 1 |
//! | 8 | 8 | node: of the origin |
//! | 16 | 8 | start: 0 |
//! | 24 | 8 | end: the incarnation of the origin |
//!
//! A fold by name has the shards that were folded, of earlier starts of the origin's node, with ascending incarnations.
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 8 | node: of the origin |
//! | 8 | 8 | incarnation: of an earlier start |
//! | 16 | 8 | version: of its shard, which was folded |
//!
//! Whoever holds version `from` of the shard and each of these at exactly its version folds them too: the totals of an
//! address compose; of two entries of an address that of the greater LOAD stays, and of equal ones the totals compose;
//! and the blocks that a folded shard touched are stamped with `to`. Whoever does not asks for a frame.
//!
//! The numbers of a report are: 1 if the sender is settled, else 0; how many claims follow; for each claim the node,
//! the greatest incarnation that is known of it, and the round; and for each shard of a start that has ended, which is
//! held and not covered, the node, the incarnation, the shard and the version. A shard that is not among them is not
//! held. Each part has the first two numbers. Reports of one start are numbered from 1; one number has one content.
//! With no parts, only the number of the last report is told: whoever lacks it says hello. The claims of a store are
//! numbers of the same form, without shards.
//!
//! A block of a stored shard has 64 totals, or as many as the shard if that has fewer words. For each block, the sum of
//! the stamps of a shard has a number `mix(mix(0, index), stamp)`, modulo 2^64. `mix(a, b)` is the next output of the
//! generator SplitMix64 in the state `a XOR b`.
//!
//! # Examples
//!
//! The cluster is `ClusterConfig::new("wire", 128).with_shard_words(64)`, on addition. Origin 1/2 adds 7 at address 5
//! and loads 9 at address 6. So shard 0 has version 2.
//!
//! Its frame from version 0, with one word and one entry:
//!
//! ```text
//! 41 54 4d 4b 02 01 01 00 9e e0 82 98 50 33 bd f8
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02
//! 57 75 3c 55 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 02 00 00 00 01 00 00 00 01
//! 00 00 00 00 00 00 00 3c 5f cb de 55 fa 6a c7 e0
//! 00 00 00 05 00 00 00 00 00 00 00 07 00 00 00 02
//! 00 00 00 06 00 00 00 00 00 00 00 01 00 00 00 00
//! 00 00 00 01 00 00 00 00 00 00 00 02 00 00 00 00
//! 00 00 00 09 00 00 00 00 00 00 00 00
//! ```
//!
//! Its version vector, one section and the digest after it:
//!
//! ```text
//! 41 54 4d 4b 02 02 01 00 9e e0 82 98 50 33 bd f8
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02
//! 57 75 3c 55 00 00 00 00 00 00 00 00 00 00 00 01
//! 3c d1 33 49 fd 86 f9 82 00 00 00 01 00 00 00 00
//! 00 00 00 00 00 00 00 08 6d 13 c2 7d 95 45 cf 17
//! 00 00 00 00 00 00 00 02 41 54 4d 4b 02 09 01 00
//! 9e e0 82 98 50 33 bd f8 00 00 00 00 00 00 00 01
//! 00 00 00 00 00 00 00 02 57 75 3c 55 00 00 00 00
//! 00 00 00 00 00 00 00 01 3c d1 33 49 fd 86 f9 82
//! 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 08
//! c2 89 10 a3 ed fa 14 03 3c d1 33 49 fd 86 f9 82
//! ```
//!
//! The hello of origin 3/4, which knows nothing, and its request:
//!
//! ```text
//! 41 54 4d 4b 02 05 01 00 9e e0 82 98 50 33 bd f8
//! 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00 04
//! 9c 45 01 dc 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 00 00 00 00 00 08 18 10 34
//! ```
//!
//! ```text
//! 41 54 4d 4b 02 03 01 00 9e e0 82 98 50 33 bd f8
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02
//! 57 75 3c 55 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 00 00 00 00 00 92 ac d8 d4
//! ```
//!
//! A heartbeat of origin 1/2 with the digest of shard 0, and the digests of merged states:
//!
//! ```text
//! 41 54 4d 4b 02 04 01 00 9e e0 82 98 50 33 bd f8
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02
//! 57 75 3c 55 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 02 00 00 00 01 00 00 00 00
//! 00 00 00 00 00 00 00 08 73 61 e8 d7 c0 82 44 e3
//! 05 ee bc b9 e0 4b 7f 12 41 54 4d 4b 02 0a 01 00
//! 9e e0 82 98 50 33 bd f8 00 00 00 00 00 00 00 01
//! 00 00 00 00 00 00 00 02 57 75 3c 55 00 00 00 00
//! 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 10
//! 82 c4 62 4e 1e 15 db f5 e9 30 af 93 af 0d af 48
//! ca 56 7a a5 a8 c7 5c 92
//! ```
//!
//! The denial of another instance of 1/2, which has made nothing and heard of version 2:
//!
//! ```text
//! 41 54 4d 4b 02 0b 01 00 9e e0 82 98 50 33 bd f8
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02
//! 57 75 3c 55 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 00 00 00 00 00 5b 1f 11 46
//! ```
//!
//! In the same cluster with shards of 16 words and the members 1 and 2, origin 1/9 folds shard 0 of origin 1/2, which
//! has version 1, into its own version 1: the fold by name, the frame from version 0, and its report, which knows of
//! itself and of 2/3, and holds nothing of starts that have ended:
//!
//! ```text
//! 41 54 4d 4b 02 08 01 00 87 cd 08 6a ea c3 5c 10
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 09
//! ce fc 97 6e 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 01 00 00 00 01 00 00 00 00
//! 00 00 00 01 00 00 00 38 f7 a5 2e ac ad 15 33 3e
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 09
//! ```
//!
//! ```text
//! 41 54 4d 4b 02 01 01 00 87 cd 08 6a ea c3 5c 10
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 09
//! ce fc 97 6e 00 00 00 00 00 00 00 00 00 00 00 00
//! 00 00 00 00 00 00 00 01 00 00 00 10 00 00 00 00
//! 00 00 00 01 00 00 01 20 97 79 a6 8c d2 c1 be c2
//! 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 03 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 05 00 00 00 00 00 00 00 07 00 00 00 01
//! 00 00 00 06 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 07 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 08 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 09 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 0a 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 0b 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 0c 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 0d 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 0e 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 0f 00 00 00 00 00 00 00 00 00 00 00 01
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 01
//! 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 09
//! ```
//!
//! ```text
//! 41 54 4d 4b 02 07 01 00 87 cd 08 6a ea c3 5c 10
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 09
//! ce fc 97 6e 00 00 00 00 00 00 00 00 00 00 00 02
//! 00 00 00 00 00 00 00 01 00 00 00 08 00 00 00 00
//! 00 00 00 00 00 00 00 40 6f a7 52 27 9f 68 4d cd
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02
//! 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 09
//! 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02
//! 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00 00
//! ```
