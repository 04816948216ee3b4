//! The simulator finds each fault that is planted: a rule left out, or its obvious shortcut taken.

use super::{first_failure, with_fault};
use crate::fault::Fault;

/// Within how many seeds each must be found.
const SEEDS: u64 = 1_000;

macro_rules! finds {
    ($($name:ident: $fault:ident,)*) => {$(
        #[test]
        fn $name() {
            let found = with_fault(Fault::$fault, || first_failure(0..SEEDS, 0));
            assert!(found.is_some(), "{SEEDS} seeds ran without finding {:?}", Fault::$fault);
        }
    )*};
}

finds! {
    a_gap_applied: GapApplied,
    have_off_by_one: HaveOffByOne,
    since_with_greater_or_equal: SinceIncludes,
    no_restamp_when_the_total_is_unchanged: NoRestamp,
    identity_words_left_out: IdentityLeftOut,
    words_of_a_loaded_address_counted: LoadedWordsCounted,
    words_of_a_loaded_address_dropped: LoadedWordsDropped,
    words_and_entries_under_two_versions: TwoVersions,
    the_tick_seeing_what_the_replica_learned: TickSeesRemote,
    the_own_entry_rewritten_on_adoption: EntryRewrittenOnAdoption,
    ties_by_counter_only: TiesByCounterOnly,
    voided_totals_counted: VoidedTotalsCounted,
    an_incarnation_reused: IncarnationReused,
    sent_before_stored: SentBeforeStored,
    a_total_applied_as_a_delta: TotalAppliedAsDelta,
    an_answer_cut_at_version_boundaries: AnswerCut,
}
