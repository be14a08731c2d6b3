//! Permissions: RFC 8656 §9. By IP address, for five minutes.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::policy::PermittedPeer;

/// RFC 8656 §9: "The Permission Lifetime MUST be 300 seconds".
pub(crate) const LIFETIME: Duration = Duration::from_secs(300);

/// How an address may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Through the network. When the permission was made, nothing of ours was there.
    Outside,
    /// The same, but relays or media ports of ours were there too, which are reached within this
    /// process.
    OutsideAndOurs,
    /// The address is out of reach, but live allocations have relayed addresses on it, or it has
    /// media ports of ours: those, and only those, are reached within this process.
    OursOnly,
}

/// What the policy said about a peer's address. It is what a permission is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    peer: IpAddr,
    reach: Reach,
}

impl Admission {
    /// An address that the policy allows.
    pub(crate) fn outside(peer: IpAddr, _: PermittedPeer, ours_too: bool) -> Self {
        Self { peer, reach: if ours_too { Reach::OutsideAndOurs } else { Reach::Outside } }
    }

    /// An address that is reached because of what we have there.
    pub(crate) fn ours_only(peer: IpAddr) -> Self {
        Self { peer, reach: Reach::OursOnly }
    }

    pub(crate) fn is_ours_only(self) -> bool {
        self.reach == Reach::OursOnly
    }
}

#[derive(Clone, Copy, Debug)]
struct Permission {
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
    pub(crate) fn room_for(&mut self, now: Instant, peers: &[Admission], limit: usize) -> Result<(), TooMany> {
        self.entries.retain(|permission| permission.expires > now);
        let is_new = |(place, admission): &(usize, &Admission)| {
            let is_repeated = peers[..*place].iter().any(|former| former.peer == admission.peer);
            !is_repeated && self.find(admission.peer).is_none()
        };
        let new = peers.iter().enumerate().filter(is_new).count();
        if self.entries.len() + new > limit { Err(TooMany) } else { Ok(()) }
    }

    /// Installs a permission or begins its lifetime anew.
    pub(crate) fn install(&mut self, now: Instant, admission: Admission) {
        let fresh = Permission { admission, expires: now + LIFETIME };
        match self.entries.iter_mut().find(|permission| permission.admission.peer == admission.peer) {
            Some(permission) => *permission = fresh,
            None => self.entries.push(fresh),
        }
    }

    /// How `peer` may be reached now; `None` without a live permission.
    #[inline]
    pub(crate) fn reach(&self, now: Instant, peer: IpAddr) -> Option<Reach> {
        let permission = self.find(peer)?;
        (permission.expires > now).then_some(permission.admission.reach)
    }

    /// The address behind a relay that peers see has gone: what was for its family goes too.
    pub(crate) fn remove_family(&mut self, ipv4: bool) {
        self.entries.retain(|permission| permission.admission.peer.is_ipv4() != ipv4);
    }

    #[inline]
    fn find(&self, peer: IpAddr) -> Option<&Permission> {
        self.entries.iter().find(|permission| permission.admission.peer == peer)
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
        permissions.install(now, Admission::ours_only(PEER));
        permissions.install(now + Duration::from_secs(200), Admission::ours_only(PEER));
        assert!(permissions.reach(now + Duration::from_secs(499), PEER).is_some());
        assert!(permissions.reach(now + Duration::from_secs(500), PEER).is_none());
    }

    #[test]
    fn expired_permissions_make_room() {
        let now = Instant::now();
        let mut permissions = Permissions::default();
        permissions.install(now, Admission::ours_only(PEER));
        let other = [Admission::ours_only(IpAddr::from([198, 51, 100, 2]))];
        assert_eq!(permissions.room_for(now, &other, 1), Err(TooMany));
        assert_eq!(permissions.room_for(now, &[Admission::ours_only(PEER)], 1), Ok(()));
        assert_eq!(permissions.room_for(now + LIFETIME, &other, 1), Ok(()));
    }
}
