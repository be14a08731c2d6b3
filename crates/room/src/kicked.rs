//! Who may not come back, for as long as the room lasts.

use std::collections::VecDeque;

use madang_protocol::SessionId;

/// Bounds the list; the oldest are forgotten first.
const KEPT: usize = 64;

/// Those whom hosts removed. A session is known by its id, and somebody with a token by the
/// identity in it; without tokens nobody can be told from a newcomer.
#[derive(Debug, Default)]
pub(crate) struct Kicked(VecDeque<(SessionId, Option<String>)>);

impl Kicked {
    pub(crate) fn add(&mut self, session: SessionId, identity: Option<String>) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((session, identity));
    }

    pub(crate) fn has_session(&self, session: &SessionId) -> bool {
        self.0.iter().any(|(kicked, _)| kicked == session)
    }

    pub(crate) fn has_identity(&self, identity: &str) -> bool {
        self.0.iter().any(|(_, kicked)| kicked.as_deref() == Some(identity))
    }
}
