//! SSE2: a vector is four registers of 128 bits. safe_arch's functions are the instructions, without `unsafe`.

use safe_arch::{
    add_i64_m128i, bitand_m128i, bitor_m128i, bitxor_m128i, cast_to_m128d_from_m128i, cmp_eq_mask_i32_m128i,
    m128i, move_mask_i8_m128i, move_mask_m128d, shuffle_ai_f32_all_m128i, sub_i64_m128i, zeroed_m128i,
};

use crate::kernel::clmul::Clmul;
use crate::kernel::kernels::{kernels, level};
use crate::kernel::portable;
use crate::kernel::vector::{LANES, Vector};

/// The registers of a vector.
const REGISTERS: usize = LANES / 2;

impl Vector for [m128i; REGISTERS] {
    #[inline(always)]
    unsafe fn zero() -> Self {
        [zeroed_m128i(); REGISTERS]
    }

    #[inline(always)]
    unsafe fn load(words: &[u64; LANES]) -> Self {
        core::array::from_fn(|i| m128i::from([words[2 * i], words[2 * i + 1]]))
    }

    #[inline(always)]
    unsafe fn store(self, words: &mut [u64; LANES]) {
        for (words, register) in words.as_chunks_mut::<2>().0.iter_mut().zip(self) {
            *words = register.into();
        }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        core::array::from_fn(|i| bitxor_m128i(self[i], other[i]))
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        core::array::from_fn(|i| add_i64_m128i(self[i], other[i]))
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        core::array::from_fn(|i| sub_i64_m128i(self[i], other[i]))
    }

    #[inline(always)]
    unsafe fn or_xor(self, a: Self, b: Self) -> Self {
        core::array::from_fn(|i| bitor_m128i(self[i], bitxor_m128i(a[i], b[i])))
    }

    #[inline(always)]
    unsafe fn or_xor_half(mut self, a: &[u64; LANES / 2], b: &[u64; LANES / 2]) -> Self {
        for i in 0..REGISTERS / 2 {
            let [a, b] = [a, b].map(|words| m128i::from([words[2 * i], words[2 * i + 1]]));
            self[i] = bitor_m128i(self[i], bitxor_m128i(a, b));
        }
        self
    }

    #[inline(always)]
    unsafe fn is_zero(self) -> bool {
        let [a, b, c, d] = self;
        let any = bitor_m128i(bitor_m128i(a, b), bitor_m128i(c, d));
        move_mask_i8_m128i(cmp_eq_mask_i32_m128i(any, zeroed_m128i())) == 0xFFFF
    }

    #[inline(always)]
    unsafe fn ne_mask(self, other: Self) -> u8 {
        let mut mask = 0;
        for (i, (a, b)) in self.into_iter().zip(other).enumerate() {
            // The halves of words that are equal, and then those whose other half is equal too.
            let equal = cmp_eq_mask_i32_m128i(a, b);
            let equal = bitand_m128i(equal, shuffle_ai_f32_all_m128i::<0b10_11_00_01>(equal));
            mask |= (move_mask_m128d(cast_to_m128d_from_m128i(equal)) as u8) << (2 * i);
        }
        !mask
    }
}

impl Clmul for [m128i; REGISTERS] {
    #[inline(always)]
    unsafe fn clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
        portable::clmul_sum(data, keys)
    }

    #[inline(always)]
    unsafe fn clmul(a: u64, b: u64) -> u128 {
        portable::clmul(a, b)
    }
}

kernels! { level! { level: Sse2, name: "SSE2", vector: [safe_arch::m128i; 4], features: [] } }
