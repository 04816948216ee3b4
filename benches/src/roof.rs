//! The limits of the processor: loops of bare loads and of bare carry-less multiplications, in the registers
//! of a level, that do nothing with the result.

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

/// Loads `words` in registers of a level, which this processor must have. The last words are not loaded if they
/// are fewer than 64.
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

macro_rules! bare_multiplications {
    ($name:ident, $feature:literal, $registers:literal, $width:literal, $end:literal) => {
        /// Multiplies as often as it takes for one product for each word of `blocks` times 512 bytes.
        #[target_feature(enable = $feature)]
        fn $name(blocks: usize) {
            if blocks == 0 {
                return;
            }
            // SAFETY: works on registers only. Their contents don't matter.
            unsafe {
                core::arch::asm!(
                    ".p2align 6",
                    "2:",
                    // A register of products takes two instructions: for the even words and for the odd ones.
                    concat!(".rept 512 / ", $width, " / 4"),
                    concat!("vpclmulqdq ", $registers, "0, ", $registers, "8, ", $registers, "9, 0x00"),
                    concat!("vpclmulqdq ", $registers, "1, ", $registers, "8, ", $registers, "9, 0x11"),
                    concat!("vpclmulqdq ", $registers, "2, ", $registers, "8, ", $registers, "9, 0x00"),
                    concat!("vpclmulqdq ", $registers, "3, ", $registers, "8, ", $registers, "9, 0x11"),
                    concat!("vpclmulqdq ", $registers, "4, ", $registers, "8, ", $registers, "9, 0x00"),
                    concat!("vpclmulqdq ", $registers, "5, ", $registers, "8, ", $registers, "9, 0x11"),
                    concat!("vpclmulqdq ", $registers, "6, ", $registers, "8, ", $registers, "9, 0x00"),
                    concat!("vpclmulqdq ", $registers, "7, ", $registers, "8, ", $registers, "9, 0x11"),
                    ".endr",
                    "dec {blocks}",
                    "jnz 2b",
                    $end,
                    blocks = inout(reg) blocks => _,
                    out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _,
                    out("xmm5") _, out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _,
                    options(nostack, nomem),
                );
            }
        }
    };
}

bare_multiplications!(multiply_512, "avx512f,vpclmulqdq", "zmm", 64, "vzeroupper");
bare_multiplications!(multiply_256, "avx2,vpclmulqdq", "ymm", 32, "vzeroupper");
bare_multiplications!(multiply_128, "avx2,pclmulqdq", "xmm", 16, "");

/// Does one carry-less multiplication of 64 by 64 bits for each of so many words, in registers of a level,
/// which this processor must have: the limit of `Fingerprint`. Whole blocks of 64 words count. Returns false if
/// the level has no such multiplication.
#[must_use]
pub fn bare_multiplications(level: Level, words: usize) -> bool {
    let wide = is_x86_feature_detected!("vpclmulqdq");
    let narrow = is_x86_feature_detected!("pclmulqdq");
    // SAFETY: the processor has the level, and the multiplication was detected.
    unsafe {
        match level {
            Level::Avx512 if wide => multiply_512(words / 64),
            Level::Avx2 | Level::Avx512 if wide => multiply_256(words / 64),
            Level::Avx2 | Level::Avx512 if narrow => multiply_128(words / 64),
            _ => return false,
        }
    }
    true
}
