//! The other ends of the transport.

/// A peer, by the number that the transport gives to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u64);

/// Where a packet is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recipient {
    /// To every peer.
    All,
    /// To one peer.
    Peer(Peer),
}
