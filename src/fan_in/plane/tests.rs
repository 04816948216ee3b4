use super::*;
use crate::algebra::Add;
use alloc::vec::Vec;
use std::thread;

#[test]
fn a_plane_has_no_contexts_until_it_is_made() {
    let plane = OncePlane::<Add>::new();
    assert!(plane.get().contexts().is_empty() && plane.get().marks().is_empty());
    let made = plane.get_or_try_make(3, false).unwrap();
    assert!(made.contexts().iter().all(|context| context.read() == 0));
    assert!(made.accum_alone(2, 5) && !made.accum_alone(3, 5));
    assert!(plane.get().contexts().iter().map(Context::read).eq([0, 0, 5]));
    let again = plane.get_or_try_make(3, false).unwrap();
    assert_eq!(again.contexts()[2].read(), 5, "it was made again");
}

#[test]
fn planes_share_no_pair_of_cache_lines() {
    let planes: [_; 20] = core::array::from_fn(|_| OncePlane::<Add>::new());
    let mut ranges = planes.each_ref().map(|plane| {
        let made = plane.get_or_try_make(9, false).unwrap();
        let (first, last) = (made.contexts().as_ptr(), made.marks().as_ptr_range().end);
        (first.addr() / ALIGN, (last.addr() - 1) / ALIGN)
    });
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ranges:?}");
}

#[test]
fn a_plane_that_cannot_be_made_is_an_error() {
    let plane = OncePlane::<Add>::new();
    let lens = [usize::MAX, usize::MAX / 8, (isize::MAX / 8) as usize];
    for len in lens {
        assert_eq!(
            plane.get_or_try_make(len, true).map(|_| ()).unwrap_err(),
            TableAllocError::OutOfMemory { len }
        );
    }
    assert_eq!(plane.get_or_try_make(1, true).unwrap().contexts().len(), 1);
}

#[test]
fn threads_that_make_a_plane_at_once_share_one() {
    let plane = OncePlane::<Add, System>::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..1_000).for_each(|i| plane.get_or_make(3, true).accum(i % 3, 1)));
        }
    });
    assert!(plane.get().contexts().iter().map(Context::read).eq([8 * 334, 8 * 333, 8 * 333]));
}

/// What an observer finds: the first block and the end of each range that was touched since it looked last.
fn look(plane: Plane<'_, Add>, touched: &mut Touched, swap: u64) -> Vec<(usize, usize)> {
    plane.look(touched, 0, 0, swap);
    touched.take().map(|range| (range.start / BLOCK_WORDS, range.end / BLOCK_WORDS)).collect()
}

/// 20 blocks, in three runs.
const LEN: usize = 20 * BLOCK_WORDS - 1;

fn nothing_seen() -> Touched {
    Touched::new(LEN)
}

#[test]
fn each_observer_finds_the_blocks_that_were_touched_since_it_looked() {
    let cell = OncePlane::<Add>::new();
    let plane = cell.get_or_try_make(LEN, true).unwrap();
    let (mut one, mut other) = (nothing_seen(), nothing_seen());
    assert_eq!(look(plane, &mut one, 1), []);
    plane.accum_alone(0, 1);
    assert_eq!(look(plane, &mut one, 2), [(0, 1)]);
    assert_eq!(look(plane, &mut one, 3), []);
    // In the last block, which is not whole, and in the first again. The run in between is not read.
    plane.accum_alone(LEN - 1, 1);
    plane.accum_alone(BLOCK_WORDS - 1, 0);
    assert_eq!(look(plane, &mut other, 4), [(0, 1), (19, 20)]);
    assert_eq!(look(plane, &mut one, 5), [(0, 1), (19, 20)]);
    assert_eq!((look(plane, &mut one, 6), look(plane, &mut other, 7)), (vec![], vec![]));
    // From the first to the last block of a run, by way of the shared plane's marks.
    plane.accum(9 * BLOCK_WORDS, 1);
    plane.accum(14 * BLOCK_WORDS, 1);
    for (touched, swap) in [(&mut one, 8), (&mut other, 9)] {
        assert_eq!(look(plane, touched, swap), [(9, 15)]);
    }
}

#[test]
fn a_plane_that_was_not_marked_is_read_as_a_whole_until_a_mark_is_seen() {
    let cell = OncePlane::<Add>::new();
    let plane = cell.get_or_try_make(LEN, false).unwrap();
    plane.accum_alone(700, 1);
    assert_eq!(plane.unmarked().len(), LEN);
    let mut touched = nothing_seen();
    let all = [(0, 8), (8, 16), (16, 24)];
    assert_eq!(look(plane, &mut touched, 1), all);
    assert!(plane.unmarked().is_empty(), "the writer was not asked for marks");
    assert_eq!(look(plane, &mut touched, 2), all);
    plane.accum_alone(0, 1);
    assert_eq!(look(plane, &mut touched, 3), all);
    assert_eq!(look(plane, &mut touched, 4), []);
    plane.accum_alone(0, 1);
    assert_eq!(look(plane, &mut touched, 5), [(0, 1)]);
}
