//! The link plan: at most one link between two ends, which are participants or the server.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use madang_protocol::{BitrateReason, BitsPerSecond, Epoch, LinkId, Offerer, OpenLink, ParticipantId, Seq, Topology};

use crate::{
    negotiation::Negotiating,
    roster::{Order, SERVER},
    served::Served,
};

/// A link lives this long before it may be replaced, so that nobody can keep the other end busy
/// with making PeerConnections.
const MIN_LIFE: Duration = Duration::from_secs(1);

/// One PeerConnection between two participants, or between one and the server.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) epoch: Epoch,
    kind: Topology,
    pub(crate) negotiating: Negotiating,
    /// What the media server does on it, where the offerer is the server.
    pub(crate) served: Option<Served>,
    opened: Option<Instant>,
    /// The one who was there longer offers: it is always the one with the lower order.
    offerer: End,
    answerer: End,
}

/// One participant's end of a link.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) order: Order,
    /// The newest of its session's events that was about this link's negotiation.
    pub(crate) last_signal: Seq,
    /// What it was last told about its bit rate on this link.
    pub(crate) told: Option<Bound>,
}

/// The most to send, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) most: Option<BitsPerSecond>,
    pub(crate) reason: BitrateReason,
}

impl Link {
    fn new(id: LinkId, kind: Topology, epoch: Epoch, opened: Option<Instant>, one: Order, other: Order) -> Self {
        let end = |order| End { order, last_signal: Seq(0), told: None };
        let (offerer, answerer) = (end(one.min(other)), end(one.max(other)));
        let served = (offerer.order == SERVER).then(Served::default);
        Self { id, epoch, kind, negotiating: Negotiating::default(), served, opened, offerer, answerer }
    }

    /// How long it has to wait before it may be replaced.
    pub(crate) fn too_young(&self, now: Option<Instant>) -> Option<Duration> {
        let age = now?.saturating_duration_since(self.opened?);
        MIN_LIFE.checked_sub(age).filter(|left| !left.is_zero())
    }

    pub(crate) fn offerer(&self) -> Order {
        self.offerer.order
    }

    pub(crate) fn answerer(&self) -> Order {
        self.answerer.order
    }

    /// Whether it is a link to the server.
    pub(crate) fn is_served(&self) -> bool {
        self.served.is_some()
    }

    pub(crate) fn is_end(&self, order: Order) -> bool {
        order == self.offerer.order || order == self.answerer.order
    }

    /// Who is at the other end.
    pub(crate) fn peer_of(&self, order: Order) -> Order {
        if order == self.offerer.order { self.answerer.order } else { self.offerer.order }
    }

    pub(crate) fn end(&self, order: Order) -> &End {
        if order == self.offerer.order { &self.offerer } else { &self.answerer }
    }

    pub(crate) fn end_mut(&mut self, order: Order) -> &mut End {
        if order == self.offerer.order { &mut self.offerer } else { &mut self.answerer }
    }

    /// The link as the participant at `order` is told of it. The server is no `peer`.
    pub(crate) fn open_for(&self, order: Order, peer: Option<ParticipantId>) -> OpenLink {
        OpenLink {
            link: self.id.clone(),
            epoch: self.epoch,
            kind: self.kind,
            peer,
            offerer: if order == self.offerer.order { Offerer::You } else { Offerer::Peer },
        }
    }
}

/// All links of a room, found by name and by their ends.
#[derive(Debug, Default)]
pub(crate) struct LinkPlan {
    by_id: HashMap<LinkId, Link>,
    by_end: BTreeMap<Order, BTreeMap<Order, LinkId>>,
}

impl LinkPlan {
    pub(crate) fn open(
        &mut self,
        id: LinkId,
        kind: Topology,
        epoch: Epoch,
        opened: Option<Instant>,
        one: Order,
        other: Order,
    ) -> &Link {
        self.by_end.entry(one).or_default().insert(other, id.clone());
        self.by_end.entry(other).or_default().insert(one, id.clone());
        self.by_id.entry(id.clone()).or_insert_with(|| Link::new(id, kind, epoch, opened, one, other))
    }

    pub(crate) fn close(&mut self, id: &LinkId) -> Option<Link> {
        let link = self.by_id.remove(id)?;
        let (one, other) = (link.offerer.order, link.answerer.order);
        self.unlink(one, other);
        self.unlink(other, one);
        Some(link)
    }

    fn unlink(&mut self, from: Order, to: Order) {
        if let Some(peers) = self.by_end.get_mut(&from) {
            peers.remove(&to);
            if peers.is_empty() {
                self.by_end.remove(&from);
            }
        }
    }

    pub(crate) fn get(&self, id: &LinkId) -> Option<&Link> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &LinkId) -> Option<&mut Link> {
        self.by_id.get_mut(id)
    }

    pub(crate) fn between(&self, one: Order, other: Order) -> Option<&Link> {
        self.by_id.get(self.by_end.get(&one)?.get(&other)?)
    }

    /// The links of a participant, in the order of who is at their other ends.
    pub(crate) fn of(&self, order: Order) -> impl Iterator<Item = &Link> {
        self.by_end.get(&order).into_iter().flat_map(BTreeMap::values).filter_map(|id| self.by_id.get(id))
    }

    pub(crate) fn ids_of(&self, order: Order) -> Vec<LinkId> {
        self.of(order).map(|link| link.id.clone()).collect()
    }

    pub(crate) fn ids(&self) -> Vec<LinkId> {
        self.by_id.keys().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Order = Order(1);
    const B: Order = Order(2);

    #[test]
    fn the_one_who_was_there_longer_offers_whichever_way_the_link_was_opened() {
        let mut plan = LinkPlan::default();
        for (one, other) in [(A, B), (B, A)] {
            let link = plan.open(LinkId::from("l_1"), Topology::Mesh, Epoch(0), None, one, other);
            assert_eq!(link.offerer(), A);
            assert_eq!(link.open_for(A, Some(ParticipantId::from("p_b"))).offerer, Offerer::You);
            assert_eq!(link.open_for(B, Some(ParticipantId::from("p_a"))).offerer, Offerer::Peer);
            plan.close(&LinkId::from("l_1"));
        }
    }

    #[test]
    fn the_server_offers_on_its_links_and_is_nobodys_peer() {
        let mut plan = LinkPlan::default();
        let link = plan.open(LinkId::from("l_1"), Topology::Mcu, Epoch(3), None, A, SERVER);
        let open = link.open_for(A, None);
        assert_eq!((open.kind, open.peer, open.offerer), (Topology::Mcu, None, Offerer::Peer));
        assert!(link.is_served() && link.peer_of(A) == SERVER);
    }

    #[test]
    fn a_closed_link_is_found_by_nothing() {
        let mut plan = LinkPlan::default();
        plan.open(LinkId::from("l_1"), Topology::Mesh, Epoch(0), None, A, B);
        assert!(plan.between(B, A).is_some());
        assert!(plan.close(&LinkId::from("l_1")).is_some());
        assert!(plan.between(A, B).is_none());
        assert!(plan.get(&LinkId::from("l_1")).is_none());
        assert_eq!(plan.of(A).count() + plan.of(B).count() + plan.len(), 0);
        assert!(plan.by_end.is_empty());
    }
}
