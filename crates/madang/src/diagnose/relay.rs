//! Whether the relay carries data, and how long that takes: two relays at the same server, one of
//! which sends to the other.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_client::relay::{Client, ClientConfig as TurnConfig, ClientInput, ClientOutput, Failed, Transport, Wishes};
use rustls::ClientConfig;

use super::{connection::Connection, obstacle::Obstacle, target::Credentials};

/// Packets whose time is taken.
const ROUNDS: u32 = 10;
/// Waiting is cut into pieces, so that the other end is looked after too.
const SLICE: Duration = Duration::from_millis(20);
/// A packet that opens the way is sent again after so long.
const AGAIN: Duration = Duration::from_millis(200);

/// Why the relay carries nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The way to it.
    Obstacle(Obstacle),
    /// The name or password is wrong, or too old.
    Credentials,
    /// It has no place left, for this user or for anyone.
    Full(u16),
    /// It refuses for another reason.
    Refused(u16, String),
    /// There is a relay, but it may not send to another one of the same server.
    PeerRefused(u16),
    /// It took everything, and nothing came through.
    Silent,
    /// Its answers can't be used.
    Malformed(String),
}

impl Trouble {
    /// By a name that stays.
    pub(super) fn code(&self) -> String {
        match self {
            Self::Obstacle(obstacle) => serde_json::to_value(obstacle)
                .ok()
                .and_then(|name| name.as_str().map(str::to_owned))
                .unwrap_or_default(),
            Self::Credentials => "credentials-refused".into(),
            Self::Full(_) => "full".into(),
            Self::Refused(..) => "refused-by-server".into(),
            Self::PeerRefused(_) => "peer-refused".into(),
            Self::Silent => "nothing-through".into(),
            Self::Malformed(_) => "malformed".into(),
        }
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Obstacle(obstacle) => obstacle.words().into(),
            Self::Credentials => "the server does not accept the user name and password (wrong, or too old)".into(),
            Self::Full(code) => format!("the server has no place left ({code})"),
            Self::Refused(code, reason) => format!("the server refuses: {reason} ({code})"),
            Self::PeerRefused(code) => format!("the server relays, but not to itself, so no time was taken ({code})"),
            Self::Silent => "there is a relay, but nothing came through it".into(),
            Self::Malformed(why) => why.clone(),
        }
    }
}

impl From<Obstacle> for Trouble {
    fn from(obstacle: Obstacle) -> Self {
        Self::Obstacle(obstacle)
    }
}

impl From<Failed> for Trouble {
    fn from(why: Failed) -> Self {
        match why {
            Failed::Unreachable => Self::Obstacle(Obstacle::TimedOut),
            Failed::Refused { code: 401 | 431 | 441, .. } => Self::Credentials,
            Failed::Refused { code: code @ (486 | 508), .. } => Self::Full(code),
            Failed::Refused { code, reason } => Self::Refused(code, reason),
            other => Self::Malformed(other.to_string()),
        }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// The median, from sending to the relay until it comes back from it.
    pub(super) median: Duration,
    /// Packets that never came.
    pub(super) lost: u32,
}

/// Where relays are asked for.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) transport: Transport,
    pub(super) at: SocketAddr,
    pub(super) name: &'a str,
    pub(super) credentials: &'a Credentials,
    pub(super) tls: &'a Arc<ClientConfig>,
}

/// Asks for two relays, sends from one to the other, gives both back.
pub(super) fn measure(place: &Place<'_>, by: Instant) -> Result<Measured, Trouble> {
    let mut near = Half::open(place, by)?;
    let mut far = Half::open(place, by)?;
    let measured = measure_between(&mut near, &mut far, by);
    for half in [&mut near, &mut far] {
        // A relay that is not given back ends by itself.
        let _ = half.input(ClientInput::Close);
    }
    measured
}

fn measure_between(near: &mut Half<'_>, far: &mut Half<'_>, by: Instant) -> Result<Measured, Trouble> {
    let from = near.relayed(by)?;
    let to = far.relayed(by)?;
    let mut number = 0_u32;
    // Permissions have to be there on both sides, and the channels that come after them.
    while round(near, far, (from, to), number, Instant::now() + AGAIN)?.is_none() || number == 0 {
        if Instant::now() >= by {
            return Err(Trouble::Silent);
        }
        number += 1;
        near.wait(SLICE)?;
        far.wait(SLICE)?;
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        number += 1;
        times.extend(round(near, far, (from, to), number, Instant::now() + Duration::from_secs(1))?);
    }
    times.sort();
    let median = times.get(times.len() / 2).copied().ok_or(Trouble::Silent)?;
    let lost = ROUNDS - u32::try_from(times.len()).unwrap_or(ROUNDS);
    Ok(Measured { median, lost })
}

/// One packet from one relay to the other, and how long it took.
fn round(
    near: &mut Half<'_>,
    far: &mut Half<'_>,
    (from, to): (SocketAddr, SocketAddr),
    number: u32,
    until: Instant,
) -> Result<Option<Duration>, Trouble> {
    let data = number.to_be_bytes();
    if far.opened != Some(from) {
        far.opened = Some(from);
        far.input(ClientInput::Send { peer: from, data: b"open" })?;
    }
    let sent = Instant::now();
    near.input(ClientInput::Send { peer: to, data: &data })?;
    while Instant::now() < until {
        far.wait(SLICE.min(until.saturating_duration_since(Instant::now())))?;
        if let Some((at, _)) = far.heard.iter().find(|(_, heard)| heard[..] == data) {
            let took = at.saturating_duration_since(sent);
            far.heard.clear();
            return Ok(Some(took));
        }
        near.wait(Duration::ZERO)?;
    }
    Ok(None)
}

/// One relay, and the connection to its server.
struct Half<'a> {
    place: Place<'a>,
    connection: Connection,
    core: Client,
    relayed: Option<SocketAddr>,
    /// To whom it has a permission.
    opened: Option<SocketAddr>,
    heard: Vec<(Instant, Vec<u8>)>,
    timer: Option<Instant>,
    by: Instant,
}

impl<'a> Half<'a> {
    fn open(place: &Place<'a>, by: Instant) -> Result<Self, Trouble> {
        let connection = Connection::open(place.transport, place.at, place.name, place.tls, by)?;
        let Credentials { username, password } = place.credentials.clone();
        let (seed, wishes) = (rand::random(), Wishes::default());
        let (transport, server) = (place.transport, Some(place.at));
        let core = Client::new(TurnConfig { username, password, transport, seed, server, wishes });
        let place = place.clone();
        let (relayed, opened) = (None, None);
        let mut half = Self { place, connection, core, relayed, opened, heard: Vec::new(), timer: None, by };
        half.input(ClientInput::Timeout)?;
        Ok(half)
    }

    /// The relayed address, once it is there.
    fn relayed(&mut self, by: Instant) -> Result<SocketAddr, Trouble> {
        loop {
            if let Some(relayed) = self.relayed {
                return Ok(relayed);
            }
            if Instant::now() >= by {
                return Err(Obstacle::TimedOut.into());
            }
            self.wait(SLICE)?;
        }
    }

    fn wait(&mut self, wait: Duration) -> Result<(), Trouble> {
        if let Some(packet) = self.connection.receive(wait)? {
            self.input(ClientInput::Packet(&packet))?;
        }
        if self.timer.is_some_and(|at| at <= Instant::now()) {
            self.input(ClientInput::Timeout)?;
        }
        Ok(())
    }

    fn input(&mut self, input: ClientInput<'_>) -> Result<(), Trouble> {
        let now = Instant::now();
        self.core.handle_input(now, input);
        loop {
            match self.core.poll_output() {
                ClientOutput::Transmit(packet) => self.connection.send(&packet)?,
                ClientOutput::Allocated { relayed, .. } => self.relayed = Some(relayed),
                ClientOutput::Data { data, .. } => self.heard.push((now, data)),
                ClientOutput::PeerRefused { code, .. } => return Err(Trouble::PeerRefused(code)),
                ClientOutput::Redirected { to, domain } => {
                    let name = domain.as_deref().unwrap_or(self.place.name);
                    let (transport, tls) = (self.place.transport, self.place.tls);
                    self.connection = Connection::open(transport, to, name, tls, self.by)?;
                }
                ClientOutput::Failed(why) => return Err(why.into()),
                // What a peer's network says does not matter here, and nothing else was wished for.
                ClientOutput::FamilyRefused { .. } | ClientOutput::Moved | ClientOutput::Icmp { .. } => {}
                ClientOutput::Timeout(at) => {
                    self.timer = at;
                    return Ok(());
                }
            }
        }
    }
}
