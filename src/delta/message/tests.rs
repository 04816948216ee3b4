use super::*;
use alloc::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_decoded_message_equals_the_encoded_one(addr: u32, delta: u64, seq: u32) {
        let message = DeltaMessage { addr, delta, seq };
        prop_assert_eq!(DeltaMessage::from_bytes(&message.to_bytes()), Ok(message));
    }
}

#[test]
fn every_other_length_is_a_named_error() {
    for len in (0..40).filter(|&len| len != DeltaMessage::WIRE_LEN) {
        assert_eq!(DeltaMessage::from_bytes(&vec![0; len]), Err(WireError::Length { len }));
    }
}

#[test]
fn debug_shows_the_delta_in_hexadecimal() {
    let message = DeltaMessage { addr: 7, delta: 0xCAFE, seq: 1 };
    assert_eq!(std::format!("{message:?}"), "DeltaMessage { addr: 7, delta: 0x000000000000cafe, seq: 1 }");
}

#[test]
fn each_error_names_the_length() {
    use alloc::string::ToString;
    assert_eq!(WireError::Length { len: 15 }.to_string(), "a delta message has 16 bytes, not 15");
    assert_eq!(
        WireError::BatchLength { len: 31 }.to_string(),
        "31 bytes are no whole number of 16-byte delta messages"
    );
}
