//! What a link to another participant has beside those to the server: offers of its own, full ICE
//! with candidates that trickle (RFC 8838), and a path.

use std::time::{Duration, Instant};

use madang_media::session::{Gathered, Path, SessionError, Transport};
use madang_protocol::{
    Description, Ice, IceCandidate, Negotiation, Offerer, OpenLink, ParticipantId, SdpType, TrackId, TrackKind,
};

use super::{data, io::Config, io::Event, link::Link};
use crate::signaling::Roster;

/// A link without a connection (any more) so long after its description, or after a restart was
/// asked for, is replaced: long enough for a relay that is reached by the third way tried.
pub(super) const CONNECT: Duration = Duration::from_secs(8);

pub(super) struct Mesh {
    /// Who is at the other end.
    pub(super) peer: ParticipantId,
    offers: bool,
    described: Option<Described>,
    /// The other end knows that no candidate follows.
    has_ended: bool,
    path: Option<Path>,
    pub(super) wants_path: bool,
}

/// The newest description of this end.
struct Described {
    n: Negotiation,
    /// The user name fragment of its ICE generation.
    ufrag: String,
}

impl Mesh {
    pub(super) fn new(open: &OpenLink) -> Option<Self> {
        Some(Self {
            peer: open.peer.clone()?,
            offers: open.offerer == Offerer::You,
            described: None,
            has_ended: false,
            path: None,
            wants_path: false,
        })
    }

    pub(super) const fn offers(&self) -> bool {
        self.offers
    }

    fn described(&mut self, n: Negotiation, sdp: &str) {
        let ufrag = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap_or_default().trim();
        if self.described.as_ref().is_none_or(|former| former.ufrag != ufrag) {
            self.has_ended = false;
        }
        self.described = Some(Described { n, ufrag: ufrag.to_owned() });
    }

    pub(super) fn data(&self, message: &[u8], channel: super::DataChannel) -> Option<Event> {
        let (topic, bytes) = data::from_peer(message)?;
        Some(Event::Data { from: Some(self.peer.clone()), channel, topic, bytes: bytes.to_vec() })
    }
}

fn tracks(roster: &Roster, of: Option<&ParticipantId>) -> Vec<(TrackId, TrackKind)> {
    let owner = roster.participants().find(|participant| Some(&participant.id) == of);
    owner.into_iter().flat_map(|owner| &owner.tracks).map(|track| (track.id.clone(), track.kind)).collect()
}

impl Link {
    /// Offers, when there is something to offer and no other offer is out.
    pub(super) fn offer(&mut self, roster: &Roster, now: Instant) -> Option<Description> {
        let mesh = self.mesh.as_mut().filter(|mesh| mesh.offers)?;
        self.session.plan(&tracks(roster, roster.me()), &tracks(roster, Some(&mesh.peer)));
        let offer = self.session.offer()?;
        mesh.described(offer.n, &offer.sdp);
        self.is_due(now);
        let (link, epoch) = (self.open.link.clone(), self.open.epoch);
        let (n, sdp, tracks) = (offer.n, offer.sdp, offer.tracks);
        Some(Description { link, epoch, n, kind: SdpType::Offer, sdp, tracks, from: None })
    }

    /// The next offer restarts ICE.
    pub(super) fn restart_ice(&mut self) {
        self.session.restart_ice();
    }

    /// Takes the other participant's answer.
    pub(super) fn accept_answer(
        &mut self,
        answer: &Description,
        roster: &Roster,
        config: &Config,
        now: Instant,
    ) -> Result<(), SessionError> {
        let lines = self.session.accept_answer(answer.n, &answer.sdp, &answer.tracks)?;
        self.carry(&lines, roster, config, now);
        Ok(())
    }

    /// Answers the other participant's offer.
    pub(super) fn accept_offer(
        &mut self,
        offer: &Description,
        roster: &Roster,
        config: &Config,
        now: Instant,
    ) -> Result<Description, SessionError> {
        let exchange = self.session.accept_offer(&offer.sdp, &offer.tracks, &tracks(roster, roster.me()))?;
        if let Some(mesh) = &mut self.mesh {
            mesh.described(offer.n, &exchange.sdp);
        }
        self.is_due(now);
        self.carry(&exchange.lines, roster, config, now);
        let Description { link, epoch, n, .. } = offer.clone();
        let (sdp, tracks) = (exchange.sdp, exchange.tracks);
        Ok(Description { link, epoch, n, kind: SdpType::Answer, sdp, tracks, from: None })
    }

    /// A connection is to be there in time.
    pub(super) fn is_due(&mut self, now: Instant) {
        if !self.is_connected() {
            self.connect_by = Some(now + CONNECT);
        }
    }

    /// The path is lost, and ICE is to restart: there is to be another in time.
    pub(super) fn path_is_due(&mut self, now: Instant) {
        self.connect_by = Some(now + CONNECT);
    }

    /// Takes a candidate of this end; what the other is to be told of it. Before the first
    /// description nothing is: that has it.
    pub(super) fn add_candidate(&mut self, found: Gathered, now: Instant) -> Option<Ice> {
        self.mesh.as_ref()?;
        self.session_timeout = now;
        let candidate = self.session.add_candidate(found)?;
        let described = self.mesh.as_ref()?.described.as_ref()?;
        let candidate = IceCandidate {
            candidate,
            sdp_mid: None,
            // All media descriptions are bundled with the first (RFC 9143).
            sdp_m_line_index: Some(0),
            username_fragment: Some(described.ufrag.clone()),
        };
        Some(self.ice(described.n, Some(candidate)))
    }

    /// A candidate of this end is gone.
    pub(super) fn remove_candidate(&mut self, lost: Gathered, now: Instant) {
        if self.mesh.is_some() {
            self.session_timeout = now;
            self.session.remove_candidate(lost);
        }
    }

    /// Says that no candidate follows, once for each ICE generation.
    pub(super) fn end_of_candidates(&mut self) -> Option<Ice> {
        let mesh = self.mesh.as_mut().filter(|mesh| !mesh.has_ended)?;
        let n = mesh.described.as_ref()?.n;
        mesh.has_ended = true;
        Some(self.ice(n, None))
    }

    fn ice(&self, n: Negotiation, candidate: Option<IceCandidate>) -> Ice {
        Ice { link: self.open.link.clone(), epoch: self.open.epoch, n, candidate, from: None }
    }

    /// The path, where it is another than when this was last asked for.
    pub(super) fn fresh_path(&mut self) -> Option<Path> {
        let mesh = self.mesh.as_mut().filter(|mesh| mesh.wants_path)?;
        mesh.wants_path = false;
        let path = self.session.path().filter(|path| mesh.path != Some(*path))?;
        mesh.path = Some(path);
        Some(path)
    }

    /// Between which candidates media goes.
    pub(super) fn path(&self) -> Option<Path> {
        self.mesh.as_ref()?.path
    }

    /// Whether a packet is for this link.
    pub(super) fn accepts(
        &self,
        now: Instant,
        transport: Transport,
        from: std::net::SocketAddr,
        to: std::net::SocketAddr,
        data: &[u8],
    ) -> bool {
        self.mesh.is_some() && self.session.accepts(now, transport, from, to, data)
    }
}
