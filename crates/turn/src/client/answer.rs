//! The server's answers: RFC 8489 §9.2.5 and §10, RFC 8656 §7.3 and §7.4, RFC 8016 §3.1.3.

use std::{net::SocketAddr, time::Instant};

use madang_wire::stun::{
    AddressErrorCode, AlternateDomain, AlternateServer, AttributeStaticType, DontFragment, ErrorCode, MOBILITY_TICKET,
    Message, MessageClass, UnknownAttributes, XorMappedAddress, XorRelayedAddress, optional,
};

use super::{
    Client, ClientOutput, Failed, State,
    challenge::Challenge,
    transaction::{Purpose, Transaction},
};

/// Answers to a challenge of one request: the first 401, and nonces that aged meanwhile.
const CHALLENGES: u32 = 3;
/// Servers at most that may send a client on to the next.
const REDIRECTIONS: usize = 3;
/// Mobility Forbidden: RFC 8016 §3.1.2.
const MOBILITY_FORBIDDEN: u16 = 405;

impl Client {
    pub(super) fn message(&mut self, now: Instant, message: &Message<'_>) {
        if message.class() == MessageClass::Indication {
            return self.indication(message);
        }
        let Some(index) = self.transactions.iter().position(|known| known.id == message.transaction_id()) else {
            return;
        };
        let is_signed = self.challenge.as_ref().is_some_and(|challenge| challenge.has_signed(message));
        match message.class() {
            // RFC 8489 §9.2.5: an answer that is not signed is none.
            MessageClass::Success if is_signed => {
                let purpose = self.transactions.swap_remove(index).purpose;
                self.succeeded(now, purpose, message);
            }
            MessageClass::Error => {
                let Ok(Some(code)) = optional::<ErrorCode>(message) else { return };
                let may_be_unsigned =
                    matches!(code.code(), ErrorCode::BAD_REQUEST | ErrorCode::UNAUTHORIZED | ErrorCode::STALE_NONCE);
                if is_signed || may_be_unsigned || self.challenge.is_none() {
                    let transaction = self.transactions.swap_remove(index);
                    self.refused(now, &transaction, message, &code);
                }
            }
            _ => {}
        }
    }

    fn succeeded(&mut self, now: Instant, purpose: Purpose, message: &Message<'_>) {
        match purpose {
            Purpose::Allocate => self.opened(now, message),
            Purpose::Refresh(0) => self.fail(Failed::Closed),
            Purpose::Refresh(_) => {
                self.keep_ticket(message);
                self.allocated(now, message);
            }
            Purpose::Move(_) => {
                self.keep_ticket(message);
                self.allocated(now, message);
                self.moved(now);
            }
            Purpose::Permit(address) => self.permitted(now, address),
            Purpose::Bind(address, _) => {
                if let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == address) {
                    peer.bound(now);
                }
            }
        }
    }

    fn opened(&mut self, now: Instant, message: &Message<'_>) {
        let id = message.transaction_id();
        let Ok(Some(relayed)) = optional::<XorRelayedAddress>(message) else {
            return self.fail(Failed::Malformed);
        };
        // RFC 8656 §7.3: two of these for two families.
        let additional = message.nth_attribute::<XorRelayedAddress>(1).ok().map(|second| second.addr(id));
        let mapped = optional::<XorMappedAddress>(message).ok().flatten().map(|mapped| mapped.addr(id));
        self.keep_ticket(message);
        self.allocated(now, message);
        self.outputs.push_back(ClientOutput::Allocated { relayed: relayed.addr(id), additional, mapped });
        if let Ok(Some(refused)) = optional::<AddressErrorCode>(message) {
            let (family, code) = (refused.family(), refused.error().code());
            self.outputs.push_back(ClientOutput::FamilyRefused { family, code });
        }
    }

    /// RFC 8016 §3.1.3: the newest is the one that counts.
    fn keep_ticket(&mut self, message: &Message<'_>) {
        if !self.config.wishes.mobility {
            return;
        }
        if let Some(ticket) = message.raw_attribute(MOBILITY_TICKET).filter(|ticket| !ticket.value.is_empty()) {
            self.ticket = Some(ticket.value.to_vec());
        }
    }

    fn permitted(&mut self, now: Instant, address: SocketAddr) {
        let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == address) else { return };
        let channel = peer.channel;
        if let Some(waiting) = peer.permitted(now) {
            for data in waiting {
                self.indicate(address, &data);
            }
            if !self.config.wishes.dont_fragment {
                self.request(now, Purpose::Bind(address, channel), 0);
            }
        }
    }

    fn refused(&mut self, now: Instant, transaction: &Transaction, message: &Message<'_>, code: &ErrorCode) {
        let (purpose, challenges) = (transaction.purpose, transaction.challenges);
        let is_first = self.challenge.is_none();
        let may_answer = match code.code() {
            ErrorCode::UNAUTHORIZED => is_first,
            ErrorCode::STALE_NONCE => challenges < CHALLENGES,
            _ => false,
        };
        if may_answer {
            match Challenge::read(message, &self.config, self.challenge.as_ref()) {
                Ok(challenge) => {
                    self.challenge = Some(challenge);
                    self.request(now, purpose, challenges + 1);
                }
                Err(why) => self.fail(why),
            }
            return;
        }
        match purpose {
            Purpose::Allocate if code.code() == ErrorCode::TRY_ALTERNATE => self.redirected(now, message),
            Purpose::Allocate if self.lowers_wishes(message, code.code()) => self.request(now, purpose, challenges),
            Purpose::Allocate | Purpose::Refresh(1..) | Purpose::Move(_) => {
                self.fail(Failed::Refused { code: code.code(), reason: code.reason().to_owned() });
            }
            Purpose::Refresh(0) => self.fail(Failed::Closed),
            Purpose::Permit(peer) => self.refuse_peer(peer, code.code()),
            // The permission holds; data goes by indications.
            Purpose::Bind(..) => {}
        }
    }

    /// Whether an Allocate may be tried again without what the server can't or won't do. Each wish
    /// is given up once, so it ends.
    fn lowers_wishes(&mut self, message: &Message<'_>, code: u16) -> bool {
        let wishes = &mut self.config.wishes;
        match code {
            MOBILITY_FORBIDDEN => std::mem::take(&mut wishes.mobility),
            // RFC 8656 §7.4: DONT-FRAGMENT is what a server may not know.
            ErrorCode::UNKNOWN_ATTRIBUTE => {
                let unknown = optional::<UnknownAttributes>(message).ok().flatten();
                let is_it = unknown.is_some_and(|unknown| unknown.has_attribute(DontFragment::TYPE));
                is_it && std::mem::take(&mut wishes.dont_fragment)
            }
            _ => false,
        }
    }

    /// RFC 8489 §10: the same request to another server over the same transport, with the same
    /// credentials. Before a challenge nobody can sign, so the first answer is believed as it is;
    /// a redirection that follows a challenge came here because it was signed.
    fn redirected(&mut self, now: Instant, message: &Message<'_>) {
        let Ok(Some(alternate)) = optional::<AlternateServer>(message) else {
            return self.fail(Failed::Malformed);
        };
        let to = alternate.server();
        let is_reachable = to.port() != 0 && !to.ip().is_unspecified() && !to.ip().is_multicast();
        let same_family = self.config.server.is_none_or(|server| server.is_ipv4() == to.is_ipv4());
        if !is_reachable || !same_family {
            return self.fail(Failed::Malformed);
        }
        let redirections = self.left.len() - usize::from(self.config.server.is_some());
        if redirections >= REDIRECTIONS || self.left.contains(&to) {
            return self.fail(Failed::Circle);
        }
        self.left.push(to);
        let domain = optional::<AlternateDomain>(message).ok().flatten().map(|domain| domain.domain().to_owned());
        self.challenge = None;
        self.transactions.clear();
        self.state = State::Allocating;
        self.outputs.push_back(ClientOutput::Redirected { to, domain });
        self.request(now, Purpose::Allocate, 0);
    }

    fn refuse_peer(&mut self, address: SocketAddr, code: u16) {
        if let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == address) {
            peer.refused();
            self.outputs.push_back(ClientOutput::PeerRefused { peer: address, code });
        }
    }
}
