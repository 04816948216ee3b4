use super::*;
use crate::algebra::Add;
use std::thread;

#[test]
fn a_plane_has_no_contexts_until_it_is_made() {
    let plane = OncePlane::<Add>::new();
    assert!(plane.contexts().is_empty());
    let made = plane.get_or_try_make(3).unwrap();
    assert!(made.iter().all(|context| context.read() == 0));
    made[2].accum(5);
    assert!(plane.contexts().iter().map(Context::read).eq([0, 0, 5]));
    assert_eq!(plane.get_or_try_make(3).unwrap()[2].read(), 5, "it was made again");
}

#[test]
fn planes_share_no_pair_of_cache_lines() {
    let planes: [_; 20] = core::array::from_fn(|_| OncePlane::<Add>::new());
    let mut ranges = planes.each_ref().map(|plane| {
        let range = plane.get_or_try_make(9).unwrap().as_ptr_range();
        (range.start.addr() / ALIGN, (range.end.addr() - 1) / ALIGN)
    });
    ranges.sort_unstable();
    assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0), "{ranges:?}");
}

#[test]
fn a_plane_that_cannot_be_made_is_an_error() {
    let plane = OncePlane::<Add>::new();
    let lens = [usize::MAX, usize::MAX / 8, (isize::MAX / 8) as usize];
    for len in lens {
        assert_eq!(plane.get_or_try_make(len).unwrap_err(), TableAllocError::OutOfMemory { len });
    }
    assert_eq!(plane.get_or_try_make(1).unwrap().len(), 1);
}

#[test]
fn threads_that_make_a_plane_at_once_share_one() {
    let plane = OncePlane::<Add, System>::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..1_000).for_each(|i| plane.get_or_make(3)[i % 3].accum(1)));
        }
    });
    assert!(plane.contexts().iter().map(Context::read).eq([8 * 334, 8 * 333, 8 * 333]));
}
