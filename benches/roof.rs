//! The machine's roofs: loops of bare loads, one register of each level wide, with nothing done to what they
//! load.

use atomik_core::kernel::Level;

macro_rules! bare_loads {
    ($name:ident, $feature:literal, $registers:literal, $width:literal, $mov:literal, $end:literal) => {
        /// Loads all whole blocks of 512 bytes.
        #[target_feature(enable = $feature)]
        fn $name(words: &[u64]) {
            let blocks = words.len() / 64;
            if blocks == 0 {
                return;
            }
            // SAFETY: reads `blocks` times 512 bytes from the start of `words`, and writes nothing.
            unsafe {
                core::arch::asm!(
                    ".p2align 6",
                    "2:",
                    ".set bytes_on, 0",
                    concat!(".rept 512 / ", $width, " / 4"),
                    concat!($mov, " ", $registers, "0, [{at} + bytes_on]"),
                    concat!($mov, " ", $registers, "1, [{at} + bytes_on + ", $width, "]"),
                    concat!($mov, " ", $registers, "2, [{at} + bytes_on + 2 * ", $width, "]"),
                    concat!($mov, " ", $registers, "3, [{at} + bytes_on + 3 * ", $width, "]"),
                    concat!(".set bytes_on, bytes_on + 4 * ", $width),
                    ".endr",
                    "add {at}, 512",
                    "dec {blocks}",
                    "jnz 2b",
                    $end,
                    at = inout(reg) words.as_ptr() => _,
                    blocks = inout(reg) blocks => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                    options(nostack, readonly),
                );
            }
        }
    };
}

bare_loads!(loads_512, "avx512f", "zmm", 64, "vmovdqu64", "vzeroupper");
bare_loads!(loads_256, "avx2", "ymm", 32, "vmovdqu", "vzeroupper");
bare_loads!(loads_128, "sse2", "xmm", 16, "movdqu", "");

/// Loads `words` in registers of a level, which this processor must have, and does nothing with them. What
/// is left of the last 512 bytes is not loaded.
pub fn bare_loads(level: Level, words: &[u64]) {
    // SAFETY: the level is one that the processor has.
    unsafe {
        match level {
            Level::Avx512 => loads_512(words),
            Level::Avx2 => loads_256(words),
            _ => loads_128(words),
        }
    }
}
