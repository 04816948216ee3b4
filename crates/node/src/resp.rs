//! The protocol of Redis: requests from bytes, and replies as bytes.
//!
//! A request is an array of bulk strings, or a line of words. Nothing is allocated for what a client announces: a
//! request is a list of places in the bytes that have arrived.

use std::fmt;
use std::ops::Range;

/// How many words a request may have.
pub(crate) const MAX_WORDS: usize = 1 << 16;
/// How long a word or a line may be, in bytes.
pub(crate) const MAX_WORD: usize = 1 << 16;

/// A request in the bytes of a buffer.
#[derive(Debug, Default)]
pub(crate) struct Request {
    words: Vec<Range<usize>>,
}

impl Request {
    /// The words, of which the first is the name of a command. There is none in an empty line.
    pub(crate) fn words<'a>(&'a self, bytes: &'a [u8]) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        self.words.iter().map(move |word| &bytes[word.clone()])
    }

    /// Reads the request that some bytes begin with. Returns how many of them it takes, or `None` if it is not
    /// complete.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`] if these bytes begin no request. Where the next one begins is not known then.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        self.words.clear();
        match bytes.first() {
            None => Ok(None),
            Some(b'*') => self.read_array(bytes),
            Some(_) => self.read_line(bytes),
        }
    }

    fn read_array(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Some((count, mut at)) = number(bytes, 1, MAX_WORDS, ProtocolError::ArrayLength)? else {
            return Ok(None);
        };
        for _ in 0..count {
            match bytes.get(at) {
                None => return Ok(None),
                Some(b'$') => {}
                Some(&found) => return Err(ProtocolError::ExpectedBulk { found }),
            }
            let Some((len, start)) = number(bytes, at + 1, MAX_WORD, ProtocolError::BulkLength)? else {
                return Ok(None);
            };
            let end = start + len;
            match bytes.get(end..end + 2) {
                None => return Ok(None),
                Some(b"\r\n") => {}
                Some(_) => return Err(ProtocolError::BulkEnd),
            }
            self.words.push(start..end);
            at = end + 2;
        }
        Ok(Some(at))
    }

    /// Reads a line of words, with spaces between them, as people type it.
    fn read_line(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let searched = &bytes[..bytes.len().min(MAX_WORD)];
        let Some(end) = searched.iter().position(|&byte| byte == b'\n') else {
            return if bytes.len() >= MAX_WORD { Err(ProtocolError::LineLength) } else { Ok(None) };
        };
        let mut start = 0;
        for (at, byte) in bytes[..=end].iter().enumerate() {
            if byte.is_ascii_whitespace() {
                if start < at {
                    self.words.push(start..at);
                }
                start = at + 1;
            }
        }
        Ok(Some(end + 1))
    }
}

/// Reads a number from 0 to `most` and the end of its line. Returns it and what follows, or `None` if it is not
/// complete.
fn number(
    bytes: &[u8],
    start: usize,
    most: usize,
    error: fn(String) -> ProtocolError,
) -> Result<Option<(usize, usize)>, ProtocolError> {
    // A number has at most 20 digits.
    let line = &bytes[start..bytes.len().min(start + 24)];
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        let text = || String::from_utf8_lossy(line).into_owned();
        return if line.len() >= 24 { Err(error(text())) } else { Ok(None) };
    };
    let digits = std::str::from_utf8(&line[..end]).ok().filter(|text| !text.starts_with('+'));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(number) if number <= most => Ok(Some((number, start + end + 2))),
        _ => Err(error(String::from_utf8_lossy(&line[..end]).into_owned())),
    }
}

/// Bytes that begin no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProtocolError {
    /// The length of an array is no number, or too large.
    ArrayLength(String),
    /// The length of a bulk string is no number, or too large.
    BulkLength(String),
    /// An array has something else than bulk strings.
    ExpectedBulk {
        /// The byte in the place of a `$`.
        found: u8,
    },
    /// A bulk string does not end where its length says.
    BulkEnd,
    /// A line is too long.
    LineLength,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArrayLength(found) => write!(f, "Protocol error: invalid multibulk length {found:?}"),
            Self::BulkLength(found) => write!(f, "Protocol error: invalid bulk length {found:?}"),
            Self::ExpectedBulk { found } => {
                write!(f, "Protocol error: expected '$', got '{}'", found.escape_ascii())
            }
            Self::BulkEnd => f.write_str("Protocol error: a bulk string does not end where its length says"),
            Self::LineLength => f.write_str("Protocol error: too big inline request"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// Replies, as they are written one after the other.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    bytes: Vec<u8>,
}

impl Replies {
    /// The bytes of all replies.
    #[must_use]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Removes all replies.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(1 << 16);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.bytes.push(kind);
        // A reply of one line has no other line breaks.
        self.bytes.extend(text.iter().map(|&byte| if byte == b'\r' || byte == b'\n' { b' ' } else { byte }));
        self.bytes.extend(b"\r\n");
    }

    /// A short text, such as `OK`.
    pub(crate) fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// An error. The text begins with a word in capitals.
    pub(crate) fn error(&mut self, text: &str) {
        self.line(b'-', text.as_bytes());
    }

    /// A signed integer.
    pub(crate) fn integer(&mut self, number: i64) {
        self.line(b':', itoa::Buffer::new().format(number).as_bytes());
    }

    /// Any bytes.
    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.line(b'$', itoa::Buffer::new().format(bytes.len()).as_bytes());
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend(b"\r\n");
    }

    /// The head of a map of version 3, whose keys and values follow.
    pub(crate) fn map(&mut self, len: usize) {
        self.line(b'%', itoa::Buffer::new().format(len).as_bytes());
    }

    /// The head of an array, whose elements follow.
    pub(crate) fn array(&mut self, len: usize) {
        self.line(b'*', itoa::Buffer::new().format(len).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (Vec<Vec<u8>>, usize);

    fn read(bytes: &[u8]) -> Result<Option<Read>, ProtocolError> {
        let mut request = Request::default();
        let len = request.read(bytes)?;
        Ok(len.map(|len| (request.words(bytes).map(<[u8]>::to_vec).collect(), len)))
    }

    #[test]
    fn a_request_is_read_at_its_last_byte_and_not_before() {
        let bytes = b"*3\r\n$3\r\nSET\r\n$1\r\n7\r\n$4\r\na\r\nb\r\nPING\r\n";
        let len = bytes.len() - 6;
        for end in 0..len {
            assert_eq!(read(&bytes[..end]), Ok(None), "{end}");
        }
        let words = [&b"SET"[..], b"7", b"a\r\nb"].map(<[u8]>::to_vec).to_vec();
        assert_eq!(read(bytes), Ok(Some((words, len))));
        assert_eq!(read(&bytes[len..]), Ok(Some((vec![b"PING".to_vec()], 6))));
        assert_eq!(read(&bytes[len..len + 5]), Ok(None));
        assert_eq!(read(b"  get   7 \n"), Ok(Some((vec![b"get".to_vec(), b"7".to_vec()], 11))));
        assert_eq!(read(b"\r\n"), Ok(Some((vec![], 2))));
        assert_eq!(read(b"*0\r\n"), Ok(Some((vec![], 4))));
    }

    #[test]
    fn what_is_no_request_is_refused_by_name_before_it_is_waited_for() {
        let text = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert_eq!(text(b"*-1\r\n"), "Protocol error: invalid multibulk length \"-1\"");
        assert_eq!(text(b"*65537\r\n"), "Protocol error: invalid multibulk length \"65537\"");
        assert_eq!(text(b"*1\r\n$1073741824\r\n"), "Protocol error: invalid bulk length \"1073741824\"");
        assert_eq!(text(b"*1\r\n$+1\r\na\r\n"), "Protocol error: invalid bulk length \"+1\"");
        assert_eq!(text(b"*1\r\n*1\r\n*1\r\n"), "Protocol error: expected '$', got '*'");
        assert!(text(b"*1\r\n$1\r\nabc").contains("does not end"));
        assert!(
            text(&[b'1'; 24].iter().fold(b"*".to_vec(), |mut all, &byte| {
                all.push(byte);
                all
            }))
            .contains("multibulk")
        );
        assert_eq!(text(&[b'a'; MAX_WORD]), "Protocol error: too big inline request");
    }

    #[test]
    fn replies_have_the_forms_of_the_protocol() {
        let mut replies = Replies::default();
        replies.simple("OK");
        replies.error("ERR a\r\nb");
        replies.integer(-5);
        replies.array(2);
        replies.bulk(b"a\r\nb");
        replies.bulk(b"");
        assert_eq!(replies.bytes(), b"+OK\r\n-ERR a  b\r\n:-5\r\n*2\r\n$4\r\na\r\nb\r\n$0\r\n\r\n");
    }
}
