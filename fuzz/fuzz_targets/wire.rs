//! Arbitrary bytes as messages: an error that tells what is wrong and changes nothing, or what the messages
//! one by one do.
#![no_main]

use atomik_core::kernel::{self, ApplyWireError};
use atomik_core::{Add, Algebra, DeltaBatch, DeltaMessage, WireError, Xor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, Vec<u8>, bool)| {
    let (table_len, mut bytes, near) = input;
    let table_len = usize::from(table_len % 512);
    if near {
        // Addresses that mostly are in the table, which arbitrary ones hardly ever are.
        for message in bytes.chunks_exact_mut(16) {
            message[..2].fill(0);
            message[2] &= 1;
        }
    }
    applies::<Xor>(table_len, &bytes);
    applies::<Add>(table_len, &bytes);
});

fn applies<A: Algebra>(table_len: usize, bytes: &[u8]) {
    let before: Vec<u64> = (0..table_len as u64).collect();
    let mut words = before.clone();
    let result = kernel::apply_wire::<A>(&mut words, bytes);
    let batch = DeltaBatch::<A>::from_wire(bytes);

    if bytes.len() % 16 != 0 {
        assert_eq!(result, Err(ApplyWireError::Length { len: bytes.len() }));
        assert_eq!(batch, Err(WireError::BatchLength { len: bytes.len() }));
        assert_eq!(words, before);
        return;
    }
    let messages: Vec<DeltaMessage> =
        bytes.chunks_exact(16).map(|bytes| DeltaMessage::from_bytes(bytes).expect("16 bytes")).collect();
    let batch = batch.expect("whole messages");
    assert_eq!(batch, messages.iter().map(|message| (message.addr, message.delta)).collect());
    assert_eq!(DeltaBatch::from_wire(&batch.to_wire(3)), Ok(batch.clone()));

    match messages.iter().position(|message| message.addr as usize >= table_len) {
        Some(bad) => {
            let addr = messages[bad].addr;
            assert_eq!(result, Err(ApplyWireError::Address { offset: 16 * bad, addr, len: table_len }));
            assert_eq!(words, before);
        }
        None => {
            assert_eq!(result, Ok(()));
            let mut expected = before;
            kernel::apply(&mut expected, &batch).expect("all addresses are in the table");
            assert_eq!(words, expected);
        }
    }
}
