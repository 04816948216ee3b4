//! Connections of clients.

use std::sync::Arc;
use std::time::Duration;

use atomik_core::Algebra;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::resp::{MAX_WORD, Replies, Request};
use crate::session::{Cache, Next, Session};

/// How many clients there may be.
const MAX_CLIENTS: usize = 10_000;
/// How long a request may be, in bytes.
const MAX_REQUEST: usize = 4 << 20;
/// How many bytes of replies are written at once.
const REPLIES: usize = 1 << 16;
/// How long a client may not take its replies.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves clients for ever.
pub(crate) async fn serve<A: Algebra>(listener: TcpListener, cache: Arc<Cache<A>>) {
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        let (mut stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, mostly: it gets better when some are closed.
                tracing::warn!(%error, "a client could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
            let _ = stream.shutdown().await;
            continue;
        };
        let cache = Arc::clone(&cache);
        clients.spawn(async move {
            if let Err(error) = client(stream, &cache).await {
                tracing::debug!(%from, %error, "a client is gone");
            }
            drop(place);
        });
    }
}

async fn client<A: Algebra>(mut stream: TcpStream, cache: &Cache<A>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut bytes, mut replies, mut request) = (BytesMut::new(), Replies::default(), Request::default());
    let mut session = Session::new(cache);
    loop {
        if bytes.capacity() - bytes.len() < 4_096 {
            bytes.reserve(1 << 14);
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let mut at = 0;
        let next = loop {
            match request.read(&bytes[at..]) {
                Ok(Some(len)) => {
                    let words = request.words(&bytes[at..at + len]);
                    let next = session.request(words, &mut replies).await;
                    at += len;
                    if next == Next::Close {
                        break next;
                    }
                    if replies.bytes().len() >= REPLIES {
                        send(&mut stream, &mut replies).await?;
                    }
                }
                Ok(None) => break Next::GoOn,
                Err(error) => {
                    session.flush(&mut replies).await;
                    replies.error(&format!("ERR {error}"));
                    break Next::Close;
                }
            }
        };
        bytes.advance(at);
        session.flush(&mut replies).await;
        if next == Next::GoOn && bytes.len() > MAX_REQUEST {
            replies.error(&format!("ERR Protocol error: a request is longer than {MAX_REQUEST} bytes"));
            send(&mut stream, &mut replies).await?;
            return Ok(());
        }
        send(&mut stream, &mut replies).await?;
        if next == Next::Close {
            return stream.shutdown().await;
        }
        if bytes.is_empty() && bytes.capacity() > 2 * MAX_WORD {
            bytes = BytesMut::new();
        }
    }
}

async fn send(stream: &mut TcpStream, replies: &mut Replies) -> std::io::Result<()> {
    if !replies.bytes().is_empty() {
        tokio::time::timeout(PATIENCE, stream.write_all(replies.bytes())).await??;
        replies.clear();
    }
    Ok(())
}
