use super::*;
use crate::algebra::{Add, Xor};
use crate::delta::DeltaBatch;
use alloc::collections::BTreeSet;
use proptest::prelude::*;

fn one(seq: u32) -> DeltaMessage {
    DeltaMessage { addr: 0, delta: 1, seq }
}

/// What the Python package 0.4.0 sends for the same calls; `ci/interop.sh` runs both.
#[test]
fn the_bytes_are_those_of_the_python_package() {
    let mut stream = DeltaStream::<Xor>::new(256);
    stream.load(0, 0xCAFE_BABE).unwrap();
    stream.accum(0, 0x1464_0451).unwrap();
    stream.accum(255, u64::MAX).unwrap();
    let bytes: Vec<u8> = stream.pending().iter().flat_map(|message| message.to_bytes()).collect();
    assert_eq!(
        bytes,
        [
            0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0x64, 0x04, 0x51, 0, 0, 0, 1, // "!IQI" of 0, 0x14640451, 1
            0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 2,
        ]
    );
    assert_eq!(stream.read(0), Some(0xCAFE_BABE ^ 0x1464_0451));
    assert!(stream.pending().is_empty());
}

#[test]
fn an_address_past_the_table_is_refused_and_nothing_changes() {
    let refused = StreamError::Address { addr: 2, len: 2 };
    let mut stream = DeltaStream::<Add>::new(2);
    let message = DeltaMessage { addr: 2, delta: 1, seq: 1 };
    assert_eq!(stream.load(2, 1), Err(refused));
    assert_eq!(stream.accum(2, 1), Err(refused));
    assert_eq!(stream.put(2, 1), Err(refused));
    assert_eq!(stream.apply(&message), Err(refused));
    assert_eq!(stream.apply_from(0, &message), Err(refused));
    assert_eq!(stream.apply_from(0, &DeltaMessage { addr: 1, ..message }), Ok(true));
    assert_eq!(stream.read(2), None);
    assert_eq!(stream.states(), [0, 1]);
    assert_eq!(stream.accum(0, 1).unwrap().seq, 1);
}

#[test]
fn a_put_sends_the_delta_to_the_value() {
    fn check<A: Algebra>() {
        let (mut here, mut there) = (DeltaStream::<A>::new(2), DeltaStream::<A>::new(2));
        for value in [7, 7, u64::MAX, 0] {
            let message = here.put(1, value).unwrap();
            assert_eq!(here.read(1), Some(value));
            assert_eq!(there.apply_from(1, &message), Ok(true));
            assert_eq!(there.read(1), Some(value));
        }
        assert_eq!(here.pending().len(), 4);
    }
    check::<Xor>();
    check::<Add>();
}

#[test]
fn numbers_end_with_a_named_error() {
    let mut stream = DeltaStream::<Xor>::new(1);
    stream.seq = u32::MAX - 1;
    assert_eq!(stream.next_seq(), Some(u32::MAX));
    assert_eq!(stream.accum(0, 1).unwrap().seq, u32::MAX);
    assert_eq!(stream.next_seq(), None);
    assert_eq!(stream.accum(0, 1), Err(StreamError::SeqExhausted));
    assert_eq!(stream.put(0, 5), Err(StreamError::SeqExhausted));
    assert_eq!(stream.read(0), Some(1));
    assert_eq!(stream.pending().len(), 1);
}

#[test]
fn pending_messages_are_bounded_and_can_be_taken() {
    let mut stream = DeltaStream::<Add>::new(1);
    let most = DeltaStream::<Add>::MAX_PENDING;
    for _ in 0..most {
        stream.accum(0, 1).unwrap();
    }
    let full = Err(StreamError::PendingFull { len: most });
    assert_eq!(stream.accum(0, 1), full);
    assert_eq!(stream.put(0, 1), full);
    assert_eq!(stream.read(0), Some(most as u64));

    let taken = stream.pending();
    assert!(taken.iter().map(|message| message.seq).eq(1..=most as u32));
    assert_eq!(stream.accum(0, 1).map(|message| message.seq), Ok(most as u32 + 1));
}

#[test]
fn a_stream_without_pending_keeps_no_message() {
    let mut stream = DeltaStream::<Add>::without_pending(1);
    for seq in 1..=DeltaStream::<Add>::MAX_PENDING as u32 + 1 {
        assert_eq!(stream.accum(0, 1), Ok(one(seq)));
    }
    assert!(stream.pending().is_empty());
    assert!(stream.pending.is_none());
}

#[test]
fn zero_is_a_number_like_any_other() {
    let batch: DeltaBatch<Add> = [(0, 5), (1, 7)].into_iter().collect();
    let bytes = batch.to_wire(0);
    let messages: Vec<_> = bytes.chunks(16).map(|bytes| DeltaMessage::from_bytes(bytes).unwrap()).collect();
    let begun = |seq| {
        let mut stream = DeltaStream::<Add>::new(2);
        stream.begin(1, seq);
        stream
    };
    for mut stream in [DeltaStream::<Add>::new(2), begun(0)] {
        for again in [false, true] {
            for message in messages.iter().rev() {
                assert_eq!(stream.apply_from(1, message), Ok(!again));
            }
        }
        assert_eq!(stream.states(), [5, 7]);
        assert!(stream.missing(1).eq([]));
        assert_eq!(stream.next_from(1), Some(2));
    }

    assert_eq!(begun(1).apply_from(1, &messages[0]), Ok(false), "before the beginning");
    let mut stream = begun(0);
    assert_eq!(stream.apply_from(1, &messages[1]), Ok(true));
    assert!(stream.missing(1).eq([0..=0]));
    assert_eq!(stream.skip(1, 0), Some(0..=0));
    assert_eq!(stream.apply_from(1, &messages[0]), Ok(false));
    assert_eq!(DeltaStream::<Add>::new(1).skip(1, 0), Some(0..=0));
}

#[test]
fn the_last_number_is_received_once() {
    let mut stream = DeltaStream::<Add>::new(1);
    assert_eq!(stream.apply_from(1, &one(u32::MAX)), Ok(true));
    assert_eq!(stream.apply_from(1, &one(u32::MAX)), Ok(false));
    assert!(stream.missing(1).eq([1..=u32::MAX - 1]));
    assert_eq!(stream.skip(1, 9), Some(1..=u32::MAX - 1));
    assert_eq!(stream.next_from(1), None);
    assert_eq!(stream.apply_from(1, &one(u32::MAX)), Ok(false));
    assert_eq!(stream.read(0), Some(1));
}

#[test]
fn senders_are_told_apart() {
    let mut stream = DeltaStream::<Add>::new(1);
    stream.begin(1, 5);
    assert_eq!(stream.apply_from(1, &one(4)), Ok(false));
    assert_eq!(stream.apply_from(2, &one(4)), Ok(true));
    assert_eq!(stream.skip(2, 1), Some(1..=3));
    assert_eq!((stream.next_from(1), stream.next_from(2), stream.next_from(3)), (Some(5), Some(5), Some(1)));
    assert_eq!(stream.apply_from(3, &one(4)), Ok(true));
    assert!(stream.missing(3).eq([1..=3]));
}

#[test]
fn a_gap_too_many_is_refused_until_one_is_closed() {
    let mut stream = DeltaStream::<Add>::new(1);
    let most = DeltaStream::<Add>::MAX_GAPS as u32;
    for gap in 1..=most {
        assert_eq!(stream.apply_from(1, &one(2 * gap)), Ok(true));
    }
    let refused = Err(StreamError::TooManyGaps { sender: 1, missing: 1 });
    let next = one(2 * most + 2);
    assert_eq!(stream.apply_from(1, &next), refused);
    assert_eq!(stream.apply_from(1, &next), refused, "a refused message has not come");
    assert_eq!(stream.apply_from(1, &one(2 * most + 1)), Ok(true), "this one opens no gap");
    assert_eq!(stream.apply_from(2, &next), Ok(true), "each sender has gaps of its own");
    assert_eq!(stream.read(0), Some(u64::from(most) + 2));

    assert_eq!(stream.skip(1, 1), Some(1..=1));
    assert_eq!(stream.apply_from(1, &one(2 * most + 4)), Ok(true));
    assert_eq!(stream.apply_from(1, &one(3)), Ok(true));
    assert_eq!(stream.missing(1).count(), DeltaStream::<Add>::MAX_GAPS - 1);
}

#[test]
fn a_receiver_that_misses_the_first_messages_keeps_working() {
    let mut here = DeltaStream::<Add>::without_pending(1);
    let mut late = DeltaStream::<Add>::new(1);
    let first = [here.accum(0, 1).unwrap(), here.accum(0, 1).unwrap()];
    for _ in 0..3 * DeltaStream::<Add>::MAX_GAPS {
        assert_eq!(late.apply_from(1, &here.accum(0, 1).unwrap()), Ok(true));
    }
    assert!(late.missing(1).eq([1..=2]));
    for message in first {
        assert_eq!(late.apply_from(1, &message), Ok(true));
    }
    assert_eq!(late.read(0), here.read(0));
}

#[test]
fn a_stream_that_lost_messages_is_mended_by_a_new_beginning() {
    let (mut here, mut there) = (DeltaStream::<Add>::new(1), DeltaStream::<Add>::new(1));
    let messages: Vec<_> = (0..6).map(|_| here.accum(0, 1).unwrap()).collect();
    for at in [1, 5] {
        assert_eq!(there.apply_from(1, &messages[at]), Ok(true));
    }
    assert!(there.missing(1).eq([1..=1, 3..=5]));

    // The states of a node that has messages 1 to 4.
    there.load(0, 4).unwrap();
    there.begin(1, 5);
    assert!(there.missing(1).eq([]));
    for (message, new) in messages.iter().zip([false, false, false, false, true, true]) {
        assert_eq!(there.apply_from(1, message), Ok(new));
    }
    assert_eq!(there.read(0), here.read(0));
}

#[test]
fn a_copy_of_a_node_continues_with_all_its_senders() {
    let mut nodes: Vec<_> = (0..3).map(|_| DeltaStream::<Add>::new(1)).collect();
    for (sender, count) in [(0, 3), (1, 5), (2, 2)] {
        for _ in 0..count {
            let message = nodes[sender].accum(0, 1).unwrap();
            if sender != 0 {
                nodes[0].apply_from(sender as u64, &message).unwrap();
            }
        }
    }
    let mut copy = DeltaStream::<Add>::new(1);
    copy.load(0, nodes[0].read(0).unwrap()).unwrap();
    copy.begin(0, nodes[0].next_seq().unwrap());
    for sender in [1, 2] {
        copy.begin(sender, nodes[0].next_from(sender).unwrap());
    }
    for (sender, node) in (0..).zip(&mut nodes) {
        for message in node.pending() {
            assert_eq!(copy.apply_from(sender, &message), Ok(false), "{sender} {message:?}");
        }
        assert_eq!(copy.apply_from(sender, &node.accum(0, 1).unwrap()), Ok(true));
    }
    assert_eq!(copy.read(0), Some(3 + 5 + 2 + 3));
}

/// What the network does to a message of the sender.
#[derive(Clone, Copy, Debug)]
struct Fate {
    delta: u64,
    /// How often it arrives; not at all if lost.
    copies: usize,
    /// By how many messages each copy may be overtaken.
    delay: usize,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let copies = prop_oneof![1 => Just(0), 4 => Just(1), 1 => 2..4usize];
    let fate =
        (any::<u64>(), copies, 0..20usize).prop_map(|(delta, copies, delay)| Fate { delta, copies, delay });
    prop::collection::vec(fate, 1..80)
}

/// The messages of a sender, and the order in which copies of them arrive.
fn sent<A: Algebra>(fates: &[Fate]) -> (DeltaStream<A>, Vec<DeltaMessage>, Vec<DeltaMessage>) {
    let mut here = DeltaStream::<A>::new(3);
    let mut arrivals = Vec::new();
    for (at, fate) in fates.iter().enumerate() {
        let message = here.accum(at as u32 % 3, fate.delta).unwrap();
        arrivals.extend((0..fate.copies).map(|copy| (at + fate.delay * copy.max(1), message)));
    }
    arrivals.sort_by_key(|&(at, _)| at);
    let messages = here.pending();
    (here, messages, arrivals.into_iter().map(|(_, message)| message).collect())
}

/// A receiver joins after `joined` messages, with a copy of the sender's states as of then. Each message from
/// there on counts once, however often it comes; when those that are missing have been sent again or given up,
/// the states are those of all messages that were not given up.
fn converges<A: Algebra>(fates: &[Fate], joined: usize, give_up: bool) -> Result<(), TestCaseError> {
    let (here, messages, arrivals) = sent::<A>(fates);
    let joined = joined % (fates.len() + 1);
    let mut late = DeltaStream::<A>::new(3);
    let mut model = vec![A::IDENTITY; 3];
    let count = |model: &mut [u64], message: &DeltaMessage| {
        let state = &mut model[message.addr as usize];
        *state = A::compose(*state, message.delta);
    };
    messages[..joined].iter().for_each(|message| count(&mut model, message));
    for (addr, &state) in (0..).zip(&model) {
        late.load(addr, state).unwrap();
    }
    late.begin(9, joined as u32 + 1);

    let mut came: BTreeSet<u32> = (1..=joined as u32).collect();
    for message in &arrivals {
        let new = came.insert(message.seq);
        prop_assert_eq!(late.apply_from(9, message), Ok(new));
        if new {
            count(&mut model, message);
        }
    }
    prop_assert_eq!(late.states(), &model[..]);

    let greatest = came.last().copied().unwrap_or(0);
    let missing: Vec<u32> = late.missing(9).flatten().collect();
    prop_assert_eq!(&missing, &(1..=greatest).filter(|seq| !came.contains(seq)).collect::<Vec<_>>());
    for &seq in &missing {
        if give_up && seq % 2 == 0 {
            late.skip(9, seq);
        }
    }
    let given_up: BTreeSet<u32> =
        missing.iter().copied().filter(|&seq| !late.missing(9).any(|gap| gap.contains(&seq))).collect();
    for message in &messages {
        let new = !came.contains(&message.seq) && !given_up.contains(&message.seq);
        prop_assert_eq!(late.apply_from(9, message), Ok(new));
        if new {
            count(&mut model, message);
        }
    }
    prop_assert_eq!(late.states(), &model[..]);
    prop_assert_eq!(late.missing(9).count(), 0);
    prop_assert_eq!(late.next_from(9), here.next_seq());
    if given_up.is_empty() {
        prop_assert_eq!(late.states(), here.states());
    }
    Ok(())
}

proptest! {
    #[test]
    fn xor_streams_converge(fates in fates(), joined: usize, give_up: bool) {
        converges::<Xor>(&fates, joined, give_up)?;
    }

    #[test]
    fn add_streams_converge(fates in fates(), joined: usize, give_up: bool) {
        converges::<Add>(&fates, joined, give_up)?;
    }
}

#[test]
fn each_error_names_what_was_wrong() {
    use alloc::string::ToString;
    let messages = [
        (StreamError::Address { addr: 2, len: 2 }, "address 2 is not in a table of 2"),
        (StreamError::SeqExhausted, "all 2^32 - 1 message numbers are used up: continue as a new sender"),
        (
            StreamError::PendingFull { len: 9 },
            "9 messages are pending: take them with `pending`, or create the stream by `without_pending`",
        ),
        (
            StreamError::TooManyGaps { sender: 3, missing: 4 },
            "too many gaps in the messages of sender 3, the first at number 4",
        ),
    ];
    for (error, text) in messages {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn states_are_in_the_order_of_their_addresses() {
    let mut stream = DeltaStream::<Add>::new(3);
    stream.load(1, 40).unwrap();
    stream.accum(1, 2).unwrap();
    stream.accum(2, 7).unwrap();
    assert_eq!(stream.states(), [0, 42, 7]);
}
