//! Which shape a room has, and its moves from one to another.

use madang_protocol::{
    Capabilities, Epoch, Hello, LinkId, ServerMessage, Topology, TopologyEvent, TopologyPhase, TopologyPolicy,
};

use crate::{
    codecs,
    refusal::Refusal,
    room::Room,
    roster::{Order, SERVER},
};

/// A room whose policy is `auto` is a mesh up to this many people.
const MESH_PEOPLE: usize = 2;

/// Checks that all of these can take part in a topology.
pub(crate) fn admit<'a>(
    topology: Topology,
    mut everyone: impl Iterator<Item = &'a Capabilities>,
) -> Result<(), Refusal> {
    if everyone.all(|capabilities| takes_part(capabilities, topology)) {
        Ok(())
    } else {
        Err(Refusal::Topology(topology))
    }
}

fn takes_part(capabilities: &Capabilities, topology: Topology) -> bool {
    capabilities.topologies.is_empty() || capabilities.topologies.contains(&topology)
}

impl Room {
    /// Nobody has been here yet: whoever comes now creates the room.
    pub(crate) fn is_new(&self) -> bool {
        self.roster.is_empty() && self.departed.is_empty()
    }

    /// The policy once this `hello` is let in: its wish counts if it creates the room.
    pub(crate) fn policy_for(&self, hello: &Hello) -> TopologyPolicy {
        hello.topology.filter(|_| self.is_new()).unwrap_or(self.policy)
    }

    /// The topology that the room has, or moves to, once a newcomer is inside in place of
    /// `replaced`. Refused where the newcomer, or for its sake somebody else, can't take part.
    pub(crate) fn topology_with(
        &self,
        policy: TopologyPolicy,
        newcomer: &Capabilities,
        replaced: Option<Order>,
    ) -> Result<Topology, Refusal> {
        let others = self.roster.iter().filter(|participant| Some(participant.order) != replaced);
        let everyone = others.map(|participant| &participant.capabilities).chain([newcomer]);
        let topology = self.topology_under(policy, everyone.clone());
        admit(topology, everyone)?;
        Ok(topology)
    }

    /// The topology that a policy gives a room with these people. An automatic one moves to
    /// forwarding as it grows, if everyone can, and does not move back. It never mixes by itself.
    pub(crate) fn topology_under<'a>(
        &self,
        policy: TopologyPolicy,
        everyone: impl Iterator<Item = &'a Capabilities> + Clone,
    ) -> Topology {
        let all_can = || everyone.clone().all(|capabilities| takes_part(capabilities, Topology::Sfu));
        match policy {
            TopologyPolicy::Mesh => Topology::Mesh,
            TopologyPolicy::Sfu => Topology::Sfu,
            TopologyPolicy::Mcu => Topology::Mcu,
            TopologyPolicy::Auto if self.topology == Topology::Sfu => Topology::Sfu,
            TopologyPolicy::Auto if self.topology == Topology::Mcu && all_can() => Topology::Sfu,
            TopologyPolicy::Auto if everyone.clone().count() > MESH_PEOPLE && all_can() => Topology::Sfu,
            TopologyPolicy::Auto => Topology::Mesh,
        }
    }

    /// Moves the room to the topology that its policy asks for. Returns whether it moved.
    pub(crate) fn settle_topology(&mut self, reason: &str) -> bool {
        let everyone = self.roster.iter().map(|participant| &participant.capabilities);
        let topology = self.topology_under(self.policy, everyone);
        let moves = topology != self.topology;
        if moves {
            self.move_to(topology, reason);
        }
        moves
    }

    /// Checks that the server can do what a topology needs for those who are inside, or they
    /// without it.
    pub(crate) fn check_move(&self, topology: Topology) -> Result<(), Refusal> {
        match (self.topology, topology) {
            (from, to) if from == to => Ok(()),
            (_, Topology::Mcu) => self.check_mixer(),
            (Topology::Mcu, _) => codecs::admit_unmixed(self.roster.iter().map(|one| &one.capabilities.codecs)),
            _ => Ok(()),
        }
    }

    /// Opens the links of the new topology and closes those of the old one: at once, so that
    /// media stops for a moment. A move that nobody notices would begin with
    /// [`TopologyPhase::Prepare`] and close the old links only after its commit.
    pub(crate) fn move_to(&mut self, topology: Topology, reason: &str) {
        let former = self.links.ids();
        self.epoch = Epoch(self.epoch.0 + 1);
        let was = std::mem::replace(&mut self.topology, topology);
        self.speakers.clear();
        self.forwarded_codec = None;
        self.broadcast(ServerMessage::Topology(TopologyEvent {
            epoch: self.epoch,
            kind: topology,
            reason: reason.to_owned(),
            phase: TopologyPhase::Commit,
        }));
        if was != Topology::Mesh && topology != Topology::Mesh {
            // There is one link at most between a participant and the server.
            self.close_links(&former);
        }
        self.settle_mixes();
        self.settle_codecs();
        let everyone = self.roster.orders();
        if topology == Topology::Mesh {
            self.open_mesh(&everyone);
        } else {
            self.open_server_links(&everyone);
        }
        self.close_links(&former);
    }

    fn close_links(&mut self, links: &[LinkId]) {
        for link in links {
            self.close_link(link);
        }
    }

    fn open_mesh(&mut self, everyone: &[Order]) {
        for (place, one) in everyone.iter().enumerate() {
            for other in &everyone[..place] {
                self.open_link(*other, *one);
                self.carry_bounds_over(*other, *one);
            }
        }
    }

    /// Opens the links that the topology wants for somebody who has none.
    pub(crate) fn open_links_of(&mut self, order: Order) {
        if self.topology == Topology::Mesh {
            for peer in self.roster.others(order) {
                self.open_link(peer, order);
            }
        } else {
            self.open_server_links(&[order]);
        }
    }

    /// The participants with a link to the server.
    pub(crate) fn served(&self) -> Vec<Order> {
        self.links.of(SERVER).map(|link| link.answerer()).collect()
    }
}
