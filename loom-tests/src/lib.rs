//! What the models share. Each file of models is in `tests`.

#[cfg(not(atomik_loom))]
compile_error!(
    "build in this folder, whose .cargo/config.toml sets `--cfg atomik_loom`; an exported RUSTFLAGS overrides it"
);

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};

/// A plain memory cell that a writer fills before its delta. A thread that reads a state with that delta may look at the
/// cell. If the orderings do not make visible what the writer did before, loom reports a data race.
#[derive(Clone, Debug)]
pub struct Past(Arc<UnsafeCell<bool>>);

impl Past {
    /// A past in which nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(UnsafeCell::new(false)))
    }

    /// The writer does something, without any ordering.
    pub fn happen(&self) {
        // SAFETY: loom checks each access and fails the model where two of them race.
        self.0.with_mut(|cell| unsafe { *cell = true });
    }

    /// A reader relies on what the writer did.
    pub fn must_have_happened(&self) {
        // SAFETY: as in `happen`.
        assert!(self.0.with(|cell| unsafe { *cell }));
    }
}

impl Default for Past {
    fn default() -> Self {
        Self::new()
    }
}

/// Checks that a thread which sees delta `1 << i` in a state sees what writer number i did before it.
pub fn check_pasts(state: u64, pasts: &[Past]) {
    for (i, past) in pasts.iter().enumerate() {
        if state & (1 << i) != 0 {
            past.must_have_happened();
        }
    }
}

/// Starts a thread that has a handle of its own to what the threads of a model share.
pub fn spawn<S: Clone + 'static, T: 'static>(
    shared: &S,
    work: impl FnOnce(S) -> T + 'static,
) -> JoinHandle<T> {
    let shared = shared.clone();
    thread::spawn(move || work(shared))
}

/// Starts a thread that makes its past happen and then writes.
pub fn spawn_writer<S: Clone + 'static, T: 'static>(
    past: &Past,
    shared: &S,
    write: impl FnOnce(S) -> T + 'static,
) -> JoinHandle<T> {
    let (past, shared) = (past.clone(), shared.clone());
    thread::spawn(move || {
        past.happen();
        write(shared)
    })
}

/// Waits for threads and collects what they return.
pub fn join<T>(threads: impl IntoIterator<Item = JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// How far to explore a model whose space is too large.
#[derive(Clone, Copy, Debug)]
pub struct Preemptions {
    /// The greatest number of preemptions in the ordinary run.
    pub ordinary: usize,
    /// The greatest number in `ci/loom-deep.sh`, which sets the variable `LOOM_DEEP`. `None` explores the whole space.
    pub deep: Option<usize>,
}

/// Explores a model with a bound on preemptions.
pub fn bounded_model(preemptions: Preemptions, model: impl Fn() + Send + Sync + 'static) {
    let is_deep = std::env::var_os("LOOM_DEEP").is_some();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = if is_deep { preemptions.deep } else { Some(preemptions.ordinary) };
    builder.check(model);
}
