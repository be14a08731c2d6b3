//! Names and secrets from a seeded generator that is fit for cryptography (ChaCha12).

use madang_protocol::{LinkId, ParticipantId, SessionId, TrackId};
use rand::{RngExt, SeedableRng, distr::Alphanumeric, rngs::StdRng};

use crate::secret::Secret;

pub(crate) struct Ids(StdRng);

impl Ids {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(StdRng::from_seed(seed))
    }

    pub(crate) fn participant(&mut self) -> ParticipantId {
        ParticipantId(self.text("p_", 10))
    }

    pub(crate) fn track(&mut self) -> TrackId {
        TrackId(self.text("t_", 10))
    }

    pub(crate) fn link(&mut self) -> LinkId {
        LinkId(self.text("l_", 10))
    }

    pub(crate) fn session(&mut self) -> SessionId {
        SessionId(self.text("s_", 16))
    }

    /// 32 letters or digits: 190 bits.
    pub(crate) fn secret(&mut self) -> Secret {
        Secret::new(self.text("", 32))
    }

    fn text(&mut self, prefix: &str, length: usize) -> String {
        let letters = (&mut self.0).sample_iter(Alphanumeric).take(length).map(char::from);
        prefix.chars().chain(letters).collect()
    }
}
