//! File systems whose locks or shared mappings are not those of one kernel.

/// The name of a file system, by its number in `statfs`, if files on it can't be shared. Its users may be on different
/// machines, whose kernels see neither each other's mappings nor, always, each other's locks; or another process
/// answers for it.
pub(crate) fn name_if_unsafe(number: u64) -> Option<&'static str> {
    // Some kernels extend the sign of the 32-bit number.
    Some(match number & 0xFFFF_FFFF {
        0x0000_6969 => "NFS",
        0x0000_517B => "SMB",
        0xFE53_4D42 => "SMB 2",
        0xFF53_4D42 => "CIFS",
        0x0102_1997 => "9P",
        0x6573_5546 => "FUSE",
        0x00C3_6400 => "Ceph",
        0x5346_414F => "AFS",
        0x6B41_4653 => "kAFS",
        0x7375_7245 => "Coda",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        0x786F_4256 => "VirtualBox's shared folders",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_named_and_local_ones_are_not() {
        assert_eq!(name_if_unsafe(0x6969), Some("NFS"));
        assert_eq!(name_if_unsafe(0xFFFF_FFFF_FF53_4D42), Some("CIFS"));
        let (ext4, xfs, btrfs, tmpfs, overlay) = (0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630);
        for local in [ext4, xfs, btrfs, tmpfs, overlay] {
            assert_eq!(name_if_unsafe(local), None, "{local:#x}");
        }
    }
}
