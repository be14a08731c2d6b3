//! A participant's signaling session: it outlives its connection by the resume grace.

use std::time::Instant;

use madang_protocol::{RequestId, SessionId};

use crate::{io::ConnectionId, ring::Ring, secret::Secret};

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) ring: Ring,
    pub(crate) attachment: Attachment,
    /// The newest request that came from the client.
    pub(crate) last_request: Option<RequestId>,
    secret: Secret,
    /// The secret before, until the client shows that the new one reached it: a connection may
    /// die between the server's rotation and the client's receipt.
    previous: Option<Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attachment {
    /// A `welcome` is being made; what happens meanwhile is in it.
    Joining,
    Connected(ConnectionId),
    Away {
        until: Instant,
    },
}

impl Session {
    pub(crate) fn new(id: SessionId, secret: Secret, ring: Ring) -> Self {
        Self { id, ring, attachment: Attachment::Joining, last_request: None, secret, previous: None }
    }

    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        match self.attachment {
            Attachment::Connected(connection) => Some(connection),
            Attachment::Joining | Attachment::Away { .. } => None,
        }
    }

    pub(crate) fn accepts(&self, given: &str) -> bool {
        // Both are compared whatever the first says, so that time tells nothing.
        let newest = self.secret.matches(given);
        let previous = self.previous.as_ref().is_some_and(|secret| secret.matches(given));
        newest | previous
    }

    /// `given` is the secret that was accepted: if it was the previous one, the newest never
    /// arrived, and the previous one stays good.
    pub(crate) fn rotate(&mut self, given: &str, next: Secret) {
        let used = if self.secret.matches(given) { Some(self.secret.clone()) } else { self.previous.take() };
        self.previous = used;
        self.secret = next;
    }

    /// The client has spoken on its new connection, so it has the newest secret.
    pub(crate) fn spoke(&mut self, request: Option<RequestId>) {
        self.previous = None;
        self.last_request = request.or(self.last_request);
    }

    pub(crate) fn reveal_secret(&self) -> String {
        self.secret.reveal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn session() -> Session {
        Session::new(SessionId::from("s_0123456789abcdef"), secret("one"), Ring::new(10, 1000))
    }

    #[test]
    fn a_secret_is_spent_once_the_client_has_the_next() {
        let mut session = session();
        assert!(session.accepts("one"));
        session.rotate("one", secret("two"));
        session.spoke(None);
        assert!(!session.accepts("one"));
        assert!(session.accepts("two"));
    }

    #[test]
    fn a_secret_stays_good_while_the_next_may_not_have_arrived() {
        let mut session = session();
        session.rotate("one", secret("two"));
        assert!(session.accepts("one"));
        session.rotate("one", secret("three"));
        assert!(session.accepts("one"));
        assert!(!session.accepts("two"), "it was never delivered");
        assert!(session.accepts("three"));
    }
}
