//! What hosts can do.

use std::time::Duration;

use madang_protocol::{
    BitsPerSecond, Bye, ByeAction, Change, ErrorCode, LeaveReason, Moderation, ParticipantId, Role, TopologyPolicy,
    TrackId,
};

use crate::{refusal::Refusal, room::Room, roster::Order, topology};

/// Below this not even sound gets through.
const LEAST_LIMIT: BitsPerSecond = BitsPerSecond(16_000);
/// Hosts move a room no more often: each move closes everybody's links and opens others.
const REST: Duration = Duration::from_secs(1);
const NOBODY: Refusal = Refusal::NotFound("there is no such participant (any more)");

impl Room {
    pub(crate) fn moderate(&mut self, order: Order, moderation: Moderation) -> Result<(), Refusal> {
        let host = self.roster.get(order).filter(|participant| participant.info.role == Role::Host);
        let host = host.ok_or(Refusal::HostsOnly)?.info.id.clone();
        match moderation {
            Moderation::Kick { participant } => self.kick(order, &participant),
            Moderation::Mute { track } => self.mute_other(host, &track),
            Moderation::Lock { locked } => {
                self.lock(locked);
                Ok(())
            }
            Moderation::Role { participant, role } => self.give_role(&participant, role),
            Moderation::Bitrate { participant, max_send_bps } => self.limit(participant.as_ref(), max_send_bps),
            Moderation::Topology { policy } => self.choose_topology(policy),
        }
    }

    fn kick(&mut self, host: Order, id: &ParticipantId) -> Result<(), Refusal> {
        let target = self.roster.by_id(id).ok_or(NOBODY)?;
        if target.order == host {
            return Err(Refusal::Malformed("to go yourself, say `leave`"));
        }
        let (order, session) = (target.order, target.session.id.clone());
        // Without a token the identity is the id, which is given anew to whoever joins.
        let granted = target.info.identity != target.info.id.0;
        let identity = granted.then(|| target.info.identity.clone());
        self.kicked.add(session, identity);
        let bye = Bye {
            action: ByeAction::Stop,
            code: Some(ErrorCode::Kicked),
            message: "A host removed you from the room.".to_owned(),
            retry_after_ms: None,
        };
        self.depart(order, LeaveReason::Kicked, Some(bye));
        Ok(())
    }

    fn mute_other(&mut self, host: ParticipantId, track: &TrackId) -> Result<(), Refusal> {
        let owner = self.roster.track_owner(track).ok_or(Refusal::NotFound("there is no such track (any more)"))?;
        let order = owner.order;
        self.set_muted(order, track, true, Some(host));
        Ok(())
    }

    fn lock(&mut self, locked: bool) {
        if self.locked != locked {
            self.locked = locked;
            self.tell_room();
        }
    }

    fn give_role(&mut self, id: &ParticipantId, role: Role) -> Result<(), Refusal> {
        let target = self.roster.by_id(id).ok_or(NOBODY)?;
        let (order, former) = (target.order, target.info.role);
        let hosts = self.roster.iter().filter(|participant| participant.info.role == Role::Host).count();
        if former == Role::Host && role != Role::Host && hosts == 1 {
            return Err(Refusal::LastHost);
        }
        if role == former {
            return Ok(());
        }
        if role == Role::Viewer {
            for track in self.tracks_at(order) {
                self.remove_track(order, &track);
            }
        }
        if let Some(participant) = self.roster.get_mut(order) {
            participant.info.role = role;
        }
        self.tell_participant(order, Change::Changed);
        Ok(())
    }

    fn limit(&mut self, id: Option<&ParticipantId>, most: Option<BitsPerSecond>) -> Result<(), Refusal> {
        if most.is_some_and(|most| most < LEAST_LIMIT) {
            return Err(Refusal::Malformed("`max_send_bps` needs to be 16000 or more; sound needs that much"));
        }
        self.bitrates_stale = true;
        if let Some(id) = id {
            let order = self.roster.by_id(id).ok_or(NOBODY)?.order;
            if let Some(participant) = self.roster.get_mut(order) {
                participant.host_limit = most;
            }
            return Ok(());
        }
        let former = self.send_limit();
        self.host_limit = most;
        if self.send_limit() != former {
            self.tell_room();
        }
        Ok(())
    }

    fn choose_topology(&mut self, policy: TopologyPolicy) -> Result<(), Refusal> {
        let everyone = self.roster.iter().map(|participant| &participant.capabilities);
        let topology = self.topology_under(policy, everyone.clone());
        topology::admit(topology, everyone)?;
        self.check_move(topology)?;
        if topology != self.topology {
            self.check_rest()?;
            self.moved = self.now;
        }
        self.policy = policy;
        self.settle_topology("A host chose it.");
        Ok(())
    }

    /// Checks that no host has moved the room a moment ago.
    fn check_rest(&self) -> Result<(), Refusal> {
        let (Some(now), Some(moved)) = (self.now, self.moved) else { return Ok(()) };
        match REST.saturating_sub(now.saturating_duration_since(moved)) {
            Duration::ZERO => Ok(()),
            left => Err(Refusal::MovedJustNow { retry_after_ms: u32::try_from(left.as_millis()).unwrap_or(u32::MAX) }),
        }
    }
}
