//! Expensive work is repeated only if its input has changed.
//!
//!     cargo run --release --example fingerprint_gate

use atomik_core::{Fingerprint, FoldFingerprint, IndexOutOfRange};

/// Some work with its last result.
struct Gate {
    fingerprint: Fingerprint,
    result: Option<u32>,
    runs: u32,
}

impl Gate {
    fn result(&mut self, input: &[u8]) -> u32 {
        self.fingerprint.update(input);
        if let Some(result) = self.result.filter(|_| !self.fingerprint.changed()) {
            return result;
        }
        self.fingerprint.set_reference();
        self.runs += 1;
        *self.result.insert(input.iter().map(|&byte| u32::from(byte)).sum())
    }
}

fn main() -> Result<(), IndexOutOfRange> {
    let mut gate = Gate { fingerprint: Fingerprint::new(), result: None, runs: 0 };
    let mut scores = [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
    for _ in 0..1000 {
        assert_eq!(gate.result(&scores), 3);
    }
    println!("1,000 requests with the same input: the work was done {} time", gate.runs);
    assert_eq!(gate.runs, 1);

    scores[1] = 4;
    assert_eq!(gate.result(&scores), 7);
    println!("after one byte has changed: {} times", gate.runs);
    assert_eq!(gate.runs, 2);

    // The fingerprint can follow the change of a word without reading the other words.
    let mut followed = gate.fingerprint.clone();
    followed.accum(1, 2 ^ 5)?;
    scores[8] = 5;
    assert_eq!(followed.value(), Fingerprint::new().load(&scores));
    println!("the delta of one word leads to the fingerprint of the new input, {:#018x}", followed.value());

    // The plain XOR fold does not notice two words that changed places; the positional fingerprint does.
    let mut fold = FoldFingerprint::new();
    fold.load(&scores);
    gate.result(&scores);
    scores.rotate_left(8);
    fold.update(&scores);
    gate.fingerprint.update(&scores);
    println!(
        "two words swapped: changed by the fold {}, by the fingerprint {}",
        fold.changed(),
        gate.fingerprint.changed()
    );
    assert!(!fold.changed() && gate.fingerprint.changed());
    Ok(())
}
