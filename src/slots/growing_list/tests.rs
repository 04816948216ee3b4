use super::*;
use crate::sync::AtomicUsize;
use alloc::vec::Vec;

type List = GrowingList<AtomicUsize>;

#[test]
fn places_fill_chunk_after_chunk() {
    let mut next = (0, 0);
    for index in 0..4096 {
        let place = Place::of(index);
        if next.1 == chunk_len(next.0) {
            next = (next.0 + 1, 0);
        }
        assert_eq!((place.chunk as usize, place.offset as usize), next, "index {index}");
        next.1 += 1;
    }
}

#[test]
fn elements_stay_where_they_are() {
    let list = List::new();
    assert!(list.get(Place::of(0)).is_none());
    for index in [9, 0, 40, 3] {
        list.grow_to(Place::of(index)).store(index, Ordering::Relaxed);
    }
    for index in [9, 0, 40, 3] {
        assert_eq!(list.get(Place::of(index)).unwrap().load(Ordering::Relaxed), index);
    }
    // Index 40 lies in chunk 6.
    assert_eq!(list.iter().map(<[_]>::len).collect::<Vec<_>>(), [1, 1, 2, 4, 8, 16, 32]);
}

#[test]
fn a_fold_has_each_element_once_at_every_length() {
    let list = List::new();
    let add = |total, element: &AtomicUsize| total + element.load(Ordering::Relaxed);
    let mut expected = 1000;
    assert_eq!(list.fold(1000, add), expected);
    for index in 0..200 {
        list.grow_to(Place::of(index)).store(index + 1, Ordering::Relaxed);
        expected += index + 1;
        assert_eq!(list.fold(1000, add), expected, "{} elements", index + 1);
    }
}

#[test]
fn no_list_has_the_places_that_are_nowhere() {
    let list = List::new();
    list.grow_to(Place::of(100));
    assert!(list.get(Place::NOWHERE).is_none());
    #[cfg(feature = "std")]
    assert!(list.get(Place::NOWHERE_YET).is_none());
}

#[test]
#[should_panic(expected = "no room for")]
fn an_index_past_the_last_chunk_panics() {
    Place::of(usize::MAX);
}

#[test]
fn a_dropped_list_drops_its_elements() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    #[derive(Default)]
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let list = GrowingList::<Counted>::new();
    list.grow_to(Place::of(9));
    assert_eq!(DROPPED.load(Ordering::Relaxed), 0);
    drop(list);
    assert_eq!(DROPPED.load(Ordering::Relaxed), 1 + 1 + 2 + 4 + 8);
}
