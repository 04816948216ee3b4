//! Faults that the simulator plants, to see that it finds them. Other builds have none of this.

/// Whether a fault is planted: `false`, a constant, in all builds but those of this crate's own tests.
#[cfg(not(test))]
macro_rules! planted {
    ($fault:ident) => {
        false
    };
}

/// Whether the running test planted this fault.
#[cfg(test)]
macro_rules! planted {
    ($fault:ident) => {
        $crate::fault::PLANTED.get() == Some($crate::fault::Fault::$fault)
    };
}

/// The rules of the protocol, each left out or replaced by its obvious shortcut.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    GapApplied,
    HaveOffByOne,
    SinceIncludes,
    NoRestamp,
    IdentityLeftOut,
    LoadedWordsCounted,
    LoadedWordsDropped,
    TwoVersions,
    TickSeesRemote,
    EntryRewrittenOnAdoption,
    TiesByCounterOnly,
    VoidedTotalsCounted,
    IncarnationReused,
    SentBeforeStored,
    TotalAppliedAsDelta,
    AnswerCut,
}

#[cfg(test)]
std::thread_local! {
    /// Set by a test for its own thread.
    pub(super) static PLANTED: core::cell::Cell<Option<Fault>> = const { core::cell::Cell::new(None) };
}
