//! Which link a packet belongs to, without asking every session.
//!
//! A check (RFC 8445 §7.3) names the link by its user name. Everything else is found by its
//! addresses, which are learnt from nothing but an answered check: whoever has passed none
//! can't bring a byte of DTLS or SRTP to a session.

use std::{collections::HashMap, net::SocketAddr};

use crate::session::{Transport, check_user};

/// The addresses of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Path {
    pub(super) transport: Transport,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
}

/// What a first byte says (RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Stun,
    Other,
}

impl Kind {
    pub(super) fn of(data: &[u8]) -> Option<Self> {
        match data.first()? {
            0..=3 => Some(Self::Stun),
            20..=63 | 128..=191 => Some(Self::Other),
            _ => None,
        }
    }
}

/// Addresses that one link may have passed checks from. A peer that goes through networks leaves
/// old ones behind.
const PATHS_PER_LINK: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Demux {
    by_path: HashMap<Path, u32>,
    by_ufrag: HashMap<String, u32>,
    paths: HashMap<u32, Vec<Path>>,
    ufrags: HashMap<u32, Vec<String>>,
}

impl Demux {
    /// The link that this packet is for, if any.
    pub(super) fn find(&self, path: &Path, kind: Kind, data: &[u8]) -> Option<u32> {
        match kind {
            Kind::Other => self.by_path.get(path).copied(),
            Kind::Stun => self.by_ufrag.get(check_user(data)?).copied(),
        }
    }

    /// A user name of a link: its first, and one for each ICE restart.
    pub(super) fn name(&mut self, link: u32, ufrag: String) {
        if self.by_ufrag.insert(ufrag.clone(), link).is_none() {
            self.ufrags.entry(link).or_default().push(ufrag);
        }
    }

    /// Whether a check from there was answered, and it is not forgotten.
    pub(super) fn is_known(&self, link: u32, path: &Path) -> bool {
        self.by_path.get(path) == Some(&link)
    }

    /// A check from there was answered. Says whether it was the first from there. The path that is
    /// in use is not forgotten for it: whoever sees a check can send it again from anywhere.
    pub(super) fn passed(&mut self, link: u32, path: Path, in_use: Option<Path>) -> bool {
        if self.is_known(link, &path) {
            return false;
        }
        if let Some(former) = self.by_path.insert(path, link)
            && let Some(paths) = self.paths.get_mut(&former)
        {
            paths.retain(|known| *known != path);
        }
        let paths = self.paths.entry(link).or_default();
        if paths.len() == PATHS_PER_LINK {
            let oldest = paths.iter().position(|known| Some(*known) != in_use).unwrap_or(0);
            self.by_path.remove(&paths.remove(oldest));
        }
        paths.push(path);
        true
    }

    pub(super) fn forget(&mut self, link: u32) {
        for path in self.paths.remove(&link).unwrap_or_default() {
            self.by_path.remove(&path);
        }
        for ufrag in self.ufrags.remove(&link).unwrap_or_default() {
            self.by_ufrag.remove(&ufrag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        let from = SocketAddr::from(([203, 0, 113, 9], port));
        Path { transport: Transport::Udp, from, to: SocketAddr::from(([203, 0, 113, 1], 4000)) }
    }

    const DTLS: &[u8] = &[22, 254, 253];

    fn found(demux: &Demux, port: u16) -> Option<u32> {
        demux.find(&path(port), Kind::Other, DTLS)
    }

    #[test]
    fn a_packet_without_a_passed_check_is_nobodys() {
        let mut demux = Demux::default();
        demux.name(7, "abcd".into());
        assert_eq!(found(&demux, 1), None);
        demux.passed(7, path(1), None);
        assert_eq!(found(&demux, 1), Some(7));
        assert_eq!(found(&demux, 2), None);
    }

    #[test]
    fn a_forgotten_link_is_found_by_nothing() {
        let mut demux = Demux::default();
        demux.name(7, "abcd".into());
        demux.passed(7, path(1), None);
        demux.forget(7);
        assert_eq!(found(&demux, 1), None);
        assert!(demux.by_path.is_empty() && demux.by_ufrag.is_empty() && demux.paths.is_empty());
    }

    #[test]
    fn an_address_goes_to_whom_it_last_proved_itself() {
        let mut demux = Demux::default();
        demux.passed(7, path(1), None);
        demux.passed(8, path(1), None);
        assert_eq!(found(&demux, 1), Some(8));
        demux.forget(7);
        assert_eq!(found(&demux, 1), Some(8));
    }

    #[test]
    fn old_addresses_are_forgotten_in_the_end() {
        let mut demux = Demux::default();
        for port in 0..100 {
            demux.passed(7, path(port), None);
        }
        assert_eq!(demux.by_path.len(), PATHS_PER_LINK);
        assert_eq!(found(&demux, 99), Some(7));
        assert_eq!(found(&demux, 0), None);
    }

    #[test]
    fn the_address_in_use_is_kept_however_many_come() {
        let mut demux = Demux::default();
        assert!(demux.passed(7, path(0), None));
        for port in 1..100 {
            assert!(demux.passed(7, path(port), Some(path(0))));
        }
        assert!(!demux.passed(7, path(0), None), "known");
        assert_eq!((found(&demux, 0), found(&demux, 99)), (Some(7), Some(7)));
        assert_eq!(demux.by_path.len(), PATHS_PER_LINK);
    }

    #[test]
    fn first_bytes_are_told_apart_as_rfc_7983_says() {
        assert_eq!(Kind::of(&[0, 1]), Some(Kind::Stun));
        for first in [20, 63, 128, 191] {
            assert_eq!(Kind::of(&[first]), Some(Kind::Other));
        }
        for first in [4, 19, 64, 127, 192, 255] {
            assert_eq!(Kind::of(&[first]), None);
        }
        assert_eq!(Kind::of(&[]), None);
    }
}
