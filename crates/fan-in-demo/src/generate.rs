//! Generates log lines from a fixed seed: the input if no file is named.

use std::io::Write;

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c). With a generator of our own, the lines and their digest
/// are the same on every machine and in every version.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`. The bias of the remainder (below 2⁻³² for a 32-bit bound) doesn't matter here.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

const SEED: u64 = 0x0a70_311c;
const TYPICAL_LINE: usize = 84;
const SERVICES: [&str; 6] = ["api", "auth", "cart", "search", "billing", "images"];
const METHODS: [&str; 8] = ["GET", "GET", "GET", "GET", "GET", "POST", "PUT", "DELETE"];
const PATHS: [&str; 6] = ["/", "/v1/users/", "/v1/orders/", "/v1/search?q=", "/static/img/", "/health/"];
const FAULTS: [&str; 4] = [
    "upstream did not answer",
    "row version changed underneath, trying again",
    "token expired",
    "queue is full, 1 request was shed; the client was told to come back after 250 ms with the same request id",
];

/// Generates `lines` log lines, each with a line end. Calls `tick` now and then with the number of lines so far.
pub(crate) fn log_lines(lines: u64, mut tick: impl FnMut(u64)) -> Vec<u8> {
    let mut random = SplitMix64(SEED);
    let mut log = Vec::with_capacity(lines as usize * TYPICAL_LINE);
    let mut milliseconds = 0;
    for line in 0..lines {
        milliseconds += random.below(40);
        push_line(&mut log, milliseconds, &mut random);
        if line % 65_536 == 0 {
            tick(line);
        }
    }
    log
}

fn push_line(log: &mut Vec<u8>, milliseconds: u64, random: &mut SplitMix64) {
    let (seconds, thousandths) = (milliseconds / 1000, milliseconds % 1000);
    let (minutes, hours, days) = (seconds / 60 % 60, seconds / 3600 % 24, 1 + seconds / 86_400);
    let second = seconds % 60;
    let (service, node) = (random.pick(&SERVICES), random.below(12));
    let (method, path, id) = (random.pick(&METHODS), random.pick(&PATHS), random.next() >> random.below(64));
    let (bytes, micros) =
        (random.next() >> (44 + random.below(20)), random.next() >> (46 + random.below(14)));
    let fault = random.below(16) == 0;
    let (level, status) = if fault { ("WARN", 503) } else { ("INFO", 200) };
    write!(
        log,
        "2026-01-{days:02}T{hours:02}:{minutes:02}:{second:02}.{thousandths:03}Z {level} {service}-{node} \
         {method} {path}{id:x} {status} {bytes} {micros}us"
    )
    .expect("writing to a Vec<u8> does not fail");
    if fault {
        log.extend_from_slice(b" error=");
        log.extend_from_slice(random.pick(&FAULTS).as_bytes());
    }
    log.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_complete_and_reproducible() {
        let log = log_lines(1000, |_| ());
        assert_eq!(log.iter().filter(|&&byte| byte == b'\n').count(), 1000);
        assert_eq!(log.last(), Some(&b'\n'));
        assert_eq!(log, log_lines(1000, |_| ()));
    }
}
