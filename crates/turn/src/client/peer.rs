//! The peers that data goes to: each needs a permission (RFC 8656 §9), and gets a channel
//! (RFC 8656 §12), whose packets are shorter.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_wire::ChannelNumber;

/// A permission lasts 5 minutes (RFC 8656 §9.2), and a channel, which lasts 10, renews it (§12.1).
/// Asking again comes sooner, with room for lost requests.
const RENEWAL: Duration = Duration::from_secs(4 * 60);
/// Packets that wait for the permission.
const WAITING: usize = 8;

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) channel: ChannelNumber,
    state: State,
    /// Why to ask again, and when.
    renewal: Option<(Instant, Renewal)>,
}

#[derive(Debug)]
enum State {
    /// Permission was asked for; these packets wait for it.
    Asking(Vec<Vec<u8>>),
    /// By Send indications.
    Permitted,
    /// By ChannelData.
    Bound,
    /// The server's policy is against it.
    Refused,
}

/// What is to be asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    Permission,
    Channel,
}

/// How a packet goes to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Indication,
    Channel(ChannelNumber),
    /// Not now.
    None,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, channel: ChannelNumber) -> Self {
        Self { address, channel, state: State::Asking(Vec::new()), renewal: None }
    }

    pub(super) fn way(&mut self, data: &[u8]) -> Way {
        match &mut self.state {
            State::Permitted => Way::Indication,
            State::Bound => Way::Channel(self.channel),
            State::Refused => Way::None,
            State::Asking(waiting) => {
                if waiting.len() < WAITING {
                    waiting.push(data.to_vec());
                }
                Way::None
            }
        }
    }

    /// The permission was given; what waited for it. `None` when it was there before.
    pub(super) fn permitted(&mut self, now: Instant) -> Option<Vec<Vec<u8>>> {
        self.renewal = Some((now + RENEWAL, Renewal::Permission));
        match &mut self.state {
            State::Asking(waiting) => {
                let waiting = std::mem::take(waiting);
                self.state = State::Permitted;
                Some(waiting)
            }
            _ => None,
        }
    }

    /// The channel was bound, and with it the permission renewed (RFC 8656 §12.1).
    pub(super) fn bound(&mut self, now: Instant) {
        self.state = State::Bound;
        self.renewal = Some((now + RENEWAL, Renewal::Channel));
    }

    /// What has to be asked for again because its answer may have got lost with a former address.
    pub(super) fn unanswered(&self) -> Option<Renewal> {
        match self.state {
            State::Asking(_) => Some(Renewal::Permission),
            State::Permitted => Some(Renewal::Channel),
            State::Bound => self.renewal.is_none().then_some(Renewal::Channel),
            State::Refused => None,
        }
    }

    pub(super) fn refused(&mut self) {
        self.state = State::Refused;
        self.renewal = None;
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.renewal.map(|(at, _)| at)
    }

    /// What is to be renewed now.
    pub(super) fn renew(&mut self, now: Instant) -> Option<Renewal> {
        let (at, what) = self.renewal?;
        if at > now {
            return None;
        }
        self.renewal = None;
        Some(what)
    }
}
