//! Requests of Redis clients: arbitrary bytes, and requests that are written as clients do. There is no panic; a request is
//! the same however its bytes arrive; and what was written is read back.
#![no_main]

#[allow(dead_code)]
#[path = "../../crates/node/src/resp.rs"]
mod resp;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use resp::Request;

#[derive(Arbitrary, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// Words, as an array of bulk strings.
    Array(Vec<Vec<u8>>),
}

impl Piece {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Array(words) => {
                let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
                for word in words {
                    bytes.extend(format!("${}\r\n", word.len()).into_bytes());
                    bytes.extend(word);
                    bytes.extend(b"\r\n");
                }
                bytes
            }
        }
    }
}

fuzz_target!(|input: (Vec<Piece>, u8)| {
    let (pieces, step) = input;
    let bytes: Vec<u8> = pieces.iter().flat_map(Piece::bytes).collect();
    let mut request = Request::default();
    let mut at = 0;
    while let Ok(Some(len)) = request.read(&bytes[at..]) {
        assert!(0 < len && at + len <= bytes.len());
        let words: Vec<Vec<u8>> = request.words(&bytes[at..at + len]).map(<[u8]>::to_vec).collect();
        // With fewer bytes it is not complete, and not refused either.
        for end in (0..len).step_by(1 + usize::from(step)) {
            assert_eq!(request.read(&bytes[at..at + end]), Ok(None));
        }
        assert_eq!(request.read(&bytes[at..at + len]), Ok(Some(len)));
        assert!(request.words(&bytes[at..at + len]).eq(words.iter().map(Vec::as_slice)));
        at += len;
    }
    // An array that stands first is what was written.
    if let Some(Piece::Array(words)) = pieces.first()
        && words.iter().all(|word| word.len() <= resp::MAX_WORD)
    {
        let len = request.read(&bytes).expect("it is a request").expect("it is complete");
        assert!(request.words(&bytes[..len]).eq(words.iter().map(Vec::as_slice)));
    }
});
