//! Keys and values as texts.

use atomik_core::Algebra;

/// What may precede the number of a key.
const PREFIXES: [&[u8]; 2] = [b"key:", b"counter:"];

/// The address that a key names: a decimal number, with zeros before it or not.
pub(crate) fn parse_key(key: &[u8], len: usize) -> Result<usize, String> {
    let text = std::str::from_utf8(key).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    // `redis-benchmark` writes keys such as `key:000000000042`.
    let rest = PREFIXES.iter().find_map(|prefix| key.strip_prefix(*prefix));
    let digits = match text {
        Some(text) if !text.is_empty() => text,
        _ => match rest.and_then(|rest| std::str::from_utf8(rest).ok()) {
            Some(rest) if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) => rest,
            _ => {
                let shown = String::from_utf8_lossy(&key[..key.len().min(64)]);
                return Err(format!(
                    "ERR {shown:?} is no key: keys are the numbers from 0 to {}",
                    len.saturating_sub(1)
                ));
            }
        },
    };
    let number = digits.trim_start_matches('0');
    let parsed: Option<usize> = if number.is_empty() { Some(0) } else { number.parse().ok() };
    let shown = || digits.chars().take(64).collect::<String>();
    parsed.filter(|&addr| addr < len).ok_or_else(|| {
        format!("ERR key {} is beyond the table, whose last key is {}", shown(), len.saturating_sub(1))
    })
}

/// A word from a signed or unsigned decimal number, or from a hexadecimal one after `0x`.
pub(crate) fn parse_word(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let is_hexadecimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        return is_hexadecimal.then(|| u64::from_str_radix(digits, 16).ok())?;
    }
    if text.starts_with('+') {
        return None;
    }
    text.parse::<i64>().map(|number| number as u64).or_else(|_| text.parse()).ok()
}

/// Whether a word is shown as a signed number: sums are, and bits are not.
pub(crate) fn is_signed<A: Algebra>() -> bool {
    A::ID == atomik_core::Add::ID
}

/// A word as a decimal number.
pub(crate) fn format_word<A: Algebra>(word: u64, buffer: &mut itoa::Buffer) -> &str {
    if is_signed::<A>() { buffer.format(word as i64) } else { buffer.format(word) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use atomik_core::{Add, Xor};

    #[test]
    fn keys_are_decimal_addresses() {
        assert_eq!(parse_key(b"0", 10), Ok(0));
        assert_eq!(parse_key(b"000000000009", 10), Ok(9));
        assert_eq!(parse_key(b"key:000000000003", 10), Ok(3));
        assert_eq!(parse_key(b"counter:000000000003", 10), Ok(3));
        let beyond = Err("ERR key 10 is beyond the table, whose last key is 9".to_owned());
        assert_eq!(parse_key(b"10", 10), beyond);
        assert!(parse_key(&[b'9'; 400], 10).unwrap_err().len() < 200);
        for key in [&b""[..], b"foo", b"-1", b"+1", b"1 ", b"key:", b"key:x", &[0xFF]] {
            assert!(parse_key(key, 10).unwrap_err().contains("is no key"), "{key:?}");
        }
    }

    #[test]
    fn values_are_words_of_64_bits() {
        assert_eq!(parse_word(b"-1"), Some(u64::MAX));
        assert_eq!(parse_word(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_word(b"0xCAFEBABE"), Some(0xCAFE_BABE));
        for text in
            [&b""[..], b"18446744073709551616", b"-9223372036854775809", b"1.5", b"+1", b"0x", b"0x+1", b" 1"]
        {
            assert_eq!(parse_word(text), None, "{text:?}");
        }
        let mut buffer = itoa::Buffer::new();
        assert_eq!(format_word::<Add>(u64::MAX, &mut buffer), "-1");
        assert_eq!(format_word::<Xor>(u64::MAX, &mut buffer), "18446744073709551615");
    }
}
