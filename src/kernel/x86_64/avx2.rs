//! AVX2: a vector is two registers of 256 bits.
//!
//! All processors with AVX2 multiply a pair of words at a time (PCLMULQDQ), and newer ones two pairs (VPCLMULQDQ).

use core::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_castps_si128, _mm_castsi128_ps, _mm_clmulepi64_si128,
    _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_permutevar_ps, _mm_set1_epi32, _mm_setr_epi32,
    _mm_setzero_si128, _mm_storeu_si128, _mm_unpackhi_epi64, _mm_xor_si128, _mm256_add_epi64,
    _mm256_castsi256_pd, _mm256_clmulepi64_epi128, _mm256_cmpeq_epi64, _mm256_extracti128_si256,
    _mm256_loadu_si256, _mm256_movemask_pd, _mm256_or_si256, _mm256_permutevar8x32_epi32,
    _mm256_setzero_si256, _mm256_storeu_si256, _mm256_sub_epi64, _mm256_testz_si256, _mm256_xor_si256,
};
use core::mem::MaybeUninit;

use crate::kernel::clmul::{Accumulator, Clmul, VECTOR_BYTES, accumulate};
use crate::kernel::kernels::{Kernels, has, kernels, level};
use crate::kernel::vector::{GROUP, LANES, UNROLL, Vector};

/// For each set of a register's four words: which words, counted in order, go to the front.
const COMPRESS: [[u32; 4]; 16] = {
    let mut table = [[0; 4]; 16];
    let mut set = 0;
    while set < 16 {
        let (mut count, mut word) = (0, 0);
        while word < 4 {
            if set & (1 << word) != 0 {
                table[set][count] = word;
                count += 1;
            }
            word += 1;
        }
        set += 1;
    }
    table
};

/// The same for the halves of the words.
const COMPRESS_HALVES: [[u32; 8]; 16] = {
    let mut table = [[0; 8]; 16];
    let mut set = 0;
    while set < 16 {
        let mut word = 0;
        while word < 4 {
            table[set][2 * word] = 2 * COMPRESS[set][word];
            table[set][2 * word + 1] = 2 * COMPRESS[set][word] + 1;
            word += 1;
        }
        set += 1;
    }
    table
};

impl Vector for [__m256i; 2] {
    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn zero() -> Self {
        [_mm256_setzero_si256(); 2]
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn load(words: &[u64; LANES]) -> Self {
        // SAFETY: `words` are twice 32 readable bytes, and the loads ask no alignment.
        unsafe { [_mm256_loadu_si256(words.as_ptr().cast()), _mm256_loadu_si256(words[4..].as_ptr().cast())] }
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn store(self, words: &mut [u64; LANES]) {
        // SAFETY: `words` are twice 32 writable bytes, and the stores ask no alignment.
        unsafe {
            _mm256_storeu_si256(words.as_mut_ptr().cast(), self[0]);
            _mm256_storeu_si256(words[4..].as_mut_ptr().cast(), self[1]);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn xor(self, other: Self) -> Self {
        [_mm256_xor_si256(self[0], other[0]), _mm256_xor_si256(self[1], other[1])]
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn add(self, other: Self) -> Self {
        [_mm256_add_epi64(self[0], other[0]), _mm256_add_epi64(self[1], other[1])]
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn sub(self, other: Self) -> Self {
        [_mm256_sub_epi64(self[0], other[0]), _mm256_sub_epi64(self[1], other[1])]
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn or_xor(self, a: Self, b: Self) -> Self {
        [
            _mm256_or_si256(self[0], _mm256_xor_si256(a[0], b[0])),
            _mm256_or_si256(self[1], _mm256_xor_si256(a[1], b[1])),
        ]
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn or_xor_half(self, a: &[u64; LANES / 2], b: &[u64; LANES / 2]) -> Self {
        // SAFETY: both are 32 readable bytes, and the loads need no alignment.
        let (a, b) =
            unsafe { (_mm256_loadu_si256(a.as_ptr().cast()), _mm256_loadu_si256(b.as_ptr().cast())) };
        [_mm256_or_si256(self[0], _mm256_xor_si256(a, b)), self[1]]
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn is_zero(self) -> bool {
        let any = _mm256_or_si256(self[0], self[1]);
        _mm256_testz_si256(any, any) == 1
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn ne_mask(self, other: Self) -> u8 {
        let equal = [_mm256_cmpeq_epi64(self[0], other[0]), _mm256_cmpeq_epi64(self[1], other[1])];
        let equal = equal.map(|half| _mm256_movemask_pd(_mm256_castsi256_pd(half)));
        !(equal[0] | equal[1] << 4) as u8
    }

    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn compress(
        vectors: [Self; UNROLL],
        base: u32,
        addresses: &mut [MaybeUninit<u32>; GROUP],
        deltas: &mut [MaybeUninit<u64>; GROUP],
    ) -> usize {
        let mut count = 0;
        let mut lanes = _mm_add_epi32(_mm_set1_epi32(base.cast_signed()), _mm_setr_epi32(0, 1, 2, 3));
        for &register in vectors.as_flattened() {
            let changed = nonzero(register);
            // SAFETY: the tables' rows are as long as the registers. `count` is at most the number of words before
            // this register, so there is space for its four words in both groups. No access needs an alignment.
            unsafe {
                let order = _mm_loadu_si128(COMPRESS[changed].as_ptr().cast());
                let packed = _mm_castps_si128(_mm_permutevar_ps(_mm_castsi128_ps(lanes), order));
                _mm_storeu_si128(addresses.as_mut_ptr().add(count).cast(), packed);

                let order = _mm256_loadu_si256(COMPRESS_HALVES[changed].as_ptr().cast());
                let packed = _mm256_permutevar8x32_epi32(register, order);
                _mm256_storeu_si256(deltas.as_mut_ptr().add(count).cast(), packed);
            }
            count += changed.count_ones() as usize;
            lanes = _mm_add_epi32(lanes, _mm_set1_epi32(4));
        }
        count
    }
}

/// Bit i is set where word i is not 0.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn nonzero(words: __m256i) -> usize {
    let zero = _mm256_cmpeq_epi64(words, _mm256_setzero_si256());
    !_mm256_movemask_pd(_mm256_castsi256_pd(zero)) as usize & 0xF
}

/// Two sums in a register, each of the products of even words plus those of odd ones.
#[derive(Clone, Copy)]
pub(super) struct Wide(__m256i);

impl Accumulator for Wide {
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq")]
    unsafe fn zero() -> Self {
        Self(_mm256_setzero_si256())
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq")]
    unsafe fn multiply_add(self, words: &[u8; VECTOR_BYTES], keys: &[u64; LANES]) -> Self {
        let mut sum = self.0;
        for (words, keys) in words.as_chunks::<32>().0.iter().zip(keys.as_chunks::<4>().0) {
            // SAFETY: both are 32 readable bytes, and the loads ask no alignment.
            let (words, keys) = unsafe {
                (_mm256_loadu_si256(words.as_ptr().cast()), _mm256_loadu_si256(keys.as_ptr().cast()))
            };
            let even = _mm256_clmulepi64_epi128::<0x00>(words, keys);
            let odd = _mm256_clmulepi64_epi128::<0x11>(words, keys);
            sum = _mm256_xor_si256(sum, _mm256_xor_si256(even, odd));
        }
        Self(sum)
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq")]
    unsafe fn add(self, other: Self) -> Self {
        Self(_mm256_xor_si256(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq")]
    unsafe fn sum(self) -> u128 {
        to_u128(_mm256_extracti128_si256::<0>(self.0)) ^ to_u128(_mm256_extracti128_si256::<1>(self.0))
    }
}

/// One sum in a register.
#[derive(Clone, Copy)]
pub(super) struct Narrow(__m128i);

impl Accumulator for Narrow {
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    unsafe fn zero() -> Self {
        Self(_mm_setzero_si128())
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    unsafe fn multiply_add(self, words: &[u8; VECTOR_BYTES], keys: &[u64; LANES]) -> Self {
        let mut sum = self.0;
        for (words, keys) in words.as_chunks::<16>().0.iter().zip(keys.as_chunks::<2>().0) {
            // SAFETY: both are 16 readable bytes, and the loads ask no alignment.
            let (words, keys) =
                unsafe { (_mm_loadu_si128(words.as_ptr().cast()), _mm_loadu_si128(keys.as_ptr().cast())) };
            let even = _mm_clmulepi64_si128::<0x00>(words, keys);
            let odd = _mm_clmulepi64_si128::<0x11>(words, keys);
            sum = _mm_xor_si128(sum, _mm_xor_si128(even, odd));
        }
        Self(sum)
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    unsafe fn add(self, other: Self) -> Self {
        Self(_mm_xor_si128(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    unsafe fn sum(self) -> u128 {
        to_u128(self.0)
    }
}

/// A register as a number.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn to_u128(register: __m128i) -> u128 {
    let low = _mm_cvtsi128_si64(register).cast_unsigned();
    let high = _mm_cvtsi128_si64(_mm_unpackhi_epi64(register, register)).cast_unsigned();
    u128::from(high) << 64 | u128::from(low)
}

impl Clmul for [__m256i; 2] {
    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq")]
    unsafe fn clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
        // SAFETY: the contract is the caller's.
        unsafe { accumulate::<Narrow>(data, keys) }
    }

    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    unsafe fn clmul(a: u64, b: u64) -> u128 {
        let (a, b) = (_mm_cvtsi64_si128(a.cast_signed()), _mm_cvtsi64_si128(b.cast_signed()));
        to_u128(_mm_clmulepi64_si128::<0x00>(a, b))
    }
}

kernels! { level! {
    level: Avx2,
    name: "AVX2",
    vector: [core::arch::x86_64::__m256i; 2],
    features: ["avx2", "popcnt", "bmi1", "pclmulqdq"]
} }

/// The kernels of the level for processors that multiply two pairs of words at a time.
pub(super) const WIDE: Kernels = Kernels {
    #[cfg(test)]
    name: "AVX2 with VPCLMULQDQ",
    is_available: || (KERNELS.is_available)() && has!(["vpclmulqdq"]),
    clmul_sum: wide_clmul_sum,
    ..KERNELS
};

/// # Safety
///
/// The contract of [`vector`](crate::kernel::vector).
#[target_feature(enable = "avx2,pclmulqdq,vpclmulqdq")]
unsafe fn wide_clmul_sum(data: &[u8], keys: &[[u64; LANES]]) -> u128 {
    // SAFETY: the contract is the caller's.
    unsafe { accumulate::<Wide>(data, keys) }
}
