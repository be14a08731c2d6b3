//! DTLS from clients to the TURN server (RFC 7350), sans-IO, over one UDP socket.
//!
//! [`DtlsListener::receive`] takes a client's datagram, [`DtlsListener::send`] a packet for a
//! client. After each call [`DtlsListener::poll`] is drained until it returns
//! [`DtlsOutput::Timeout`].
//!
//! | module | what it does |
//! | --- | --- |
//! | `hello` | reads a ClientHello, writes the HelloVerifyRequest |
//! | `cookie` | proves a client's address without keeping anything about it |
//! | `session` | one client, around a session of dimpl |
//! | `limits` | bounds, in all and by network |
//! | `outbox` | what is to be done, in order |
//!
//! Before a client has proven its address it gets one HelloVerifyRequest of 60 bytes for each
//! ClientHello of 67 or more, and nothing is kept. Sessions whose handshake isn't done are bounded
//! in number and time; what dimpl queues for each is bounded too.
//!
//! DTLS 1.2 alone: no TURN client in use asks for 1.3 without offering 1.2, and the
//! HelloRetryRequest of 1.3 needs the first ClientHello kept. The key has to be ECDSA on P-256 or
//! P-384, and the certificate goes to clients without its chain: dimpl knows no RSA and sends one
//! certificate. Clients are not asked for certificates.

mod cookie;
mod hello;
mod limits;
mod outbox;
mod session;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    ops::Add,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use dimpl::{Config, DtlsCertificate};

use self::{
    cookie::Cookies,
    hello::ClientHello,
    limits::{Networks, Pace},
    outbox::Outbox,
    session::Session,
};
pub use self::{limits::DtlsLimits, outbox::DtlsOutput};

/// The longest record (RFC 5246 §6.2.3) and its header. What is longer is no DTLS.
const LONGEST: usize = (1 << 14) + 2048 + 13;

/// The longest packet in one record, RFC 5246 §6.2.1.
const LONGEST_PACKET: usize = 1 << 14;

/// The longest datagram during a handshake: clients have no certificate to show.
const LONGEST_HANDSHAKE: usize = 2048;

/// A client that begins anew has to let its former attempt go on for this long.
const ANEW: Duration = Duration::from_secs(1);

/// Time between two looks at one session.
const TICK: Duration = Duration::from_millis(1);

/// Datagrams that dimpl may keep for one session: a handshake has no more in flight.
const QUEUE: usize = 10;

/// DTLS can't be served with this certificate. TURN over TLS may still be.
#[derive(Debug, thiserror::Error)]
pub enum DtlsError {
    /// There is no certificate.
    #[error("dtls: no certificate")]
    NoCertificate,
    /// The key is of a kind that dimpl doesn't know.
    #[error("dtls: the key has to be ECDSA on P-256 or P-384")]
    Key,
    /// dimpl refuses its configuration.
    #[error("dtls: {0}")]
    Setup(String),
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DtlsCounters {
    /// Clients asked to prove their address.
    pub asked: u64,
    /// Handshakes begun.
    pub begun: u64,
    /// Handshakes done.
    pub opened: u64,
    /// Handshakes that failed or took too long, or made room for others.
    pub failed: u64,
    /// Clients refused because of a limit.
    pub refused: u64,
    /// Sessions ended by a fault of the library.
    pub panicked: u64,
}

impl Add for DtlsCounters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            asked: self.asked + other.asked,
            begun: self.begun + other.begun,
            opened: self.opened + other.opened,
            failed: self.failed + other.failed,
            refused: self.refused + other.refused,
            panicked: self.panicked + other.panicked,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct DtlsListener {
    config: Arc<Config>,
    certificate: DtlsCertificate,
    limits: DtlsLimits,
    cookies: Cookies,
    sessions: HashMap<SocketAddr, Session>,
    networks: Networks,
    pace: Pace,
    half_open: BTreeSet<(Instant, SocketAddr)>,
    deadlines: BTreeSet<(Instant, SocketAddr)>,
    counters: DtlsCounters,
    scratch: Box<[u8]>,
    outbox: Outbox,
}

impl DtlsListener {
    /// `chain` and `key` are DER; the key as PKCS #8 or SEC 1. `secret` has to be random: cookies
    /// come from it.
    ///
    /// # Errors
    /// When dimpl can't use the certificate.
    pub fn new<C: AsRef<[u8]>>(
        chain: &[C],
        key: &[u8],
        limits: DtlsLimits,
        secret: &[u8; 32],
        now: Instant,
    ) -> Result<Self, DtlsError> {
        let config = Config::builder()
            .with_crypto_provider(cookie::provider())
            // RFC 8656 §1: clients of TURN authenticate by their user name and password.
            .require_client_certificate(false)
            .handshake_timeout(limits.handshake)
            .max_queue_rx(QUEUE)
            .max_queue_tx(QUEUE)
            .dtls13_cipher_suites(&[])
            .build()
            .map_err(|why| DtlsError::Setup(why.to_string()))?;
        let certificate = usable(&config, chain, key)?;
        Ok(Self {
            config: Arc::new(config),
            certificate,
            limits,
            cookies: Cookies::new(secret, now),
            sessions: HashMap::new(),
            networks: Networks::default(),
            pace: Pace::new(),
            half_open: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            counters: DtlsCounters::default(),
            scratch: vec![0; LONGEST].into_boxed_slice(),
            outbox: Outbox::default(),
        })
    }

    /// Whether a datagram of a client is DTLS and not STUN or ChannelData, RFC 7983 §7.
    #[must_use]
    pub fn is_dtls(datagram: &[u8]) -> bool {
        matches!(datagram.first(), Some(20..=63))
    }

    /// Handshakes that begin from now on use this certificate.
    ///
    /// # Errors
    /// When dimpl can't use it; the former stays.
    pub fn reload<C: AsRef<[u8]>>(&mut self, chain: &[C], key: &[u8]) -> Result<(), DtlsError> {
        self.certificate = usable(&self.config, chain, key)?;
        Ok(())
    }

    /// Other limits from now on. Sessions that live go on.
    pub fn set_limits(&mut self, limits: DtlsLimits) {
        self.limits = limits;
    }

    /// What has happened so far.
    #[must_use]
    pub fn counters(&self) -> DtlsCounters {
        self.counters
    }

    /// How many sessions there are, and how many of them are half-open.
    #[must_use]
    pub fn sessions(&self) -> (usize, usize) {
        (self.sessions.len(), self.half_open.len())
    }

    /// Takes a datagram of a client.
    pub fn receive(&mut self, now: Instant, client: SocketAddr, datagram: &[u8]) {
        self.apart(client, |listener| listener.take_datagram(now, client, datagram));
    }

    /// Should dimpl ever panic over what a client has sent, that client's session ends and no other.
    fn apart<R>(&mut self, client: SocketAddr, work: impl FnOnce(&mut Self) -> R) -> Option<R> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self))).ok();
        if done.is_none() {
            self.counters.panicked += 1;
            if self.counters.panicked.is_power_of_two() {
                let times = self.counters.panicked;
                tracing::error!(times, "dtls: a session has come to a state that it should not; it ends");
            }
            self.end(client);
        }
        done
    }

    fn take_datagram(&mut self, now: Instant, client: SocketAddr, datagram: &[u8]) {
        if datagram.len() > LONGEST || !Self::is_dtls(datagram) {
            return;
        }
        let hello = ClientHello::parse(datagram);
        match (self.sessions.get_mut(&client), hello) {
            // RFC 6347 §4.2.8: one who begins anew has to prove its address before that ends
            // the session that there is.
            (Some(session), Some(hello)) if !session.began_with(&hello) => self.meet(now, client, &hello),
            // A first attempt that comes late: it has been answered long ago.
            (Some(_), Some(hello)) if hello.cookie().is_empty() => {}
            (Some(session), _) if session.is_open() || datagram.len() <= LONGEST_HANDSHAKE => {
                session.receive(now, datagram);
                self.flush(now, client);
            }
            (Some(_), _) => {}
            (None, Some(hello)) => self.meet(now, client, &hello),
            (None, None) => {}
        }
    }

    /// Sends a packet to a client; `false` when that is impossible.
    pub fn send(&mut self, now: Instant, client: SocketAddr, packet: &[u8]) -> bool {
        let sent = self.apart(client, |listener| {
            let Some(session) = listener.sessions.get_mut(&client) else { return false };
            let sent = packet.len() <= LONGEST_PACKET && session.send(packet, &listener.limits);
            listener.flush(now, client);
            sent
        });
        sent.unwrap_or(false)
    }

    /// Ends a client's session, of which nothing is heard any more.
    pub fn close(&mut self, now: Instant, client: SocketAddr) {
        self.apart(client, |listener| {
            if let Some(mut session) = listener.take(client) {
                session.close();
                session.flush(now, client, &listener.limits, &mut listener.scratch, &mut listener.outbox);
            }
        });
    }

    /// Lets time pass.
    pub fn timeout(&mut self, now: Instant) {
        while let Some((_, client)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            if !self.sessions.contains_key(&client) {
                self.deadlines.pop_first();
                continue;
            }
            self.apart(client, |listener| listener.wake(now, client));
        }
    }

    /// Lets time pass for one session.
    fn wake(&mut self, now: Instant, client: SocketAddr) {
        if let Some(session) = self.sessions.get_mut(&client)
            && session.due(&self.limits) <= now
        {
            session.timeout(now, &self.limits);
        }
        self.flush(now, client);
    }

    /// What is to be done. Call it until it returns [`DtlsOutput::Timeout`].
    pub fn poll(&mut self) -> DtlsOutput<'_> {
        let next = self.deadlines.first().map(|(at, _)| *at);
        self.outbox.pop().unwrap_or(DtlsOutput::Timeout(next))
    }

    /// A client has sent a ClientHello that belongs to no session.
    fn meet(&mut self, now: Instant, client: SocketAddr, hello: &ClientHello<'_>) {
        if !self.cookies.prove(now, client, hello) {
            let cookie = self.cookies.bake(now, client, hello);
            self.outbox.datagram(client, &hello.verify_request(&cookie));
            self.counters.asked += 1;
            return;
        }
        if !self.admit(now, client) {
            self.counters.refused += 1;
            return;
        }
        match Session::accept(&self.config, &self.certificate, now, hello, &mut self.scratch) {
            Ok(session) => {
                self.counters.begun += 1;
                self.networks.begin(client.ip());
                self.half_open.insert((now, client));
                self.deadlines.insert((session.armed, client));
                self.sessions.insert(client, session);
                self.flush(now, client);
            }
            Err(_) => self.counters.failed += 1,
        }
    }

    /// Whether a client whose address is proven may begin; makes room for it.
    fn admit(&mut self, now: Instant, client: SocketAddr) -> bool {
        let young = |session: &Session| session.half_open && now.saturating_duration_since(session.since) < ANEW;
        if self.sessions.get(&client).is_some_and(young) {
            return false;
        }
        // It has begun anew, so what it had is over whatever becomes of this.
        self.end(client);
        let held = self.networks.held(client.ip());
        if self.sessions.len() >= self.limits.sessions
            || held.sessions >= self.limits.sessions_per_network
            || held.half_open >= self.limits.half_open_per_network
            || !self.pace.admit(now, client.ip(), self.limits.handshakes_per_second)
        {
            return false;
        }
        if self.half_open.len() >= self.limits.half_open {
            // The oldest has had the most time, and a newcomer needs a round trip.
            let Some((_, oldest)) = self.half_open.first().copied() else { return false };
            self.end(oldest);
        }
        true
    }

    /// Does what a session wants done, and keeps the books.
    fn flush(&mut self, now: Instant, client: SocketAddr) {
        let Some(session) = self.sessions.get_mut(&client) else { return };
        let progress = session.flush(now, client, &self.limits, &mut self.scratch, &mut self.outbox);
        if progress.opened && std::mem::take(&mut session.half_open) {
            self.counters.opened += 1;
            self.networks.open(client.ip());
            self.half_open.remove(&(session.since, client));
        }
        if progress.closed {
            self.end(client);
            return;
        }
        // A deadline that has moved away is looked at when it comes, not for each packet.
        let due = session.due(&self.limits).max(now + TICK);
        if due < session.armed || session.armed <= now {
            self.deadlines.remove(&(session.armed, client));
            self.deadlines.insert((due, client));
            session.armed = due;
        }
    }

    /// Forgets a session, and says so if it was open.
    fn end(&mut self, client: SocketAddr) {
        match self.take(client) {
            Some(session) if session.half_open => self.counters.failed += 1,
            Some(_) => self.outbox.closed(client),
            None => {}
        }
    }

    fn take(&mut self, client: SocketAddr) -> Option<Session> {
        let session = self.sessions.remove(&client)?;
        self.deadlines.remove(&(session.armed, client));
        self.half_open.remove(&(session.since, client));
        self.networks.end(client.ip(), session.half_open);
        Some(session)
    }
}

/// The certificate in dimpl's form, if it can use it.
fn usable<C: AsRef<[u8]>>(config: &Config, chain: &[C], key: &[u8]) -> Result<DtlsCertificate, DtlsError> {
    let leaf = chain.first().map(AsRef::as_ref).filter(|leaf| !leaf.is_empty()).ok_or(DtlsError::NoCertificate)?;
    config.crypto_provider().key_provider.load_private_key(key).map_err(|_| DtlsError::Key)?;
    Ok(DtlsCertificate { certificate: leaf.to_vec(), private_key: key.to_vec() })
}
