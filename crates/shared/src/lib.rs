//! Tables of [`atomik-core`](https://docs.rs/atomik-core) in mapped files that any number of processes share, with the
//! same wait-free operations and no broker.
//!
//! | | |
//! |---|---|
//! | [`SharedFanIn`] | a table with a lane for each writing process or thread: a delta is a load and a store |
//! | [`SharedTable`] | a table whose contexts all processes change: a delta is one read-modify-write |
//! | [`SharedView`] | either of them, for reading only |
//! | [`FileLayout`] | what a file says about itself |
//!
//! Whatever is killed, and whenever: every delta whose `accum` had returned is there, and no word is torn. `LAYOUT.md` of
//! this package specifies the file, so that programs in other languages can read it.
//!
//! # Trade-offs
//!
//! - **A power cut is not a kill.** The kernel writes mapped pages to the disk when it likes, in any order. After a
//!   power cut or a crash of the kernel, each page of the file is as it was at some moment of the last half minute or
//!   so: words are whole, but counts are missing, and those of different pages are of different moments. The header is
//!   on the disk before the file has its name. Where counts must survive a power cut, save them with
//!   `atomik-checkpoint`.
//! - **Shrinking a file kills its users.** A process that touches a mapped page past the end of its file gets `SIGBUS`.
//!   So never truncate such a file or copy another one over it; rename a new one into its place. A memfd
//!   ([`SharedFanIn::create_memfd`]) is sealed against it, for a parent and its children.
//! - **On a disk, a store may wait.** While the kernel writes a page to the disk, a store to it may have to wait, with
//!   some file systems and disks. In `/dev/shm`, or in a memfd, a store never waits for a disk; neither outlives a
//!   restart of the machine.
//! - **Local file systems only.** NFS and its like are refused: locks and mappings there are not those of one kernel.
//! - **A process with the right to write can write anything.** Whatever it writes, readers get wrong states and never
//!   undefined behaviour; but shrinking a file kills them, as above.
//! - **Linux only, 64-bit targets only.** The locks are open-file-description locks of Linux 3.15, and forks are found by
//!   Linux 4.14.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("atomik-shared is for Linux on 64-bit targets");

#[cfg(all(atomik_loom, not(feature = "loom")))]
compile_error!("cfg(atomik_loom) needs the feature `loom`");

mod claim;
mod descriptor;
#[cfg(not(atomik_loom))]
mod error;
#[cfg(not(atomik_loom))]
mod fan_in;
#[cfg(not(atomik_loom))]
mod file;
#[cfg(not(atomik_loom))]
mod file_system;
#[cfg(not(atomik_loom))]
mod fork;
#[cfg(not(atomik_loom))]
mod handle;
#[cfg(not(atomik_loom))]
mod lane;
#[cfg(not(atomik_loom))]
mod layout;
#[cfg(not(atomik_loom))]
mod locks;
#[cfg(not(atomik_loom))]
mod mapping;
mod metadata;
#[cfg(not(atomik_loom))]
mod metadata_writer;
#[cfg(atomik_loom)]
#[doc(hidden)]
pub mod models;
#[cfg(not(atomik_loom))]
mod planes;
#[cfg(not(atomik_loom))]
mod producer;
mod sync;
#[cfg(not(atomik_loom))]
mod table;
#[cfg(not(atomik_loom))]
mod view;

pub use metadata::{Metadata, MetadataEntries};
#[cfg(not(atomik_loom))]
pub use {
    error::{SharedError, SharedErrorKind},
    fan_in::{FanInSize, SharedFanIn},
    lane::{Lane, LaneState},
    layout::{FileKind, FileLayout},
    metadata_writer::MetadataWriter,
    producer::SharedProducer,
    table::SharedTable,
    view::SharedView,
};

/// The README's programs are compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
