//! Planes: whole tables of contexts, each made when it is first needed.

use alloc::alloc::{alloc_zeroed, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::marker::PhantomData;
use core::{ptr, slice};

use crate::algebra::Algebra;
use crate::context::Context;
use crate::sync::{AtomicPtr, Ordering, before_allocation, const_fn};
use crate::table::TableAllocError;

/// A cell for a plane, which has no contexts until it is made.
///
/// A writer that looks its plane up for every delta pays for each load on the way there. So the cell leads to the
/// contexts themselves, with their number before them, and a plane that has not been made yet needs no check of its
/// own: its number is 0. By way of an `Option` of a [`Table`](crate::Table) a delta would take a third longer.
pub(super) struct OncePlane<A: Algebra, M: Memory = Global> {
    plane: AtomicPtr<Header>,
    owns: PhantomData<Context<A>>,
    memory: PhantomData<fn() -> M>,
}

/// What stands before the contexts of a plane.
#[repr(C, align(64))]
struct Header {
    /// The number of contexts.
    len: usize,
    /// The number of bytes from the start of the allocation to this header.
    skipped: usize,
}

/// The plane of all cells that have none yet.
static EMPTY: Header = Header { len: 0, skipped: 0 };

/// No two planes have words in the same pair of cache lines, since they have different writers.
const ALIGN: usize = 128;

impl<A: Algebra, M: Memory> OncePlane<A, M> {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                plane: AtomicPtr::new(ptr::from_ref(&EMPTY).cast_mut()),
                owns: PhantomData,
                memory: PhantomData,
            }
        }
    }

    /// The contexts of the plane, or none if it has not been made. Wait-free.
    #[inline]
    pub(super) fn contexts(&self) -> &[Context<A>] {
        // Acquire: pairs with the Release in `get_or_try_make`.
        let header = self.plane.load(Ordering::Acquire);
        // SAFETY: the pointer leads to `EMPTY`, or to a header that is followed by `len` initialised contexts. The latter
        // was installed by `get_or_try_make`, and only `drop` frees it.
        unsafe { slice::from_raw_parts(header.add(1).cast(), (*header).len) }
    }

    /// The contexts of the plane, which is made with `len` contexts in the identity state if it is missing. Lock-free
    /// except for the allocator.
    #[cold]
    pub(super) fn get_or_try_make(&self, len: usize) -> Result<&[Context<A>], TableAllocError> {
        if self.contexts().is_empty() && len > 0 {
            let made = allocate::<A, M>(len).ok_or(TableAllocError::OutOfMemory { len })?;
            let empty = ptr::from_ref(&EMPTY).cast_mut();
            // Release: pairs with the Acquire in `contexts`. If another thread was first, the `contexts` below acquires
            // its plane, so failure is Relaxed.
            let installed = self.plane.compare_exchange(empty, made, Ordering::Release, Ordering::Relaxed);
            if installed.is_err() {
                // SAFETY: allocated above, and no other thread has seen it.
                unsafe { free::<A, M>(made) };
            }
        }
        Ok(self.contexts())
    }
}

impl<A: Algebra> OncePlane<A, System> {
    /// Does what [`get_or_try_make`](Self::get_or_try_make) does, and ends the process if there is no memory. The caller
    /// may be a global allocator, which must not unwind.
    pub(super) fn get_or_make(&self, len: usize) -> &[Context<A>] {
        self.get_or_try_make(len).unwrap_or_else(|_| {
            handle_alloc_error(Layout::array::<Context<A>>(len).unwrap_or(Layout::new::<Context<A>>()))
        })
    }
}

impl<A: Algebra, M: Memory> Default for OncePlane<A, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Algebra, M: Memory> Drop for OncePlane<A, M> {
    fn drop(&mut self) {
        // Relaxed: `&mut self` means that all other accesses happened before.
        let plane = self.plane.load(Ordering::Relaxed);
        if !ptr::eq(plane, &EMPTY) {
            // SAFETY: `get_or_try_make` allocated it, and it is freed only here.
            unsafe { free::<A, M>(plane) };
        }
    }
}

/// The layout of the allocation for a plane: an aligned run of bytes for the header and the contexts, and enough before
/// it to align it. The allocator is not asked for the alignment, because then it would write the zeros itself, and all
/// pages of a large plane would exist before they are used.
fn layout<A: Algebra>(len: usize) -> Option<Layout> {
    let contexts = Layout::array::<Context<A>>(len).ok()?;
    let size = size_of::<Header>().checked_add(contexts.size())?.checked_next_multiple_of(ALIGN)?;
    Layout::from_size_align(size.checked_add(ALIGN)?, contexts.align()).ok()
}

fn allocate<A: Algebra, M: Memory>(len: usize) -> Option<*mut Header> {
    let layout = layout::<A>(len)?;
    // SAFETY: the layout has more than 0 bytes.
    let start = unsafe { M::alloc_zeroed(layout) };
    if start.is_null() {
        return None;
    }
    let skipped = start.addr().wrapping_neg() % ALIGN;
    // SAFETY: `layout` has room for so many bytes, the header and the contexts.
    let header = unsafe { start.add(skipped) }.cast::<Header>();
    // SAFETY: the header lies in the allocation, as above, and at a multiple of `ALIGN`.
    unsafe { header.write(Header { len, skipped }) };
    // Loom's atomics are not plain words. Elsewhere a context whose bytes are all 0 is one in the identity state.
    #[cfg(atomik_loom)]
    for number in 0..len {
        // SAFETY: the contexts lie in the allocation, as above.
        unsafe { header.add(1).cast::<Context<A>>().add(number).write(Context::default()) };
    }
    Some(header)
}

/// # Safety
///
/// `allocate` returned the header with the same parameters, and the plane is not used again.
unsafe fn free<A: Algebra, M: Memory>(header: *mut Header) {
    // SAFETY: by contract, the header is initialised.
    let Header { len, skipped } = unsafe { header.read() };
    #[cfg(atomik_loom)]
    // SAFETY: by contract, so many contexts follow the header, and nobody uses them again.
    unsafe {
        ptr::slice_from_raw_parts_mut(header.add(1).cast::<Context<A>>(), len).drop_in_place();
    }
    let layout = layout::<A>(len).expect("the plane was allocated with this layout");
    // SAFETY: the allocation starts so many bytes before the header, and `M` allocated it with this layout.
    unsafe { M::dealloc(header.cast::<u8>().sub(skipped), layout) };
}

/// An allocator.
pub(super) trait Memory {
    /// # Safety
    ///
    /// The layout has more than 0 bytes.
    unsafe fn alloc_zeroed(layout: Layout) -> *mut u8;

    /// # Safety
    ///
    /// `alloc_zeroed` returned the memory for this layout, and it is not used again.
    unsafe fn dealloc(memory: *mut u8, layout: Layout);
}

/// The global allocator.
pub(super) enum Global {}

impl Memory for Global {
    unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
        before_allocation();
        // SAFETY: the caller keeps the contract.
        unsafe { alloc_zeroed(layout) }
    }

    unsafe fn dealloc(memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { dealloc(memory, layout) }
    }
}

/// The allocator of the system, which is not the global allocator that a program may define. Without the feature `std`
/// there is none, and this is the global allocator too.
#[cfg(feature = "std")]
pub(super) enum System {}

#[cfg(not(feature = "std"))]
pub(super) type System = Global;

#[cfg(feature = "std")]
impl Memory for System {
    unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract.
        unsafe { std::alloc::GlobalAlloc::alloc_zeroed(&std::alloc::System, layout) }
    }

    unsafe fn dealloc(memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { std::alloc::GlobalAlloc::dealloc(&std::alloc::System, memory, layout) }
    }
}

#[cfg(test)]
mod tests;
