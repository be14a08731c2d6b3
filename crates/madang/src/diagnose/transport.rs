//! One transport: whether it reaches the server, and whether the relay works over it.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use madang_client::relay::{
    Transport,
    discovery::{Answer, Binding},
};
use rustls::ClientConfig;

use super::{
    connection::{Connection, resolve},
    obstacle::Obstacle,
    relay::{self, Measured, Place, Trouble},
    target::Way,
};

/// What came of one transport.
pub(super) struct Outcome {
    pub(super) way: Way,
    /// The answer to a Binding request: as what the server sees this machine, and how long it took.
    pub(super) binding: Result<(SocketAddr, Duration), Obstacle>,
    /// `None` without credentials, and where the server was not reached.
    pub(super) relay: Option<Result<Measured, Trouble>>,
}

impl Outcome {
    /// Whether data went through the relay, or would have if it may send to itself.
    pub(super) fn relays(&self) -> bool {
        matches!(self.relay, Some(Ok(_) | Err(Trouble::PeerRefused(_))))
    }
}

pub(super) fn examine(way: Way, tls: &Arc<ClientConfig>, patience: Duration) -> Outcome {
    let found = resolve(&way.host, way.port).and_then(|at| {
        let (mapped, took) = bind(&way, at, tls, Instant::now() + patience)?;
        Ok((at, mapped, took))
    });
    let (at, mapped, took) = match found {
        Ok(found) => found,
        Err(why) => return Outcome { way, binding: Err(why), relay: None },
    };
    let relay = way.credentials.as_ref().map(|credentials| {
        let place = Place { transport: way.transport, at, name: &way.host, credentials, tls };
        relay::measure(&place, Instant::now() + patience)
    });
    Outcome { way, binding: Ok((mapped, took)), relay }
}

fn bind(way: &Way, at: SocketAddr, tls: &Arc<ClientConfig>, by: Instant) -> Result<(SocketAddr, Duration), Obstacle> {
    let mut connection = Connection::open(way.transport, at, &way.host, tls, by)?;
    let (seed, begin) = (rand::random(), Instant::now());
    let is_stream = way.transport != Transport::Udp;
    let mut request =
        if is_stream { Binding::over_stream(&seed, begin) } else { Binding::over_datagrams(&seed, begin) };
    let mut sent = begin;
    connection.send(request.bytes())?;
    loop {
        let now = Instant::now();
        if now >= by {
            return Err(Obstacle::TimedOut);
        }
        match request.is_due(now) {
            Some(true) => {
                sent = now;
                connection.send(request.bytes())?;
            }
            Some(false) => {}
            None => return Err(Obstacle::TimedOut),
        }
        let until = request.timeout().min(by);
        let Some(packet) = connection.receive(until.saturating_duration_since(now))? else { continue };
        match request.answer(&packet) {
            Some(Answer::Success { mapped, .. }) => return Ok((mapped, sent.elapsed())),
            Some(Answer::Error(_) | Answer::Malformed) => return Err(Obstacle::NotStun),
            None => {}
        }
    }
}
