//! Planes: whole tables of contexts, each made when it is first needed.

use alloc::alloc::{alloc_zeroed, dealloc, handle_alloc_error};
use alloc::vec;
use core::alloc::Layout;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use core::slice;

use super::mark::Mark;
use crate::algebra::Algebra;
use crate::context::Context;
use crate::sync::{AtomicPtr, AtomicUsize, Ordering, before_allocation, const_fn};
use crate::table::{BLOCK_WORDS, RUN_BLOCKS, SMALL_WORDS, TableAllocError, Touched};

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

/// What stands before the contexts of a plane. After them come the marks.
#[repr(C, align(64))]
struct Header {
    /// The number of contexts, as long as the writer need not mark what it touches; then 0.
    unmarked: AtomicUsize,
    /// The number of contexts.
    len: usize,
    /// The number of bytes from the start of the allocation to this header.
    skipped: usize,
    /// Whether everything that was ever touched is marked.
    is_marked: bool,
}

/// The plane of all cells that have none yet.
#[cfg(not(atomik_loom))]
static EMPTY: Header = Header { unmarked: AtomicUsize::new(0), len: 0, skipped: 0, is_marked: false };

/// The same for models, where a static can't have atomics. Only its address is used.
#[cfg(atomik_loom)]
static EMPTY: [u64; 8] = [0; 8];

fn empty() -> *mut Header {
    ptr::from_ref(&EMPTY).cast_mut().cast()
}

/// No two planes have words in the same pair of cache lines, since they have different writers.
const ALIGN: usize = 128;

impl<A: Algebra, M: Memory> OncePlane<A, M> {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                plane: AtomicPtr::new(ptr::from_ref(&EMPTY).cast_mut().cast()),
                owns: PhantomData,
                memory: PhantomData,
            }
        }
    }

    /// The plane, which has no contexts if it has not been made. Wait-free.
    #[inline]
    pub(super) fn get(&self) -> Plane<'_, A> {
        // Acquire: pairs with the Release in `get_or_try_make`.
        Plane::from_header(self.plane.load(Ordering::Acquire))
    }

    /// The plane, which is made with `len` contexts in the identity state if it is missing. If `is_marked`, its writer
    /// marks what it touches from the beginning. Lock-free except for the allocator.
    #[cold]
    pub(super) fn get_or_try_make(
        &self,
        len: usize,
        is_marked: bool,
    ) -> Result<Plane<'_, A>, TableAllocError> {
        if self.get().contexts().is_empty() && len > 0 {
            let made = allocate::<A, M>(len, is_marked).ok_or(TableAllocError::OutOfMemory { len })?;
            // Release: pairs with the Acquire in `get`. If another thread was first, the `get` below acquires its plane,
            // so failure is Relaxed.
            let installed = self.plane.compare_exchange(empty(), made, Ordering::Release, Ordering::Relaxed);
            if installed.is_err() {
                // SAFETY: allocated above, and no other thread has seen it.
                unsafe { free::<A, M>(made) };
            }
        }
        Ok(self.get())
    }
}

impl<A: Algebra> OncePlane<A, System> {
    /// Does what [`get_or_try_make`](Self::get_or_try_make) does, and ends the process if there is no memory. The caller
    /// may be a global allocator, which must not unwind.
    pub(super) fn get_or_make(&self, len: usize, is_marked: bool) -> Plane<'_, A> {
        self.get_or_try_make(len, is_marked).unwrap_or_else(|_| {
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
        if plane != empty() {
            // SAFETY: `get_or_try_make` allocated it, and it is freed only here.
            unsafe { free::<A, M>(plane) };
        }
    }
}

/// The contexts of a plane, and the marks of its blocks.
pub(super) struct Plane<'a, A: Algebra> {
    header: NonNull<Header>,
    lives: PhantomData<&'a Context<A>>,
}

impl<A: Algebra> Clone for Plane<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: Algebra> Copy for Plane<'_, A> {}

// SAFETY: a plane is a shared reference to contexts and marks, which any thread may use.
unsafe impl<A: Algebra> Send for Plane<'_, A> {}
// SAFETY: as above.
unsafe impl<A: Algebra> Sync for Plane<'_, A> {}

impl<'a, A: Algebra> Plane<'a, A> {
    /// A plane that has not been made.
    #[cfg(feature = "std")]
    #[inline]
    pub(super) fn none() -> Self {
        Self::from_header(empty())
    }

    #[inline]
    fn from_header(header: *mut Header) -> Self {
        // SAFETY: the pointer leads to `EMPTY`, or `allocate` returned it.
        Self { header: unsafe { NonNull::new_unchecked(header) }, lives: PhantomData }
    }

    #[inline]
    fn header(self) -> Option<&'a Header> {
        #[cfg(atomik_loom)]
        if self.header.as_ptr() == empty() {
            return None;
        }
        // SAFETY: as in `from_header`. A plane is freed with its cell, which is borrowed for `'a`.
        Some(unsafe { self.header.as_ref() })
    }

    /// The same plane for another lifetime.
    ///
    /// # Safety
    ///
    /// The cell of the plane is not dropped while the result is used.
    pub(super) unsafe fn outlive<'b>(self) -> Plane<'b, A> {
        Plane { header: self.header, lives: PhantomData }
    }

    /// The contexts before `end`, which is at most their number.
    #[inline]
    fn contexts_before(self, end: usize) -> &'a [Context<A>] {
        // SAFETY: so many initialised contexts follow the header, and live as long as it.
        unsafe { slice::from_raw_parts(self.header.as_ptr().add(1).cast(), end) }
    }

    /// The contexts by their addresses.
    #[inline]
    pub(super) fn contexts(self) -> &'a [Context<A>] {
        self.contexts_before(self.header().map_or(0, |header| header.len))
    }

    /// The contexts, if the writer need not mark what it touches. Otherwise none.
    #[inline]
    pub(super) fn unmarked(self) -> &'a [Context<A>] {
        // Relaxed: see `ask_for_marks`.
        self.contexts_before(self.header().map_or(0, |header| header.unmarked.load(Ordering::Relaxed)))
    }

    /// ACCUM by the only writer. Returns `false` if the address is past the end.
    #[inline]
    pub(super) fn accum_alone(self, addr: usize, delta: u64) -> bool {
        if let Some(context) = self.unmarked().get(addr) {
            context.accum_alone(delta);
        } else if let Some((context, mark)) = self.marked(addr) {
            context.accum_alone(delta);
            mark.touch();
        } else {
            return false;
        }
        true
    }

    /// ACCUM by one of several writers. They mark what they touch from the beginning, or never.
    pub(super) fn accum(self, addr: usize, delta: u64) {
        self.contexts()[addr].accum(delta);
        self.touch_shared(addr);
    }

    /// Marks what one of several writers touched.
    pub(super) fn touch_shared(self, addr: usize) {
        if self.unmarked().is_empty()
            && let Some((_, mark)) = self.marked(addr)
        {
            mark.touch_shared();
        }
    }

    /// The context at an address and the mark of its block, or `None` past the end. A small table has no marks.
    #[inline]
    pub(super) fn marked(self, addr: usize) -> Option<(&'a Context<A>, &'a Mark)> {
        let contexts = self.contexts();
        if contexts.len() <= SMALL_WORDS {
            return None;
        }
        let context = contexts.get(addr)?;
        // SAFETY: a mark for each block of contexts follows them, since the table is not small.
        Some((context, unsafe { self.first_mark().add(addr / BLOCK_WORDS).as_ref() }))
    }

    /// The marks of the blocks.
    pub(super) fn marks(self) -> &'a [Mark] {
        // SAFETY: so many marks follow the contexts, and live as long as they.
        unsafe { slice::from_raw_parts(self.first_mark().as_ptr(), marks(self.contexts().len())) }
    }

    /// Where the marks begin.
    #[inline]
    fn first_mark(self) -> NonNull<Mark> {
        // SAFETY: so many contexts follow the header.
        unsafe { self.header.add(1).cast::<Context<A>>().add(self.contexts().len()).cast() }
    }

    /// Adds the blocks that were touched since the observer saw the plane last, which is number `index` of a list. The
    /// caller's fence(Acquire) makes visible what was done before the marks were set.
    pub(super) fn look(self, touched: &mut Touched, list: usize, index: usize, swap: u64) {
        let marks = self.marks();
        if marks.is_empty() {
            return;
        }
        let mut seen = touched.take_seen(list, index);
        if seen.is_empty() && !self.ask_for_marks() {
            // Until a mark is seen here, deltas may be made that are not marked. With the mark, all of these are visible.
            touched.insert_all();
            if marks.iter().all(|mark| mark.differs(0) == 0) {
                return;
            }
        }
        if seen.is_empty() {
            seen = vec![0; marks.len()];
        }
        for (run, (marks, seen)) in marks.chunks(RUN_BLOCKS).zip(seen.chunks_mut(RUN_BLOCKS)).enumerate() {
            let differences = marks.iter().zip(&*seen).fold(0, |any, (mark, seen)| any | mark.differs(*seen));
            if differences != 0 {
                let looks = marks.iter().zip(seen).enumerate();
                let blocks = looks.map(|(block, (mark, seen))| u8::from(mark.look(seen, swap)) << block);
                touched.insert(run, blocks.fold(0, |any, block| any | block));
            }
        }
        touched.put_seen(list, index, seen);
    }

    /// Whether everything that was ever touched is marked. If not, this asks the writer to mark what it touches from now
    /// on. A mark that is set shows that the writer has done so since: it has read the 0 that is stored here, and will
    /// never read another value.
    pub(super) fn ask_for_marks(self) -> bool {
        let Some(header) = self.header() else { return true };
        if !header.is_marked {
            // Relaxed: pairs with the load in `unmarked`. Coherence is enough: who has read 0 will read it again. The
            // mark is what tells that the deltas before it are there.
            header.unmarked.store(0, Ordering::Relaxed);
        }
        header.is_marked
    }
}

/// The number of marks in a plane of so many contexts.
fn marks(len: usize) -> usize {
    if len <= SMALL_WORDS { 0 } else { len.div_ceil(BLOCK_WORDS) }
}

/// The layout of the allocation for a plane: an aligned run of bytes for the header, the contexts and the marks, and
/// enough before it to align it. The allocator is not asked for the alignment, because then it would write the zeros
/// itself, and all pages of a large plane would exist before they are used.
fn layout<A: Algebra>(len: usize) -> Option<Layout> {
    // A mark is as large as a context.
    let contexts = Layout::array::<Context<A>>(len.checked_add(marks(len))?).ok()?;
    let size = size_of::<Header>().checked_add(contexts.size())?.checked_next_multiple_of(ALIGN)?;
    Layout::from_size_align(size.checked_add(ALIGN)?, contexts.align()).ok()
}

fn allocate<A: Algebra, M: Memory>(len: usize, is_marked: bool) -> Option<*mut Header> {
    let layout = layout::<A>(len)?;
    // SAFETY: the layout has more than 0 bytes.
    let start = unsafe { M::alloc_zeroed(layout) };
    if start.is_null() {
        return None;
    }
    let skipped = start.addr().wrapping_neg() % ALIGN;
    // SAFETY: `layout` has room for so many bytes, the header and the contexts.
    let header = unsafe { start.add(skipped) }.cast::<Header>();
    let unmarked = AtomicUsize::new(if is_marked { 0 } else { len });
    // SAFETY: the header lies in the allocation, as above, and at a multiple of `ALIGN`.
    unsafe { header.write(Header { unmarked, len, skipped, is_marked }) };
    // Loom's atomics are not plain words. Elsewhere a context whose bytes are all 0 is one in the identity state, and
    // such a mark is not set.
    #[cfg(atomik_loom)]
    for number in 0..len + marks(len) {
        // SAFETY: the contexts and marks lie in the allocation, as above. Both are the same atomic.
        unsafe { header.add(1).cast::<Context<A>>().add(number).write(Context::default()) };
    }
    Some(header)
}

/// # Safety
///
/// `allocate` returned the header with the same parameters, and the plane is not used again.
unsafe fn free<A: Algebra, M: Memory>(header: *mut Header) {
    // SAFETY: by contract, the header is initialised.
    let Header { len, skipped, .. } = unsafe { header.read() };
    #[cfg(atomik_loom)]
    // SAFETY: by contract, so many contexts and marks follow the header, and nobody uses them again.
    unsafe {
        ptr::slice_from_raw_parts_mut(header.add(1).cast::<Context<A>>(), len + marks(len)).drop_in_place();
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
