//! Requests that wait for their reply: after a resume, those that the server never had are sent
//! again.

use std::collections::VecDeque;

use madang_protocol::{ClientFrame, ClientMessage, RequestId};

/// More than this and the oldest is forgotten: it will not be sent again.
const MOST: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Requests {
    newest: u64,
    waiting: VecDeque<ClientFrame>,
}

impl Requests {
    /// Numbers a request and keeps it.
    pub(super) fn add(&mut self, message: ClientMessage) -> &ClientFrame {
        self.newest += 1;
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back(ClientFrame { id: Some(RequestId(self.newest)), message });
        // It was pushed on the line above.
        &self.waiting[self.waiting.len() - 1]
    }

    /// A number for a request that is not sent again.
    pub(super) fn number(&mut self) -> RequestId {
        self.newest += 1;
        RequestId(self.newest)
    }

    pub(super) fn answered(&mut self, id: RequestId) {
        self.waiting.retain(|frame| frame.id != Some(id));
    }

    /// Forgets those that the server had, and gives those that it did not.
    pub(super) fn after(&mut self, last: Option<RequestId>) -> impl Iterator<Item = &ClientFrame> {
        self.waiting.retain(|frame| frame.id > last);
        self.waiting.iter()
    }

    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }
}
