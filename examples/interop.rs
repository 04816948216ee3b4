//! The Rust side of `ci/interop.sh`. Standard input carries 256 initial states and then 16-byte messages; standard
//! output carries an answer to each message, and the states at the end. All integers are big-endian.

use std::error::Error;
use std::io::{Read, Write, stdin, stdout};

use atomik_core::{DeltaMessage, DeltaStream, Xor};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut input, mut output) = (stdin().lock(), stdout().lock());
    let mut stream = DeltaStream::<Xor>::new(256);
    for addr in 0..256 {
        let mut state = [0; 8];
        input.read_exact(&mut state)?;
        stream.load(addr, u64::from_be_bytes(state))?;
    }
    let mut bytes = [0; DeltaMessage::WIRE_LEN];
    while input.read_exact(&mut bytes).is_ok() {
        let message = DeltaMessage::from_bytes(&bytes)?;
        stream.apply_from(1, &message)?;
        stream.accum(message.addr.wrapping_mul(7) % 256, message.delta.rotate_left(9))?;
        for answer in stream.pending() {
            output.write_all(&answer.to_bytes())?;
        }
        output.flush()?;
    }
    for state in stream.states() {
        output.write_all(&state.to_be_bytes())?;
    }
    output.flush()?;
    Ok(())
}
