//! Undo and redo of feature flags that two editors change at once: each takes back its own changes and leaves
//! the other's alone.
//!
//!     cargo run --release --example rollback

use std::sync::Barrier;
use std::thread;

use atomik_core::{AtomikContext, Rollback, RollbackError};

fn main() -> Result<(), RollbackError> {
    let flags = AtomikContext::new(0b0000_0001);

    let mut editor = Rollback::new(&flags);
    editor.apply(0b0000_0010);
    editor.checkpoint("reviewed");
    editor.apply(0b0000_0101);
    editor.apply(0b1000_0000);
    println!("after three changes   {:08b}", flags.read());
    assert_eq!(flags.read(), 0b1000_0110);

    assert_eq!(editor.undo(), Some(0b1000_0000));
    println!("the last one undone   {:08b}", flags.read());
    assert_eq!(editor.redo(), Some(0b1000_0000));
    println!("and done again        {:08b}", flags.read());

    editor.undo_to("reviewed")?;
    println!("back to the review    {:08b}", flags.read());
    assert_eq!(flags.read(), 0b0000_0011);

    // Undoing composes: whoever comes first, an editor's changes go and the other's stay.
    let both = Barrier::new(2);
    thread::scope(|scope| {
        for (delta, keep) in [(0b0001_0000, true), (0b0010_0000, false)] {
            let (flags, both) = (&flags, &both);
            scope.spawn(move || {
                let mut editor = Rollback::new(flags);
                both.wait();
                editor.apply(delta);
                if !keep {
                    editor.undo();
                }
            });
        }
    });
    println!("two editors, one undid {:08b}", flags.read());
    assert_eq!(flags.read(), 0b0001_0011);

    // A checkpoint that is not there is an error, and nothing changes.
    let error = editor.undo_to("release").unwrap_err();
    println!("{error}");
    assert_eq!(flags.read(), 0b0001_0011);
    Ok(())
}
