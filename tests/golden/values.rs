//! Golden values. Made by `ci/golden.sh`; do not edit.

/// addr, delta, seq, and the bytes that the Python package makes of them.
pub(crate) const MESSAGES: &[(u32, u64, u32, [u8; 16])] = &[
    (0x0, 0x0, 0x0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (0x1, 0xcafe, 0x7, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 202, 254, 0, 0, 0, 7]),
    (
        0xffffffff,
        0xffffffffffffffff,
        0xffffffff,
        [255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
    ),
    (0x1020304, 0x5060708090a0b0c, 0xd0e0f10, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
    (0x80000000, 0x8000000000000000, 0x80000000, [128, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0]),
];

/// The length of patterned data, and the Python package's fingerprint of them.
pub(crate) const FOLDS: &[(usize, u64)] = &[
    (0, 0x0000000000000000),
    (1, 0x000000000000009e),
    (7, 0x0053b51778da3c9e),
    (8, 0xf153b51778da3c9e),
    (9, 0xf153b51778da3c11),
    (16, 0x1216121f12161211),
    (63, 0x8f0c1f6a38c6d4a2),
    (64, 0x020c1f6a38c6d4a2),
    (65, 0x020c1f6a38c6d48e),
    (1000, 0x59c33cb72f8e3ff6),
    (8191, 0xa30f498e4e0e4670),
    (8192, 0x4c0f498e4e0e4670),
    (8193, 0x4c0f498e4e0e46fd),
    (20000, 0x5aae93f0855186bb),
];

/// A seed, the length of patterned data, and their positional fingerprint.
pub(crate) const FINGERPRINTS: &[(u64, usize, u64)] = &[
    (0x0, 0, 0x0000000000000000),
    (0x0, 1, 0x26ebceddefd1a06d),
    (0x0, 7, 0x568be1f369592178),
    (0x0, 8, 0xf79a79b3eea820de),
    (0x0, 9, 0xbb73c5f7954329ac),
    (0x0, 16, 0xfc39e4cca8edd75d),
    (0x0, 63, 0x833881885288ae78),
    (0x0, 64, 0x2bb8b1fb9d2c7664),
    (0x0, 65, 0x8088d18f44f38877),
    (0x0, 1000, 0x0316602f752c681c),
    (0x0, 8191, 0xb33128dd8bf35d68),
    (0x0, 8192, 0x4bdf18e2b4dd3cda),
    (0x0, 8193, 0xea5d7af5bf35c660),
    (0x0, 20000, 0x38e4f61f127f4eb6),
    (0xa70311c, 0, 0x0000000000000000),
    (0xa70311c, 1, 0x6281febea54eeda4),
    (0xa70311c, 7, 0xc411e69dee76534d),
    (0xa70311c, 8, 0x5e750dc3c6a0f133),
    (0xa70311c, 9, 0x7e6cf7cddcb45ad8),
    (0xa70311c, 16, 0x2679276ead31fc52),
    (0xa70311c, 63, 0x651b39c3fbaf663d),
    (0xa70311c, 64, 0x40633f47a3e8b3f7),
    (0xa70311c, 65, 0x92934b2433f0c02c),
    (0xa70311c, 1000, 0xced420ccf887feb4),
    (0xa70311c, 8191, 0xbca378d739d85d06),
    (0xa70311c, 8192, 0x08419439955fcb8b),
    (0xa70311c, 8193, 0xf02a0c07ba02780c),
    (0xa70311c, 20000, 0x2f957695e9553353),
];
