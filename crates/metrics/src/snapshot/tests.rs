use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Finite numbers of all magnitudes, with zero and subnormal ones among them.
fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e6f64..1e6,
        2 => any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite()),
        1 => Just(0.0),
        1 => (1u64..1 << 52).prop_map(f64::from_bits),
    ]
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let special = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)];
    vec(prop_oneof![9 => finite(), 1 => special], 0..60)
}

fn schema() -> impl Strategy<Value = Schema> {
    (0u8..=8).prop_map(|schema| Schema::new(schema).unwrap())
}

fn snapshot(schema: Schema, values: &[f64]) -> HistogramSnapshot {
    let mut snapshot = HistogramSnapshot::new(schema);
    values.iter().for_each(|&value| snapshot.record(value));
    snapshot
}

/// Sums of `f64`s depend on their order, so they are compared apart.
fn counts(mut snapshot: HistogramSnapshot) -> HistogramSnapshot {
    snapshot.sum = 0.0;
    snapshot
}

#[test]
fn special_values_have_the_places_that_the_documentation_names() {
    let specials = [0.0, -0.0, f64::from_bits(1), f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN];
    let snapshot = snapshot(Schema::default(), &specials);
    assert_eq!((snapshot.zero(), snapshot.nan()), (3, 2));
    assert_eq!((snapshot.positive_infinity(), snapshot.negative_infinity()), (1, 1));
    assert_eq!((snapshot.count(), snapshot.sum()), (5, f64::from_bits(1)));
    assert_eq!(
        (snapshot.quantile(0.0), snapshot.quantile(1.0)),
        (Some(f64::NEG_INFINITY), Some(f64::INFINITY))
    );
    assert_eq!(snapshot.mean(), Some(f64::from_bits(1) / 3.0));
}

#[test]
fn an_empty_histogram_has_no_quantiles() {
    let mut empty = HistogramSnapshot::new(Schema::MAX);
    assert!(empty.is_empty());
    assert_eq!((empty.quantile(0.5), empty.mean(), empty.count()), (None, None, 0));
    empty.record(f64::NAN);
    assert!(!empty.is_empty());
    assert_eq!((empty.quantile(0.5), empty.mean(), empty.count()), (None, None, 0));
}

#[test]
fn a_quantile_outside_0_to_1_does_not_exist() {
    let snapshot = snapshot(Schema::MAX, &[1.0]);
    assert_eq!([-0.1, 1.1, f64::NAN].map(|q| snapshot.quantile(q)), [None; 3]);
}

#[test]
fn quantiles_of_the_largest_numbers_are_finite() {
    for schema in 0..=8 {
        let schema = Schema::new(schema).unwrap();
        let estimate = snapshot(schema, &[f64::MAX]).quantile(0.5).unwrap();
        assert!((f64::MAX - estimate) / f64::MAX <= schema.relative_error() * (1.0 + 1e-12), "{estimate:e}");
    }
}

#[test]
fn bytes_stay_as_they_are() {
    let mut snapshot = snapshot(Schema::default(), &[1.0, 1.0, 1.05, -4.0, 0.0, f64::INFINITY]);
    snapshot.record_many(2.0, 300);
    let bytes = [
        1, 3, 0x66, 0x66, 0x66, 0x66, 0x66, 0xB8, 0x82, 0x40, 1, 1, 0, 0, // version to NaN
        3, 0xF1, 0x3F, 2, 1, 1, 7, 0xAC, 2, // 1.0, 1.05, 2.0
        1, 0x81, 0x40, 1, // 4.0
    ];
    assert_eq!(snapshot.to_bytes(), bytes, "{:02X?}", snapshot.to_bytes());
}

#[test]
fn malformed_bytes_are_refused_by_name() {
    let good = snapshot(Schema::default(), &[1.0, 2.0]).to_bytes();
    let with = |at: usize, byte| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        HistogramSnapshot::from_bytes(&bytes)
    };
    let truncated = (0..good.len()).map(|len| HistogramSnapshot::from_bytes(&good[..len]));
    assert!(truncated.into_iter().all(|result| result == Err(SnapshotError::Truncated)));
    let trailing = HistogramSnapshot::from_bytes(&[good.clone(), vec![0]].concat());
    assert_eq!(trailing, Err(SnapshotError::Trailing(1)));
    assert_eq!(with(0, 2), Err(SnapshotError::Version(2)));
    assert_eq!(with(1, 9), Err(SnapshotError::Schema(9)));
    assert_eq!(with(17, 0), Err(SnapshotError::Bucket(0)), "an empty bucket");
    assert_eq!(with(18, 0), Err(SnapshotError::Bucket(1)), "an index twice");
    // 0x80, 0x00 is zero in two bytes.
    let overlong = [&good[..10], &[0x80, 0], &good[11..]].concat();
    assert_eq!(HistogramSnapshot::from_bytes(&overlong), Err(SnapshotError::Number));
    let infinite = [&good[..2], &f64::INFINITY.to_le_bytes(), &good[10..]].concat();
    assert_eq!(HistogramSnapshot::from_bytes(&infinite), Err(SnapshotError::Sum));
}

proptest! {
    #[test]
    fn merging_is_recording_all_values_in_one(schema in schema(), a in values(), b in values()) {
        let mut merged = snapshot(schema, &a);
        merged.merge(&snapshot(schema, &b));
        prop_assert_eq!(counts(merged), counts(snapshot(schema, &[a, b].concat())));
    }

    #[test]
    fn coarsening_is_recording_in_the_coarser_schema(fine in schema(), coarse in schema(), a in values()) {
        let mut coarsened = snapshot(fine, &a);
        coarsened.coarsen(coarse);
        prop_assert_eq!(coarsened, snapshot(fine.min(coarse), &a));
    }

    #[test]
    fn merging_and_coarsening_commute(fine in schema(), other in schema(), coarse in schema(), a in values(), b in values()) {
        let (a, b) = (snapshot(fine, &a), snapshot(other, &b));
        let mut merged_first = a.clone();
        merged_first.merge(&b);
        merged_first.coarsen(coarse);
        let (mut coarsened_first, mut coarse_b) = (a, b);
        coarsened_first.coarsen(coarse);
        coarse_b.coarsen(coarse);
        coarsened_first.merge(&coarse_b);
        prop_assert_eq!(merged_first, coarsened_first);
    }

    #[test]
    fn what_came_since_a_snapshot_is_the_rest(schema in schema(), a in values(), b in values()) {
        let (before, after) = (snapshot(schema, &a), snapshot(schema, &[a, b.clone()].concat()));
        prop_assert_eq!(counts(after.since(&before)), counts(snapshot(schema, &b)));
        prop_assert!(counts(after.since(&after)).is_empty());
    }

    #[test]
    fn quantiles_are_within_their_error_bound(schema in schema(), mut a in vec(finite(), 1..60), q in 0.0..=1.0f64) {
        let estimate = snapshot(schema, &a).quantile(q).unwrap();
        a.sort_by(f64::total_cmp);
        let rank = ((q * a.len() as f64).ceil() as usize).max(1);
        let exact = a[rank - 1];
        if exact.is_normal() {
            // A few roundings of the estimate itself.
            let bound = exact.abs() * schema.relative_error() * (1.0 + 1e-12) + f64::MIN_POSITIVE * f64::EPSILON;
            prop_assert!((estimate - exact).abs() <= bound, "{} for {}", estimate, exact);
        } else {
            prop_assert_eq!(estimate, 0.0);
        }
    }

    #[test]
    fn counts_up_to_powers_of_two_are_exact(schema in schema(), a in values(), exponent in -1022..=1023) {
        let power = 2f64.powi(exponent);
        let exact = a.iter().filter(|&&value| value <= power).count() as u64;
        prop_assert_eq!(snapshot(schema, &a).count_up_to_power_of_two(exponent), exact);
    }

    #[test]
    fn bytes_are_read_back(schema in schema(), a in vec(finite(), 0..60)) {
        let mut snapshot = snapshot(schema, &a);
        if !snapshot.sum.is_finite() {
            snapshot.sum = 1.5;
        }
        let read = HistogramSnapshot::from_bytes(&snapshot.to_bytes());
        prop_assert_eq!(read, Ok(snapshot));
    }

    #[test]
    fn any_bytes_are_refused_or_written_back_as_they_were(bytes in vec(any::<u8>(), 0..40), schema in 0u8..=8) {
        let bytes = [&[1, schema][..], &bytes].concat();
        if let Ok(snapshot) = HistogramSnapshot::from_bytes(&bytes) {
            prop_assert_eq!(snapshot.to_bytes(), bytes);
        }
    }
}
