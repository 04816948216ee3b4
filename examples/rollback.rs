//! Undo and redo of feature flags that two editors change at the same time. Each editor takes back its own changes
//! and leaves those of the other alone.
//!
//!     cargo run --release --example rollback

use std::sync::Barrier;
use std::thread;

use atomik_core::{AtomikContext, Rollback, RollbackError};

fn main() -> Result<(), RollbackError> {
    let flags = AtomikContext::new(0b0000_0001);

    let mut edits = Rollback::new(&flags);
    edits.apply(0b0000_0010);
    edits.checkpoint("saved");
    edits.apply(0b0000_0100);
    edits.apply(0b1000_0000);
    println!("after three edits      {:08b}", flags.read());
    assert_eq!(flags.read(), 0b1000_0111);

    assert_eq!(edits.undo(), Some(0b1000_0000));
    println!("the last one undone    {:08b}", flags.read());
    assert_eq!(edits.redo(), Some(0b1000_0000));
    println!("and redone             {:08b}", flags.read());
    assert!(!edits.is_at("saved"), "the flags have been modified since");

    edits.undo_to("saved")?;
    println!("back to what was saved {:08b}", flags.read());
    assert_eq!(flags.read(), 0b0000_0011);
    assert!(edits.is_at("saved"));

    // A group is undone as one. It closes when it is dropped, on an early return too.
    let mut group = edits.group();
    for flag in 4..8 {
        group.apply(1 << flag);
    }
    drop(group);
    println!("a group of four edits  {:08b}", flags.read());
    assert_eq!(edits.undo(), Some(0b1111_0000));
    println!("undone as one          {:08b}", flags.read());
    assert_eq!(flags.read(), 0b0000_0011);

    // The undo of one editor leaves the edit of the other, whichever comes first.
    let both = Barrier::new(2);
    thread::scope(|scope| {
        for (delta, keep) in [(0b0001_0000, true), (0b0010_0000, false)] {
            let (flags, both) = (&flags, &both);
            scope.spawn(move || {
                let mut edits = Rollback::new(flags);
                both.wait();
                edits.apply(delta);
                if !keep {
                    edits.undo();
                }
            });
        }
    });
    println!("two editors, one undid {:08b}", flags.read());
    assert_eq!(flags.read(), 0b0001_0011);

    // A checkpoint that does not exist is an error, and nothing changes.
    let error = edits.undo_to("release").unwrap_err();
    println!("{error}");
    assert_eq!(flags.read(), 0b0001_0011);
    Ok(())
}
