//! DTLS on the UDP listeners: which clients speak it, and what they say.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    tls::Identity,
    turn::dtls::{DtlsCounters, DtlsLimits, DtlsListener, DtlsOutput},
};

/// What a client has said inside its session.
pub(super) enum News {
    Packet { listener: usize, from: SocketAddr, packet: Vec<u8> },
    Closed { listener: usize, client: SocketAddr },
}

/// See the module. One [`DtlsListener`] for each UDP listener, none without a certificate.
#[derive(Default)]
pub(super) struct Dtls {
    listeners: Vec<DtlsListener>,
    news: VecDeque<News>,
    due: Option<Instant>,
}

impl Dtls {
    /// Begins with a certificate for so many listeners, or goes on with a new one: sessions that
    /// are open keep theirs.
    pub(super) fn take_over(&mut self, now: Instant, listeners: usize, identity: &Identity) {
        let made = if self.listeners.is_empty() {
            let secret = || rand::random::<[u8; 32]>();
            let new = |_| DtlsListener::new(&identity.chain, identity.key(), DtlsLimits::default(), &secret(), now);
            (0..listeners).map(new).collect::<Result<Vec<_>, _>>().map(|made| self.listeners = made)
        } else {
            self.listeners.iter_mut().try_for_each(|listener| listener.reload(&identity.chain, identity.key()))
        };
        if let Err(why) = made {
            tracing::warn!(%why, "TURN over DTLS can't use the certificate; TLS and all else go on");
        }
    }

    /// Whether this datagram is for us.
    pub(super) fn takes(&self, listener: usize, datagram: &[u8]) -> bool {
        listener < self.listeners.len() && DtlsListener::is_dtls(datagram)
    }

    /// Takes a datagram; `send` gets what goes back to clients.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        listener: usize,
        from: SocketAddr,
        datagram: &[u8],
        send: impl FnMut(SocketAddr, &[u8]),
    ) {
        if let Some(dtls) = self.listeners.get_mut(listener) {
            dtls.receive(now, from, datagram);
            self.pump(listener, send);
        }
    }

    /// Sends a packet inside a client's session; `false` when there is none.
    pub(super) fn send(
        &mut self,
        now: Instant,
        listener: usize,
        client: SocketAddr,
        packet: &[u8],
        send: impl FnMut(SocketAddr, &[u8]),
    ) -> bool {
        let Some(dtls) = self.listeners.get_mut(listener) else { return false };
        let sent = dtls.send(now, client, packet);
        self.pump(listener, send);
        sent
    }

    /// Lets time pass; `send` gets the listener too.
    pub(super) fn timeout(&mut self, now: Instant, mut send: impl FnMut(usize, SocketAddr, &[u8])) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = None;
        for listener in 0..self.listeners.len() {
            self.listeners[listener].timeout(now);
            self.pump(listener, |to, datagram| send(listener, to, datagram));
        }
        // Never at once again, whatever a listener says.
        self.due = self.due.map(|due| due.max(now + Duration::from_millis(1)));
    }

    /// What has happened on all listeners so far.
    pub(super) fn counters(&self) -> DtlsCounters {
        self.listeners.iter().map(DtlsListener::counters).fold(DtlsCounters::default(), |sum, one| sum + one)
    }

    /// When time has to pass.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn next(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    fn pump(&mut self, listener: usize, mut send: impl FnMut(SocketAddr, &[u8])) {
        let Self { listeners, news, due } = self;
        loop {
            match listeners[listener].poll() {
                DtlsOutput::Datagram { to, datagram } => send(to, datagram),
                DtlsOutput::Packet { from, packet } => {
                    news.push_back(News::Packet { listener, from, packet: packet.to_vec() });
                }
                DtlsOutput::Closed { client } => news.push_back(News::Closed { listener, client }),
                DtlsOutput::Timeout(next) => {
                    *due = [*due, next].into_iter().flatten().min();
                    return;
                }
            }
        }
    }
}
