//! Sections as bytes, by the layout in the documentation. This shares no code with the replica.

/// The length of a header.
pub(crate) const HEADER: usize = 80;

/// CRC-32C, bit by bit.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0x82F6_3B78 & (crc & 1).wrapping_neg()))
    })
}

/// Corrects the checksums of a packet with one section.
pub(crate) fn fix_checksums(section: &mut [u8]) {
    let origin = crc32c(&section[16..32]);
    section[32..36].copy_from_slice(&origin.to_be_bytes());
    let body = crc32c(&section[HEADER..]);
    section[72..76].copy_from_slice(&body.to_be_bytes());
    let header = crc32c(&section[..76]);
    section[76..80].copy_from_slice(&header.to_be_bytes());
}

/// The sections of a packet.
pub(crate) fn sections(packet: &[u8]) -> Vec<Vec<u8>> {
    let mut sections = Vec::new();
    let mut rest = packet;
    while !rest.is_empty() {
        let len = u32::from_be_bytes(rest[68..72].try_into().unwrap()) as usize;
        let (section, after) = rest.split_at(HEADER + len);
        sections.push(section.to_vec());
        rest = after;
    }
    sections
}
