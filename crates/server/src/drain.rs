//! Going down without dropping anyone: no newcomers, a moment of grace, then everyone is sent away.

use tokio::sync::watch;

/// Whether the server is going down; cheap to ask, possible to wait for.
#[derive(Clone, Debug)]
pub(crate) struct Drain(watch::Sender<bool>);

impl Drain {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn begin(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.0.borrow()
    }
}
