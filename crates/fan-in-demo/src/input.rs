//! The input: a file that is read in blocks, or bytes in memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::path::Path;

use crate::generate;
use crate::progress::Step;

/// Large enough to make the cost of a system call negligible, and small enough for a core's own cache.
const BLOCK: usize = 256 * 1024;

/// The bytes of the events. The length is fixed when the input is opened: bytes that are appended to the file
/// later are not read, and a file that shrinks is an error.
#[derive(Debug)]
pub struct Input {
    name: String,
    source: Source,
    length: u64,
    block: usize,
}

#[derive(Debug)]
enum Source {
    /// Read with `pread`. With a memory mapping, truncating the file would kill the process.
    #[cfg(unix)]
    File(File),
    Memory(Vec<u8>),
}

impl Input {
    /// Opens a file. A file without a known length (a pipe, a terminal, most of `/proc`) is read to its end.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Quoted, since a name may contain line ends.
        let name = format!("{path:?}");
        Self::open_as(path, name.clone()).map_err(|error| naming(&name, &error))
    }

    fn open_as(path: &Path, name: String) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::new(ErrorKind::IsADirectory, "is a directory"));
        }
        #[cfg(unix)]
        if metadata.is_file() && metadata.len() > 0 {
            return Ok(Self { name, source: Source::File(file), length: metadata.len(), block: BLOCK });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self::memory(name, bytes))
    }

    /// Generates `lines` lines in memory.
    pub(crate) fn generated(lines: u64, progress: &Step<'_>) -> Self {
        let bytes = generate::log_lines(lines, |so_far| progress.show(so_far));
        Self::memory("Generated lines".to_owned(), bytes)
    }

    fn memory(name: String, bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self { name, source: Source::Memory(bytes), length, block: BLOCK }
    }

    #[cfg(test)]
    pub(crate) fn with_block(bytes: &[u8], block: usize) -> Self {
        Self { block, ..Self::memory("test".to_owned(), bytes.to_vec()) }
    }

    /// The name of the file, quoted.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The length in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// A prefix of the bytes in `range`, empty only if the range is empty. `buffer` is scratch space, whose
    /// contents don't matter.
    pub(crate) fn block<'a>(&'a self, range: Range<u64>, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        let want = (range.end - range.start).min(self.block as u64) as usize;
        match &self.source {
            Source::Memory(bytes) => Ok(&bytes[range.start as usize..][..want]),
            #[cfg(unix)]
            Source::File(file) => {
                buffer.resize(want.max(buffer.len()), 0);
                self.pread(file, range.start, &mut buffer[..want])
            }
        }
    }

    #[cfg(unix)]
    fn pread<'a>(&self, file: &File, at: u64, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        use std::os::unix::fs::FileExt;
        loop {
            match file.read_at(buffer, at) {
                Ok(0) if !buffer.is_empty() => {
                    let length = self.length;
                    let what = format!(
                        "the file shrank: nothing at byte {at} of the {length} that it had when opened"
                    );
                    return Err(naming(&self.name, &io::Error::new(ErrorKind::UnexpectedEof, what)));
                }
                Ok(read) => return Ok(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(naming(&self.name, &error)),
            }
        }
    }

    /// Cuts the input into `parts` ranges of about the same size that start and end at line starts. Some ranges
    /// are empty if lines are long or few.
    pub fn cut(&self, parts: usize) -> io::Result<Vec<Range<u64>>> {
        let mut ranges = Vec::with_capacity(parts);
        let mut start = 0;
        for part in 1..=parts {
            // The product may not fit in 64 bits.
            let even = (u128::from(self.length) * part as u128 / parts as u128) as u64;
            // A line that reaches this far was already searched for an earlier part.
            let end = if even > start { self.line_start(even)? } else { start };
            ranges.push(start..end);
            start = end;
        }
        Ok(ranges)
    }

    /// The first line start at or after `at`, or the end of the input if there is none.
    pub fn line_start(&self, at: u64) -> io::Result<u64> {
        // A line starts at `at` if the byte before ends a line.
        let Some(mut from) = at.checked_sub(1) else { return Ok(0) };
        let mut buffer = Vec::new();
        while from < self.length {
            let block = self.block(from..self.length, &mut buffer)?;
            match memchr::memchr(b'\n', block) {
                Some(end) => return Ok(from + end as u64 + 1),
                None => from += block.len() as u64,
            }
        }
        Ok(self.length)
    }
}

fn naming(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_contiguous_and_start_at_line_starts(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'x'), any::<u8>()], 0..200),
            parts in 1usize..20,
            block in 1usize..20,
        ) {
            let input = Input::with_block(&bytes, block);
            let mut at = 0;
            for range in input.cut(parts).unwrap() {
                prop_assert_eq!(range.start, at);
                prop_assert!(range.end == input.len() || range.end == 0 || bytes[range.end as usize - 1] == b'\n');
                at = range.end;
            }
            prop_assert_eq!(at, input.len());
        }
    }

    #[test]
    fn line_start_finds_the_next_start_or_the_end() {
        let input = Input::with_block(b"one\ntwo\n\nx", 3);
        let starts = [0, 1, 3, 4, 5, 8, 9, 10].map(|at| input.line_start(at).unwrap());
        assert_eq!(starts, [0, 4, 4, 4, 8, 8, 9, 10]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_shrinks_is_a_named_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one\ntwo\n").unwrap();
        let input = Input::open(file.path()).unwrap();
        file.as_file().set_len(4).unwrap();
        let mut buffer = Vec::new();
        assert_eq!(input.block(0..8, &mut buffer).unwrap(), b"one\n");
        let error = input.block(4..8, &mut buffer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains(input.name()), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_grows_is_read_to_its_original_length() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one\ntw").unwrap();
        let input = Input::open(file.path()).unwrap();
        std::fs::write(file.path(), "one\ntwo\nthree\n").unwrap();
        assert_eq!(input.len(), 6);
        assert_eq!(input.cut(3).unwrap().last().unwrap().end, 6);
    }
}
