//! TCP, and TLS on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::backoff::Backoff;
use crate::link::{End, LinkContext, run};
#[cfg(feature = "tls")]
use crate::tls::Tls;

/// The waits between attempts to connect.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LAST_WAIT: Duration = Duration::from_secs(10);

/// What carries the bytes of connections.
#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) context: LinkContext,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
}

impl Transport {
    /// Runs a connection that a peer made.
    async fn take(&self, stream: TcpStream, from: SocketAddr) -> End {
        // Packets are whole messages, so they need not wait for more.
        let _ = stream.set_nodelay(true);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return match timeout(self.context.limits.silence, tls.accept(stream)).await {
                Ok(Ok(stream)) => run(&self.context, stream, &from.to_string()).await,
                error => self.refuse_tls(&from.to_string(), &format!("{:?}", error.map(|done| done.err()))),
            };
        }
        run(&self.context, stream, &from.to_string()).await
    }

    /// Runs a connection to a peer.
    async fn make(&self, stream: TcpStream, address: &str) -> End {
        let _ = stream.set_nodelay(true);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return match timeout(self.context.limits.silence, tls.connect(stream)).await {
                Ok(Ok(stream)) => run(&self.context, stream, address).await,
                error => self.refuse_tls(address, &format!("{:?}", error.map(|done| done.err()))),
            };
        }
        run(&self.context, stream, address).await
    }

    #[cfg(feature = "tls")]
    fn refuse_tls(&self, address: &str, error: &str) -> End {
        self.context.counters.refused_tls.add(1);
        tracing::warn!(address, error, "a TLS handshake failed");
        End::Refused
    }

    /// Takes connections for ever.
    pub(crate) async fn listen(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(self.context.limits.connections));
        let mut links = JoinSet::new();
        loop {
            while links.try_join_next().is_some() {}
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Too many open files, mostly: it gets better when some are closed.
                    tracing::warn!(%error, "a connection could not be taken");
                    sleep(FIRST_WAIT).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                self.context.counters.refused_too_many.add(1);
                continue;
            };
            self.context.counters.connections_taken.add(1);
            let transport = self.clone();
            links.spawn(async move {
                transport.take(stream, from).await;
                drop(place);
            });
        }
    }

    /// Connects to a peer for ever, unless it is this node itself.
    pub(crate) async fn connect(self, address: String) {
        let mut backoff = Backoff::new(FIRST_WAIT, LAST_WAIT);
        loop {
            match timeout(self.context.limits.silence, open(&address)).await {
                Ok(Ok(stream)) => {
                    self.context.counters.connections_made.add(1);
                    match self.make(stream, &address).await {
                        End::Itself => return,
                        End::Ended => backoff.reset(),
                        End::Refused => {}
                    }
                }
                Ok(Err(error)) => {
                    self.context.counters.connections_failed.add(1);
                    tracing::debug!(address, %error, "no connection");
                }
                Err(_) => {
                    self.context.counters.connections_failed.add(1);
                    tracing::debug!(address, "no connection in time");
                }
            }
            sleep(backoff.wait()).await;
        }
    }
}

/// Connects to the first address of a name that answers.
async fn open(address: &str) -> std::io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = lookup_host(address).await?.collect();
    TcpStream::connect(&*addresses).await
}
