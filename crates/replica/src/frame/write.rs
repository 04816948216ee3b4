//! Writing sections.

use alloc::vec::Vec;

use super::body::{FOLD_LEN, NUMBER_LEN, encode_cover, encode_entry, encode_name, encode_word};
use super::{FORMAT, FrameContext, HEADER_LEN, Header, MAGIC, SectionKind, offset, origin_crc};
use crate::block::Block;
use crate::checksum::crc32c;
use crate::register::{Entry, Total};
use crate::replica_id::ReplicaId;
use crate::shape::ShardKey;

/// Nothing that counts as a word.
const NO_WORDS: [[u8; 0]; 0] = [];

impl FrameContext {
    /// Appends a frame: what changed in a shard after version `from` and up to version `to`. The addresses of the
    /// words, and those of the entries, ascend. `covers` says whether the shard covers all earlier starts of its node.
    pub(crate) fn write_totals<'e>(
        self,
        out: &mut Vec<u8>,
        key: ShardKey,
        [from, to]: [u64; 2],
        words: impl Iterator<Item = (u32, Total)>,
        entries: impl Iterator<Item = &'e Entry>,
        covers: bool,
    ) {
        let header = Header::new(SectionKind::Totals, key, from, to);
        let words = words.map(|(addr, total)| encode_word(addr, total, to));
        self.write_with_folds(
            out,
            header,
            words,
            entries,
            covers.then(|| encode_cover(key.origin)).as_slice(),
        );
    }

    /// Appends that version `to` of a shard is the one before with these shards, of ended starts of its node, folded
    /// into it.
    pub(crate) fn write_named_fold(
        self,
        out: &mut Vec<u8>,
        key: ShardKey,
        to: u64,
        taken: &[(ReplicaId, u64)],
    ) {
        let header = Header::new(SectionKind::NamedFold, key, to - 1, to);
        let names = taken.iter().map(|&name| encode_name(name));
        self.write_with_folds(out, header, names, [].iter(), &[encode_cover(key.origin)]);
    }

    /// Appends the versions of consecutive shards, of which `first` is the first. If they are a section of a whole
    /// version vector, `place` has the number of the section and that of the vector.
    pub(crate) fn write_versions(
        self,
        out: &mut Vec<u8>,
        first: ShardKey,
        place: [u64; 2],
        versions: impl Iterator<Item = u64>,
    ) {
        let header = Header::new(SectionKind::VersionVector, first, place[0], place[1]);
        self.write(out, header, versions.map(u64::to_be_bytes), [].iter());
    }

    /// Appends a request for what changed in a shard after version `since`.
    pub(crate) fn write_request(self, out: &mut Vec<u8>, key: ShardKey, since: u64) {
        self.write(out, Header::new(SectionKind::Request, key, since, 0), NO_WORDS, [].iter());
    }

    /// Appends the digest of a shard at a version.
    pub(crate) fn write_digest(self, out: &mut Vec<u8>, key: ShardKey, version: u64, digest: u64) {
        let header = Header::new(SectionKind::Digest, key, 0, version);
        let number: [u8; NUMBER_LEN] = digest.to_be_bytes();
        self.write(out, header, [number], [].iter());
    }

    /// Appends the digest of the versions of a shard, and that of the merged states that replica `id` has at these
    /// versions.
    pub(crate) fn write_merged_digest(
        self,
        out: &mut Vec<u8>,
        id: ReplicaId,
        shard: usize,
        digests: [u64; 2],
    ) {
        let header = Header::new(SectionKind::MergedDigest, ShardKey { origin: id, shard }, 0, 0);
        self.write(out, header, digests.map(u64::to_be_bytes), [].iter());
    }

    /// Appends that the origin of a shard made versions up to `made`, and not `denied`.
    pub(crate) fn write_denial(self, out: &mut Vec<u8>, key: ShardKey, [made, denied]: [u64; 2]) {
        self.write(out, Header::new(SectionKind::Denial, key, made, denied), NO_WORDS, [].iter());
    }

    /// Appends part `place[0]` of the `place[1]` parts of report `seq` of the replica `id`.
    pub(crate) fn write_report(
        self,
        out: &mut Vec<u8>,
        id: ReplicaId,
        seq: u64,
        [part, parts]: [u64; 2],
        numbers: &[u64],
    ) {
        let header =
            Header { kind: SectionKind::Report, origin: id, shard: part as u32, from: seq, to: parts };
        self.write(out, header, numbers.iter().map(|number| number.to_be_bytes()), [].iter());
    }

    /// Appends what the node of `id` knows of starts, for its store.
    pub(crate) fn write_stored_claims(self, out: &mut Vec<u8>, id: ReplicaId, numbers: &[u64]) {
        let header = Header { kind: SectionKind::StoredClaims, origin: id, shard: 0, from: 0, to: 1 };
        self.write(out, header, numbers.iter().map(|number| number.to_be_bytes()), [].iter());
    }

    /// Appends a request for the version vector, from the replica `id`, whose own version vector has this digest.
    pub(crate) fn write_hello(self, out: &mut Vec<u8>, id: ReplicaId, digest: u64) {
        let header = Header { kind: SectionKind::Hello, origin: id, shard: 0, from: 0, to: digest };
        self.write(out, header, NO_WORDS, [].iter());
    }

    /// Appends the digest of the version vector of the replica `id`. If it is the end of a whole version vector,
    /// `place` has the number of its sections and that of the vector.
    pub(crate) fn write_vector_digest(self, out: &mut Vec<u8>, id: ReplicaId, place: [u64; 2], digest: u64) {
        let [from, to] = place;
        let header = Header { kind: SectionKind::VectorDigest, origin: id, shard: 0, from, to };
        self.write(out, header, [digest.to_be_bytes()], [].iter());
    }

    /// Appends what names the version of a shard in a store, with the number of its blocks and the sum of their stamps.
    pub(crate) fn write_stored(
        self,
        out: &mut Vec<u8>,
        key: ShardKey,
        version: u64,
        stamps: [u64; 2],
        covers: bool,
    ) {
        let header = Header::new(SectionKind::Stored, key, 0, version);
        let folds = covers.then(|| encode_cover(key.origin));
        self.write_with_folds(out, header, stamps.map(u64::to_be_bytes), [].iter(), folds.as_slice());
    }

    /// Appends a block of a shard for a store. `index` is its place in the shard.
    pub(crate) fn write_stored_block(self, out: &mut Vec<u8>, key: ShardKey, index: u32, block: &Block) {
        let header = Header::new(SectionKind::StoredBlock, key, index.into(), block.stamp);
        let totals = block.totals.iter().map(|total| total.0.to_be_bytes());
        self.write(out, header, totals, block.entries().iter());
    }

    /// Appends a section with these records and entries.
    pub(super) fn write<'e, const N: usize>(
        self,
        out: &mut Vec<u8>,
        header: Header,
        words: impl IntoIterator<Item = [u8; N]>,
        entries: impl Iterator<Item = &'e Entry>,
    ) {
        self.write_with_folds(out, header, words, entries, &[]);
    }

    /// Appends a section with these records, entries and folds.
    fn write_with_folds<'e, const N: usize>(
        self,
        out: &mut Vec<u8>,
        header: Header,
        words: impl IntoIterator<Item = [u8; N]>,
        entries: impl Iterator<Item = &'e Entry>,
        folds: &[[u8; FOLD_LEN]],
    ) {
        let start = out.len();
        out.resize(start + HEADER_LEN, 0);
        let word_count = append(out, words);
        let entry_count = append(out, entries.map(encode_entry));
        let fold_count = append(out, folds.iter().copied());
        let body = &out[start + HEADER_LEN..];
        // A section has at most 65,536 words and as many entries, so its length fits.
        let (body_len, body_crc) = (body.len() as u32, crc32c(body));

        let raw = &mut out[start..start + HEADER_LEN];
        raw[..offset::FORMAT].copy_from_slice(&MAGIC);
        raw[offset::FORMAT] = FORMAT;
        raw[offset::KIND] = header.kind as u8;
        raw[offset::ALGEBRA] = self.algebra;
        put(raw, offset::CLUSTER, self.cluster.to_be_bytes());
        put(raw, offset::NODE, header.origin.node.to_be_bytes());
        put(raw, offset::INCARNATION, header.origin.incarnation.to_be_bytes());
        put(raw, offset::ORIGIN_CRC, origin_crc(header.origin).to_be_bytes());
        put(raw, offset::SHARD, header.shard.to_be_bytes());
        put(raw, offset::FROM, header.from.to_be_bytes());
        put(raw, offset::TO, header.to.to_be_bytes());
        put(raw, offset::WORDS, word_count.to_be_bytes());
        put(raw, offset::ENTRIES, entry_count.to_be_bytes());
        put(raw, offset::FOLDS, fold_count.to_be_bytes());
        put(raw, offset::BODY_LEN, body_len.to_be_bytes());
        put(raw, offset::BODY_CRC, body_crc.to_be_bytes());
        let header_crc = crc32c(&raw[..offset::HEADER_CRC]);
        put(raw, offset::HEADER_CRC, header_crc.to_be_bytes());
    }
}

/// Appends records; returns how many. A shard has at most 65,536 words and a table at most 2^32 shards.
fn append<const N: usize>(out: &mut Vec<u8>, records: impl IntoIterator<Item = [u8; N]>) -> u32 {
    let records = records.into_iter();
    out.reserve(N * records.size_hint().0);
    let mut count = 0;
    // `for_each` is faster than a loop on iterators that are made of several.
    records.for_each(|record| {
        out.extend_from_slice(&record);
        count += 1;
    });
    count
}

fn put<const N: usize>(bytes: &mut [u8], at: usize, number: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&number);
}
