//! One client whose address is proven.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use dimpl::{Config, Dtls, DtlsCertificate, Error, Output};
use madang_wire::stun::granted_lifetime;

use super::{
    DtlsLimits,
    cookie::vouched,
    hello::{ClientHello, renumber},
    outbox::Outbox,
};

#[derive(Debug)]
pub(super) struct Session {
    dtls: Dtls,
    random: [u8; 32],
    /// Added to the record numbers that dimpl gives before it encrypts.
    renumber: u64,
    state: State,
    /// When it began.
    pub(super) since: Instant,
    /// It is counted among those whose handshake isn't done.
    pub(super) half_open: bool,
    /// The time that it stands under in the listener's deadlines.
    pub(super) armed: Instant,
}

#[derive(Clone, Copy, Debug)]
enum State {
    HalfOpen { repeat: Instant },
    Open { heard: Instant, idle: Duration, confirmed: bool },
    Closed,
}

/// What a call to a session has brought about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) opened: bool,
    pub(super) closed: bool,
}

impl Session {
    /// Begins with a ClientHello whose cookie has been checked.
    ///
    /// dimpl counts from the first ClientHello, which nobody has kept: it gets it anew, made from
    /// this one, and its request for a cookie goes nowhere because the client has had ours. What
    /// both sides sign begins with this ClientHello (RFC 6347 §4.2.6), so they agree.
    pub(super) fn accept(
        config: &Arc<Config>,
        certificate: &DtlsCertificate,
        now: Instant,
        hello: &ClientHello<'_>,
        scratch: &mut [u8],
    ) -> Result<Self, Error> {
        let mut dtls = Dtls::new_12(config.clone(), certificate.clone(), now);
        dtls.handle_timeout(now)?;
        for sequence in 0..hello.message_sequence {
            dtls.handle_packet(&hello.without_cookie(sequence))?;
            while !matches!(dtls.poll_output(scratch), Output::Timeout(_)) {}
        }
        vouched(hello.cookie(), || dtls.handle_packet(hello.record()))?;
        let mut random = [0; 32];
        random.copy_from_slice(hello.random());
        // RFC 6347 §4.2.1: ServerHello has the record number of the ClientHello.
        let renumber = hello.record_sequence.wrapping_sub(u64::from(hello.message_sequence));
        let state = State::HalfOpen { repeat: now };
        Ok(Self { dtls, random, renumber, state, since: now, half_open: true, armed: now })
    }

    /// Whether it began with this attempt of its client.
    pub(super) fn began_with(&self, hello: &ClientHello<'_>) -> bool {
        self.random == hello.random()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// When something is to be done about it unless more comes.
    pub(super) fn due(&self, limits: &DtlsLimits) -> Instant {
        match self.state {
            State::HalfOpen { repeat } => repeat.min(self.since + limits.handshake),
            State::Open { heard, idle, .. } => heard + idle,
            State::Closed => self.armed,
        }
    }

    /// Takes a datagram of the client.
    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) {
        // Until the client is known to have the last flight, its repetition has a clock.
        if !matches!(self.state, State::Open { confirmed: true, .. }) && self.dtls.handle_timeout(now).is_err() {
            self.state = State::Closed;
            return;
        }
        // An error may come from bytes that somebody else has sent in the client's name, so it
        // ends nothing by itself. What can't go on any more runs into its deadline.
        let _ = self.dtls.handle_packet(datagram);
    }

    /// Encrypts a packet for the client.
    pub(super) fn send(&mut self, packet: &[u8], limits: &DtlsLimits) -> bool {
        let State::Open { idle, .. } = &mut self.state else { return false };
        if let Some(seconds) = granted_lifetime(packet) {
            *idle = if seconds > 0 { limits.idle_allocated } else { limits.idle };
        }
        self.dtls.send_application_data(packet).is_ok()
    }

    /// Says good-bye.
    pub(super) fn close(&mut self) {
        // What can't be said any more needn't be.
        let _ = self.dtls.close();
    }

    /// Lets time pass.
    pub(super) fn timeout(&mut self, now: Instant, limits: &DtlsLimits) {
        let over = match self.state {
            State::HalfOpen { .. } => now >= self.since + limits.handshake || self.dtls.handle_timeout(now).is_err(),
            State::Open { heard, idle, .. } => now >= heard + idle,
            State::Closed => true,
        };
        if over {
            self.close();
            self.state = State::Closed;
        }
    }

    /// Puts what dimpl wants done into the outbox.
    pub(super) fn flush(
        &mut self,
        now: Instant,
        client: SocketAddr,
        limits: &DtlsLimits,
        scratch: &mut [u8],
        out: &mut Outbox,
    ) -> Progress {
        let mut progress = Progress::default();
        loop {
            match self.dtls.poll_output(scratch) {
                Output::Packet(datagram) => {
                    let length = datagram.len();
                    renumber(&mut scratch[..length], self.renumber);
                    out.datagram(client, &scratch[..length]);
                }
                Output::Connected => {
                    self.state = State::Open { heard: now, idle: limits.idle, confirmed: false };
                    progress.opened = true;
                }
                Output::ApplicationData(packet) => {
                    if let State::Open { heard, confirmed, .. } = &mut self.state {
                        (*heard, *confirmed) = (now, true);
                    }
                    if !packet.is_empty() {
                        out.packet(client, packet);
                    }
                }
                // No record of TLS is that long, RFC 5246 §6.2.1.
                Output::CloseNotify | Output::BufferTooSmall { .. } => {
                    self.state = State::Closed;
                    progress.closed = true;
                    return progress;
                }
                Output::Timeout(next) => {
                    if let State::HalfOpen { repeat } = &mut self.state {
                        *repeat = next;
                    }
                    progress.closed = self.dtls.is_closed() || matches!(self.state, State::Closed);
                    return progress;
                }
                _ => {}
            }
        }
    }
}
