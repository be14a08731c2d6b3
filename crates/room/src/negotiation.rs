//! Offer/answer on one link (RFC 9429): which description and which candidate is current.

use madang_protocol::{Negotiation, SdpType};

use crate::refusal::Refusal;

#[derive(Debug, Default)]
pub(crate) struct Negotiating {
    /// The newest offer, 0 before the first.
    newest: Negotiation,
    answered: bool,
    /// The offer that began the present ICE generation; candidates of older ones are void.
    generation: Negotiation,
    /// The ICE user name of the present generation's offer.
    ufrag: Option<String>,
}

impl Negotiating {
    /// Checks a description and takes it in. An offer may skip numbers: one before it may have
    /// been lost with its sender's connection.
    pub(crate) fn describe(&mut self, kind: SdpType, n: Negotiation, sdp: &str) -> Result<(), Refusal> {
        match kind {
            SdpType::Offer => self.offer(n, sdp),
            SdpType::Answer => self.answer(n),
        }
    }

    fn offer(&mut self, n: Negotiation, sdp: &str) -> Result<(), Refusal> {
        if n <= self.newest {
            return Err(Refusal::Stale("an offer with this number or a later one was sent before; count up"));
        }
        // RFC 8839 §4.4.1.1.1: a restart shows in a changed user name fragment.
        let ufrag = ufrag(sdp);
        if ufrag != self.ufrag.as_deref() || self.newest == Negotiation(0) {
            self.generation = n;
            self.ufrag = ufrag.map(str::to_owned);
        }
        self.newest = n;
        self.answered = false;
        Ok(())
    }

    fn answer(&mut self, n: Negotiation) -> Result<(), Refusal> {
        if n != self.newest || n == Negotiation(0) || self.answered {
            return Err(Refusal::Stale("this answers no open offer; a newer offer is there or will come"));
        }
        self.answered = true;
        Ok(())
    }

    /// Whether this is the newest offer's number.
    pub(crate) fn is_newest(&self, n: Negotiation) -> bool {
        n == self.newest
    }

    /// Checks a candidate. Candidates of earlier offers count as long as ICE has not restarted.
    pub(crate) fn candidate(&self, n: Negotiation) -> Result<(), Refusal> {
        if n < self.generation || n > self.newest || n == Negotiation(0) {
            return Err(Refusal::Stale("the candidate belongs to no offer that is current"));
        }
        Ok(())
    }
}

/// The first `a=ice-ufrag` of an SDP. Bounded by RFC 8839 §5.4 to 256 characters.
fn ufrag(sdp: &str) -> Option<&str> {
    let value = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"))?;
    Some(value.get(..value.len().min(256)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "v=0\r\na=ice-ufrag:abcd\r\n";
    const RESTARTED: &str = "v=0\r\na=ice-ufrag:efgh\r\n";

    fn stale(result: Result<(), Refusal>) -> bool {
        matches!(result, Err(Refusal::Stale(_)))
    }

    #[test]
    fn offers_count_up_and_each_is_answered_once() {
        let mut link = Negotiating::default();
        assert!(stale(link.describe(SdpType::Answer, Negotiation(0), FIRST)));
        assert!(stale(link.describe(SdpType::Offer, Negotiation(0), FIRST)));
        assert_eq!(link.describe(SdpType::Offer, Negotiation(1), FIRST), Ok(()));
        assert!(stale(link.describe(SdpType::Offer, Negotiation(1), FIRST)));
        assert!(stale(link.describe(SdpType::Answer, Negotiation(2), FIRST)));
        assert_eq!(link.describe(SdpType::Answer, Negotiation(1), FIRST), Ok(()));
        assert!(stale(link.describe(SdpType::Answer, Negotiation(1), FIRST)));
        assert_eq!(link.describe(SdpType::Offer, Negotiation(3), FIRST), Ok(()));
        assert!(stale(link.describe(SdpType::Answer, Negotiation(1), FIRST)));
        assert_eq!(link.describe(SdpType::Answer, Negotiation(3), FIRST), Ok(()));
    }

    #[test]
    fn candidates_of_an_earlier_offer_count_until_ice_restarts() {
        let mut link = Negotiating::default();
        assert!(stale(link.candidate(Negotiation(0))));
        assert!(stale(link.candidate(Negotiation(1))));
        link.describe(SdpType::Offer, Negotiation(1), FIRST).expect("first");
        link.describe(SdpType::Offer, Negotiation(2), FIRST).expect("second");
        assert_eq!(link.candidate(Negotiation(1)), Ok(()));
        assert_eq!(link.candidate(Negotiation(2)), Ok(()));
        link.describe(SdpType::Offer, Negotiation(3), RESTARTED).expect("third");
        assert!(stale(link.candidate(Negotiation(2))));
        assert_eq!(link.candidate(Negotiation(3)), Ok(()));
        assert!(stale(link.candidate(Negotiation(4))));
    }

    #[test]
    fn a_long_or_odd_ufrag_is_cut_without_panic() {
        let long = format!("a=ice-ufrag:{}", "é".repeat(200));
        assert!(ufrag(&long).is_some_and(|ufrag| ufrag.len() <= 256));
    }
}
