//! The histogram of line lengths: its buckets and how it is drawn.

use std::fmt::Write;

use indicatif::HumanCount;

/// The number of buckets. Bucket 0 counts empty lines, and bucket k counts lengths from 2ᵏ⁻¹ to 2ᵏ − 1 bytes. The
/// last bucket has no upper bound.
pub const BUCKETS: usize = 64;

/// The number of lines in each bucket.
pub type Histogram = [u64; BUCKETS];

/// The bucket of a line of `length` bytes, not counting its line end.
pub fn bucket(length: u64) -> usize {
    ((u64::BITS - length.leading_zeros()) as usize).min(BUCKETS - 1)
}

/// The range of lengths in a bucket, in bytes.
fn label(bucket: usize) -> String {
    match bucket {
        0 => "0".to_owned(),
        1 => "1".to_owned(),
        _ if bucket == BUCKETS - 1 => format!("from {}", 1u64 << (bucket - 1)),
        _ => format!("{} to {}", 1u64 << (bucket - 1), (1u64 << bucket) - 1),
    }
}

const BAR_WIDTH: u64 = 36;

/// Draws one row for each bucket from the first to the last that is not empty. Without any lines, draws nothing.
pub fn draw(histogram: &Histogram) -> String {
    let Some(first) = histogram.iter().position(|&lines| lines > 0) else { return String::new() };
    let last = histogram.iter().rposition(|&lines| lines > 0).unwrap_or(first);
    let most = histogram.iter().copied().max().unwrap_or(1);
    let labels: Vec<String> = (first..=last).map(label).collect();
    let width = labels.iter().map(String::len).max().unwrap_or(0);
    let mut drawing = String::new();
    for (label, &lines) in labels.iter().zip(&histogram[first..=last]) {
        let _ = writeln!(
            drawing,
            "  {label:>width$} {:>13}  {}",
            HumanCount(lines).to_string(),
            bar(lines, most)
        );
    }
    drawing
}

/// A bar drawn in eighths of a character. Any number above zero is visible.
fn bar(lines: u64, most: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (u128::from(lines) * u128::from(BAR_WIDTH * 8)).div_ceil(u128::from(most)) as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_powers_of_two() {
        let lengths = [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (255, 8), (256, 9)];
        for (length, expected) in lengths {
            assert_eq!(bucket(length), expected, "{length}");
        }
        assert_eq!(bucket(1 << 61), 62);
        assert_eq!(bucket(1 << 62), 63);
        assert_eq!(bucket(u64::MAX), 63);
    }

    #[test]
    fn each_label_names_the_lengths_of_its_bucket() {
        for k in 2..BUCKETS - 1 {
            let bounds: Vec<u64> = label(k).split(" to ").map(|bound| bound.parse().unwrap()).collect();
            assert_eq!(bounds.iter().map(|&bound| bucket(bound)).collect::<Vec<_>>(), [k, k]);
            assert_eq!((bucket(bounds[0] - 1), bucket(bounds[1] + 1)), (k - 1, k + 1));
        }
    }

    #[test]
    fn bars_are_proportional_and_never_invisible() {
        assert_eq!(bar(0, 9), "");
        assert_eq!(bar(1, u64::MAX), "▏");
        assert_eq!(bar(80, 80), "█".repeat(BAR_WIDTH as usize));
        assert_eq!(bar(40, 80), "█".repeat(BAR_WIDTH as usize / 2));
        assert_eq!(bar(3, 80), "█▍");
    }
}
