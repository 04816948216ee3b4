//! Slots that have one writer at a time, and the lock-free structures that hand them out.
//!
//! - [`growing_list`]: a list that grows by chunks and never moves an element.
//! - [`index_pool`]: small indices that are claimed, returned and claimed again.
//! - [`thread_index`]: a small number for each live thread.
//! - [`slot_list`]: a growing list whose slots are claimed by means of an index pool.
//! - [`lease`]: a producer's hold on its slot.

pub(crate) mod growing_list;
pub(crate) mod index_pool;
pub(crate) mod lease;
pub(crate) mod slot_list;
#[cfg(feature = "std")]
pub(crate) mod thread_index;
