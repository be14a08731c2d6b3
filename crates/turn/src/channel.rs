//! Channels: RFC 8656 §12. A number that stands for a peer's transport address, for ten minutes.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use madang_wire::ChannelNumber;

/// RFC 8656 §12: "Channel bindings last for 10 minutes unless refreshed".
pub(crate) const LIFETIME: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug)]
struct Channel {
    number: ChannelNumber,
    peer: SocketAddr,
    expires: Instant,
}

/// Why a channel can't be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindError {
    /// The number stands for another peer, or the peer has another number: 400.
    Conflict,
    /// The allocation has as many as it may have: 508.
    TooMany,
}

/// The channels of one allocation: an array by number that leads to a dense list.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    /// One more than the place in `bound`, by [`ChannelNumber::index`]; 0 when free. Grows to the
    /// highest number in use, 16 KiB at most.
    places: Vec<u8>,
    bound: Vec<Channel>,
}

impl Channels {
    /// Whether `number` may be bound to `peer`: RFC 8656 §12.2.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        number: ChannelNumber,
        peer: SocketAddr,
        limit: usize,
    ) -> Result<(), BindError> {
        self.remove_expired(now);
        let same = |channel: &Channel| channel.number == number && channel.peer == peer;
        let touching = |channel: &&Channel| channel.number == number || channel.peer == peer;
        match self.bound.iter().find(touching) {
            Some(channel) if same(channel) => Ok(()),
            Some(_) => Err(BindError::Conflict),
            None if self.bound.len() >= limit.min(usize::from(u8::MAX)) => Err(BindError::TooMany),
            None => Ok(()),
        }
    }

    /// Binds a channel that [`Channels::check`] has allowed, or begins its lifetime anew.
    pub(crate) fn bind(&mut self, now: Instant, number: ChannelNumber, peer: SocketAddr) {
        let expires = now + LIFETIME;
        if let Some(channel) = self.bound.iter_mut().find(|channel| channel.number == number) {
            *channel = Channel { number, peer, expires };
            return;
        }
        self.bound.push(Channel { number, peer, expires });
        self.index();
    }

    /// The peer that `number` stands for.
    #[inline]
    pub(crate) fn peer(&self, now: Instant, number: ChannelNumber) -> Option<SocketAddr> {
        let place = *self.places.get(number.index())?;
        let channel = self.bound.get(usize::from(place).checked_sub(1)?)?;
        (channel.expires > now).then_some(channel.peer)
    }

    /// The number that stands for `peer`.
    #[inline]
    pub(crate) fn number(&self, now: Instant, peer: SocketAddr) -> Option<ChannelNumber> {
        let channel = self.bound.iter().find(|channel| channel.peer == peer)?;
        (channel.expires > now).then_some(channel.number)
    }

    /// The address behind a relay that peers see has gone: what was for its family goes too.
    pub(crate) fn remove_family(&mut self, ipv4: bool) {
        self.bound.retain(|channel| channel.peer.is_ipv4() != ipv4);
        self.index();
    }

    fn remove_expired(&mut self, now: Instant) {
        let before = self.bound.len();
        self.bound.retain(|channel| channel.expires > now);
        if self.bound.len() != before {
            self.index();
        }
    }

    fn index(&mut self) {
        self.places.clear();
        let highest = self.bound.iter().map(|channel| channel.number.index()).max();
        self.places.resize(highest.map_or(0, |highest| highest + 1), 0);
        for (place, channel) in (1..=u8::MAX).zip(&self.bound) {
            self.places[channel.number.index()] = place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u16) -> ChannelNumber {
        ChannelNumber::new(number).expect("in range")
    }

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 1], port))
    }

    fn bind(channels: &mut Channels, now: Instant, n: u16, port: u16) -> Result<(), BindError> {
        channels.check(now, number(n), peer(port), 2)?;
        channels.bind(now, number(n), peer(port));
        Ok(())
    }

    #[test]
    fn a_channel_and_its_peer_lead_to_each_other() {
        let (mut channels, now) = (Channels::default(), Instant::now());
        bind(&mut channels, now, 0x7FFF, 1).expect("free");
        bind(&mut channels, now, 0x4000, 2).expect("free");
        assert_eq!(channels.peer(now, number(0x7FFF)), Some(peer(1)));
        assert_eq!(channels.peer(now, number(0x4000)), Some(peer(2)));
        assert_eq!(channels.peer(now, number(0x4001)), None);
        assert_eq!(channels.number(now, peer(2)), Some(number(0x4000)));
        assert_eq!(channels.number(now, peer(3)), None);
    }

    #[test]
    fn neither_side_of_a_binding_can_change_while_it_lives() {
        let (mut channels, now) = (Channels::default(), Instant::now());
        bind(&mut channels, now, 0x4000, 1).expect("free");
        assert_eq!(bind(&mut channels, now, 0x4000, 2), Err(BindError::Conflict));
        assert_eq!(bind(&mut channels, now, 0x4001, 1), Err(BindError::Conflict));
        assert_eq!(bind(&mut channels, now, 0x4000, 1), Ok(()));
        assert_eq!(bind(&mut channels, now + LIFETIME, 0x4000, 2), Ok(()), "expired");
    }

    #[test]
    fn a_binding_lasts_ten_minutes_from_its_last_refresh() {
        let (mut channels, now) = (Channels::default(), Instant::now());
        bind(&mut channels, now, 0x4000, 1).expect("free");
        bind(&mut channels, now + Duration::from_secs(300), 0x4000, 1).expect("a refresh");
        assert!(channels.peer(now + Duration::from_secs(899), number(0x4000)).is_some());
        assert!(channels.peer(now + Duration::from_secs(900), number(0x4000)).is_none());
        assert!(channels.number(now + Duration::from_secs(900), peer(1)).is_none());
    }

    #[test]
    fn channels_are_limited() {
        let (mut channels, now) = (Channels::default(), Instant::now());
        bind(&mut channels, now, 0x4000, 1).expect("free");
        bind(&mut channels, now, 0x4001, 2).expect("free");
        assert_eq!(bind(&mut channels, now, 0x4002, 3), Err(BindError::TooMany));
    }
}
