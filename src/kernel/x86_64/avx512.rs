//! AVX-512: a vector is one register of 512 bits.
//!
//! The first processors with AVX-512 multiply a pair of words at a time (PCLMULQDQ), and newer ones four pairs
//! (VPCLMULQDQ).

use core::arch::x86_64::{
    __m256i, __m512i, _mm256_loadu_si256, _mm512_add_epi32, _mm512_add_epi64, _mm512_clmulepi64_epi128,
    _mm512_cmpneq_epi64_mask, _mm512_extracti32x4_epi32, _mm512_loadu_si512, _mm512_maskz_compress_epi32,
    _mm512_maskz_compress_epi64, _mm512_set1_epi32, _mm512_setr_epi32, _mm512_setzero_si512,
    _mm512_storeu_si512, _mm512_sub_epi64, _mm512_ternarylogic_epi64, _mm512_test_epi64_mask,
    _mm512_xor_si512, _mm512_zextsi256_si512,
};
use core::mem::MaybeUninit;

use super::avx2::{Narrow, to_u128};
use crate::kernel::clmul::{Accumulator, Clmul, VECTOR_BYTES, accumulate};
use crate::kernel::kernels::{Kernels, has, kernels, level};
use crate::kernel::vector::{GROUP, LANES, UNROLL, Vector};

/// Truth tables of the three-input operations, bit `abc` of them the result for inputs a, b and c.
const XOR3: i32 = 0b1001_0110;
const OR_XOR: i32 = 0b1111_0110;

impl Vector for __m512i {
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn zero() -> Self {
        _mm512_setzero_si512()
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn load(words: &[u64; LANES]) -> Self {
        // SAFETY: `words` are 64 readable bytes, and the load asks no alignment.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn store(self, words: &mut [u64; LANES]) {
        // SAFETY: `words` are 64 writable bytes, and the store asks no alignment.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn xor(self, other: Self) -> Self {
        _mm512_xor_si512(self, other)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn add(self, other: Self) -> Self {
        _mm512_add_epi64(self, other)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn sub(self, other: Self) -> Self {
        _mm512_sub_epi64(self, other)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn xor3(self, a: Self, b: Self) -> Self {
        _mm512_ternarylogic_epi64::<XOR3>(self, a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn or_xor(self, a: Self, b: Self) -> Self {
        _mm512_ternarylogic_epi64::<OR_XOR>(self, a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn or_xor_half(self, a: &[u64; LANES / 2], b: &[u64; LANES / 2]) -> Self {
        // SAFETY: both are 32 readable bytes, and the loads need no alignment.
        let (a, b) =
            unsafe { (_mm256_loadu_si256(a.as_ptr().cast()), _mm256_loadu_si256(b.as_ptr().cast())) };
        _mm512_ternarylogic_epi64::<OR_XOR>(self, _mm512_zextsi256_si512(a), _mm512_zextsi256_si512(b))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn is_zero(self) -> bool {
        _mm512_test_epi64_mask(self, self) == 0
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn ne_mask(self, other: Self) -> u8 {
        _mm512_cmpneq_epi64_mask(self, other)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl")]
    unsafe fn compress(
        vectors: [Self; UNROLL],
        base: u32,
        addresses: &mut [MaybeUninit<u32>; GROUP],
        deltas: &mut [MaybeUninit<u64>; GROUP],
    ) -> usize {
        let mut count = 0;
        let mut lanes = _mm512_add_epi32(
            _mm512_set1_epi32(base.cast_signed()),
            _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        );
        // Compressing is the bottleneck: so the addresses of two vectors go at once.
        for &[low, high] in vectors.as_chunks::<2>().0 {
            let (changed_low, changed_high) =
                (_mm512_test_epi64_mask(low, low), _mm512_test_epi64_mask(high, high));
            let changed = u16::from(changed_high) << 8 | u16::from(changed_low);
            let next = count + changed_low.count_ones() as usize;
            // In a register first: compressing into memory is microcode on some processors.
            // SAFETY: `count` is at most the 0 or 16 words before this pair of vectors, and `next` at most 8
            // more; so the 16 and the 8 places that are stored to lie within the groups of 32. The stores
            // ask no alignment.
            unsafe {
                let packed = _mm512_maskz_compress_epi32(changed, lanes);
                _mm512_storeu_si512(addresses.as_mut_ptr().add(count).cast(), packed);
                let packed = _mm512_maskz_compress_epi64(changed_low, low);
                _mm512_storeu_si512(deltas.as_mut_ptr().add(count).cast(), packed);
                let packed = _mm512_maskz_compress_epi64(changed_high, high);
                _mm512_storeu_si512(deltas.as_mut_ptr().add(next).cast(), packed);
            }
            count = next + changed_high.count_ones() as usize;
            lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(2 * LANES as i32));
        }
        count
    }
}

/// Four sums in a register, each of the products of even words plus those of odd ones.
#[derive(Clone, Copy)]
pub(super) struct Wide(__m512i);

impl Accumulator for Wide {
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,pclmulqdq,vpclmulqdq")]
    unsafe fn zero() -> Self {
        Self(_mm512_setzero_si512())
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,pclmulqdq,vpclmulqdq")]
    unsafe fn multiply_add(self, words: &[u8; VECTOR_BYTES], keys: &[u64; LANES]) -> Self {
        // SAFETY: both are 64 readable bytes, and the loads ask no alignment.
        let (words, keys) =
            unsafe { (_mm512_loadu_si512(words.as_ptr().cast()), _mm512_loadu_si512(keys.as_ptr().cast())) };
        let even = _mm512_clmulepi64_epi128::<0x00>(words, keys);
        let odd = _mm512_clmulepi64_epi128::<0x11>(words, keys);
        Self(_mm512_ternarylogic_epi64::<XOR3>(self.0, even, odd))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,pclmulqdq,vpclmulqdq")]
    unsafe fn add(self, other: Self) -> Self {
        Self(_mm512_xor_si512(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,pclmulqdq,vpclmulqdq")]
    unsafe fn sum(self) -> u128 {
        to_u128(_mm512_extracti32x4_epi32::<0>(self.0))
            ^ to_u128(_mm512_extracti32x4_epi32::<1>(self.0))
            ^ to_u128(_mm512_extracti32x4_epi32::<2>(self.0))
            ^ to_u128(_mm512_extracti32x4_epi32::<3>(self.0))
    }
}

impl Clmul for __m512i {
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,pclmulqdq")]
    unsafe fn clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
        // SAFETY: the contract is the caller's.
        unsafe { accumulate::<Narrow>(data, keys) }
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    unsafe fn clmul(a: u64, b: u64) -> u128 {
        // SAFETY: the contract is the caller's.
        unsafe { <[__m256i; 2]>::clmul(a, b) }
    }
}

kernels! { level! {
    level: Avx512,
    name: "AVX-512",
    vector: core::arch::x86_64::__m512i,
    features: ["avx512f", "avx512dq", "avx512vl", "popcnt", "bmi1", "pclmulqdq"]
} }

/// The kernels of the level for processors that multiply four pairs of words at a time.
pub(super) const WIDE: Kernels = Kernels {
    #[cfg(test)]
    name: "AVX-512 with VPCLMULQDQ",
    is_available: || (KERNELS.is_available)() && has!(["vpclmulqdq"]),
    clmul_sum: wide_clmul_sum,
    ..KERNELS
};

/// # Safety
///
/// The contract of [`vector`](crate::kernel::vector).
#[target_feature(enable = "avx512f,avx512dq,avx512vl,pclmulqdq,vpclmulqdq")]
unsafe fn wide_clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
    // SAFETY: the contract is the caller's.
    unsafe { accumulate::<Wide>(data, keys) }
}
