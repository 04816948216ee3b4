//! A gate before expensive work: do it again only when its input changed.
//!
//!     cargo run --release --example fingerprint_gate

use atomik_core::{Fingerprint, FoldFingerprint, IndexOutOfRange};

/// Work worth saving, with its last result.
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
        self.fingerprint.load(input);
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
    println!("1,000 requests, the same input: the work was done {} time", gate.runs);
    assert_eq!(gate.runs, 1);

    scores[1] = 4;
    assert_eq!(gate.result(&scores), 7);
    println!("one byte changed: {} times", gate.runs);
    assert_eq!(gate.runs, 2);

    // A change of one word can be followed without another look at the rest.
    let mut followed = gate.fingerprint.clone();
    followed.accum(1, 2 ^ 5)?;
    scores[8] = 5;
    assert_eq!(followed.value(), Fingerprint::new().load(&scores));
    println!("a word followed by its delta: the value of the new input, {:#018x}", followed.value());

    // The plain XOR fold doesn't see that two words changed places; the positional fingerprint does.
    let mut fold = FoldFingerprint::new();
    fold.load(&scores);
    gate.result(&scores);
    scores.rotate_left(8);
    fold.update(&scores);
    gate.fingerprint.update(&scores);
    println!("two words swapped: fold {}, positional {}", fold.changed(), gate.fingerprint.changed());
    assert!(!fold.changed() && gate.fingerprint.changed());
    Ok(())
}
