//! The load generator: HTTP/1.1 over connections that stay open.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::account::Account;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: String,
}

/// Sends requests over so many connections until it is stopped. Returns what was answered.
pub(crate) async fn run(
    address: SocketAddr,
    connections: usize,
    stopped: watch::Receiver<bool>,
) -> io::Result<Account> {
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        tasks.spawn(connection(address, number as u32, stopped.clone()));
    }
    let mut account = Account::default();
    for answered in tasks.join_all().await {
        account.add(answered?);
    }
    Ok(account)
}

async fn connection(address: SocketAddr, number: u32, stopped: watch::Receiver<bool>) -> io::Result<Account> {
    let mut connection = Connection::open(address).await?;
    let mut account = Account::default();
    let mut turn = number;
    while !*stopped.borrow() {
        turn = turn.wrapping_add(1);
        let (path, route) = match turn % 50 {
            0 => ("/slow".to_owned(), "/slow"),
            1..20 => ("/".to_owned(), "/"),
            _ => (format!("/items/{turn}"), "/items/{id}"),
        };
        let answer = connection.get(&path).await?;
        account.count(route, answer.code);
    }
    Ok(account)
}

/// One request over a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    Connection::open(address).await?.get(path).await
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    async fn get(&mut self, path: &str) -> io::Result<Answer> {
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is malformed");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.write_all(request.as_bytes()).await?;
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let code = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(malformed)?;
        let mut len = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).await?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                len = value.trim().parse().map_err(|_| malformed())?;
            }
        }
        let mut body = vec![0; len];
        self.0.read_exact(&mut body).await?;
        Ok(Answer { code, body: String::from_utf8(body).map_err(|_| malformed())? })
    }
}
