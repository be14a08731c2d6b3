//! Permissions: RFC 8656 §9. By IP address, for five minutes.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::policy::PermittedPeer;

/// RFC 8656 §9: "The Permission Lifetime MUST be 300 seconds".
pub(crate) const LIFETIME: Duration = Duration::from_secs(300);

/// What the policy said about a peer's address. It is what a permission is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The address may be reached through the network.
    Outside(PermittedPeer),
    /// The address is out of reach, but live allocations have relayed addresses on it, or it has
    /// media ports of ours: those, and only those, are reached within this process.
    OursOnly,
}

#[derive(Clone, Copy, Debug)]
struct Permission {
    peer: IpAddr,
    admission: Admission,
    expires: Instant,
}

/// The permissions of one allocation. A handful in practice, so a list.
#[derive(Debug, Default)]
pub(crate) struct Permissions {
    entries: Vec<Permission>,
}

/// The allocation has as many as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Permissions {
    /// Whether `peers` can be installed together (a CreatePermission is all or nothing).
    pub(crate) fn room_for(
        &mut self,
        now: Instant,
        peers: &[(IpAddr, Admission)],
        limit: usize,
    ) -> Result<(), TooMany> {
        self.entries.retain(|permission| permission.expires > now);
        let new = peers.iter().filter(|(peer, _)| self.find(*peer).is_none()).count();
        if self.entries.len() + new > limit { Err(TooMany) } else { Ok(()) }
    }

    /// Installs a permission or begins its lifetime anew.
    pub(crate) fn install(&mut self, now: Instant, peer: IpAddr, admission: Admission) {
        let fresh = Permission { peer, admission, expires: now + LIFETIME };
        match self.entries.iter_mut().find(|permission| permission.peer == peer) {
            Some(permission) => *permission = fresh,
            None => self.entries.push(fresh),
        }
    }

    /// What may be done with `peer` now; `None` without a live permission.
    pub(crate) fn admission(&self, now: Instant, peer: IpAddr) -> Option<Admission> {
        self.find(peer).filter(|permission| permission.expires > now).map(|permission| permission.admission)
    }

    fn find(&self, peer: IpAddr) -> Option<&Permission> {
        self.entries.iter().find(|permission| permission.peer == peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    #[test]
    fn a_permission_lasts_five_minutes_from_its_last_installation() {
        let now = Instant::now();
        let mut permissions = Permissions::default();
        permissions.install(now, PEER, Admission::OursOnly);
        permissions.install(now + Duration::from_secs(200), PEER, Admission::OursOnly);
        assert!(permissions.admission(now + Duration::from_secs(499), PEER).is_some());
        assert!(permissions.admission(now + Duration::from_secs(500), PEER).is_none());
    }

    #[test]
    fn expired_permissions_make_room() {
        let now = Instant::now();
        let mut permissions = Permissions::default();
        permissions.install(now, PEER, Admission::OursOnly);
        let other = [(IpAddr::from([198, 51, 100, 2]), Admission::OursOnly)];
        assert_eq!(permissions.room_for(now, &other, 1), Err(TooMany));
        assert_eq!(permissions.room_for(now, &[(PEER, Admission::OursOnly)], 1), Ok(()));
        assert_eq!(permissions.room_for(now + LIFETIME, &other, 1), Ok(()));
    }
}
