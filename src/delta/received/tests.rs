use super::*;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use proptest::prelude::*;

/// As many numbers as the naive set spans, which may be the first or the last of all.
const SPAN: u32 = 48;

#[derive(Clone, Copy, Debug)]
enum Call {
    Insert(u32),
    Skip(u32),
    Begin(u32),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        12 => (0..SPAN).prop_map(Call::Insert),
        2 => (0..SPAN).prop_map(Call::Skip),
        1 => (0..SPAN).prop_map(Call::Begin),
    ];
    prop::collection::vec(call, 0..120)
}

/// A set of single numbers, searched one number at a time.
struct Naive {
    /// The number that corresponds to offset 0.
    base: u32,
    numbers: BTreeSet<u32>,
    /// The lowest number that counts as missing if a later one came.
    expected: u32,
}

impl Naive {
    fn greatest(&self) -> Option<u32> {
        self.numbers.last().copied().filter(|&greatest| greatest >= self.expected)
    }

    fn missing(&self) -> Vec<u32> {
        let end = self.greatest().unwrap_or(self.expected);
        (self.expected..=end).filter(|number| !self.numbers.contains(number)).collect()
    }

    fn missing_after(&self) -> Vec<u32> {
        match self.greatest() {
            Some(_) => self.missing(),
            None => Vec::new(),
        }
    }

    fn gaps(&self) -> usize {
        let missing = self.missing_after();
        missing.iter().filter(|&&number| number == 0 || !missing.contains(&(number - 1))).count()
    }

    fn insert(&mut self, number: u32, max_gaps: usize) -> Insertion {
        if self.numbers.contains(&number) {
            return Insertion::Known;
        }
        let before = self.gaps();
        self.numbers.insert(number);
        if self.gaps() > before.max(max_gaps) {
            self.numbers.remove(&number);
            return Insertion::TooManyGaps;
        }
        Insertion::New
    }

    fn skip(&mut self, number: u32) -> Option<RangeInclusive<u32>> {
        if self.numbers.contains(&number) {
            return None;
        }
        let mut first = number;
        while first > self.expected && !self.numbers.contains(&(first - 1)) {
            first -= 1;
        }
        let mut last = number;
        if self.greatest().is_some_and(|greatest| greatest > number) && number >= self.expected {
            while !self.numbers.contains(&(last + 1)) {
                last += 1;
            }
        }
        self.numbers.extend(first..=last);
        Some(first..=last)
    }

    fn begin(&mut self, first: u32) {
        self.numbers = (self.base..first).collect();
        self.expected = first;
    }
}

fn behaves_like_a_set(base: u32, calls: Vec<Call>, max_gaps: usize) -> Result<(), TestCaseError> {
    let mut naive = Naive { base, numbers: BTreeSet::new(), expected: 1 };
    let mut received = Received::new();
    if base > 0 {
        received = Received::begin(base);
        naive.begin(base);
    }
    for call in calls {
        match call {
            Call::Insert(offset) => {
                let number = base + offset;
                prop_assert_eq!(received.insert(number, max_gaps), naive.insert(number, max_gaps));
            }
            Call::Skip(offset) => {
                prop_assert_eq!(received.skip(base + offset), naive.skip(base + offset))
            }
            Call::Begin(offset) => {
                received = Received::begin(base + offset);
                naive.begin(base + offset);
            }
        }
        prop_assert_eq!(received.gaps().flatten().collect::<Vec<_>>(), naive.missing_after());
        prop_assert_eq!(received.gaps().count(), naive.gaps(), "a gap is one range");
        let next = (naive.expected..=base + (SPAN - 1)).find(|number| !naive.numbers.contains(number));
        prop_assert_eq!(received.next(), next.or((base + (SPAN - 1)).checked_add(1)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_first_numbers_behave_like_a_set(calls in calls(), max_gaps in 1..6usize) {
        behaves_like_a_set(0, calls, max_gaps)?;
    }

    #[test]
    fn the_last_numbers_behave_like_a_set(calls in calls(), max_gaps in 1..6usize) {
        behaves_like_a_set(u32::MAX - (SPAN - 1), calls, max_gaps)?;
    }
}

#[test]
fn numbers_above_a_gap_are_one_range() {
    let mut received = Received::new();
    for number in 2..100_000 {
        assert_eq!(received.insert(number, 1), Insertion::New);
    }
    assert_eq!(received.above.len(), 1);
    assert_eq!(received.insert(1, 1), Insertion::New);
    assert_eq!((received.next(), received.above.len()), (Some(100_000), 0));
}
