//! A client of the protocol of Redis that waits for each reply.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection to a node.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Text(String),
    Number(i64),
    Array(Vec<Reply>),
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Array(replies) => replies.iter().try_for_each(|reply| write!(f, "{reply} ")),
        }
    }
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.into())
}

impl Client {
    pub(crate) fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a request, whose words are separated by spaces, and returns the reply. An error that the node answers is
    /// an error here.
    pub(crate) fn call(&mut self, request: &str) -> io::Result<Reply> {
        self.send(&[request])?;
        self.reply()
    }

    /// Sends requests in one go.
    pub(crate) fn send(&mut self, requests: &[&str]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for request in requests {
            let words: Vec<&str> = request.split(' ').collect();
            write!(bytes, "*{}\r\n", words.len())?;
            for word in words {
                write!(bytes, "${}\r\n{word}\r\n", word.len())?;
            }
        }
        self.stream.get_mut().write_all(&bytes)
    }

    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let Some((kind, rest)) = line.split_at_checked(1) else { return Err(invalid("an empty reply")) };
        let number = || rest.parse::<i64>().map_err(|_| invalid(line));
        match kind {
            "+" => Ok(Reply::Text(rest.to_owned())),
            "-" => Err(io::Error::other(rest.to_owned())),
            ":" => Ok(Reply::Number(number()?)),
            "$" => {
                let len = usize::try_from(number()?).map_err(|_| invalid(line))?;
                let mut bytes = vec![0; len + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(len);
                String::from_utf8(bytes).map(Reply::Text).map_err(|_| invalid("a reply that is no text"))
            }
            "*" => (0..number()?).map(|_| self.reply()).collect::<io::Result<_>>().map(Reply::Array),
            _ => Err(invalid(line)),
        }
    }
}
