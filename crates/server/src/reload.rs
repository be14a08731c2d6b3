//! Taking over a changed configuration without touching what lives.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{
    config::{Change, Config},
    listen::Permits,
    server::App,
    tls::{Tls, TlsError},
};

/// What a server that runs can change, and what it runs with.
pub(crate) struct Reloader {
    running: Mutex<Config>,
    app: Arc<App>,
    tls: Option<Arc<Tls>>,
    web: Permits,
}

impl Reloader {
    pub(crate) fn new(app: Arc<App>, tls: Option<Arc<Tls>>, web: Permits) -> Self {
        Self { running: Mutex::new(app.config.clone()), app, tls, web }
    }

    /// Takes over what can be; says what is another than before, and what needs a restart.
    pub(crate) fn reload(&self, new: &Config) -> Result<Vec<Change>, TlsError> {
        let mut running = self.running.lock();
        let changes = running.changes(new);
        let mut next = running.clone();
        next.take_over(new);
        // The certificate first, for it alone can fail, and then nothing has changed yet.
        if let Some(tls) = &self.tls {
            tls.reload(&next.tls)?;
        }
        self.web.limit(next.http.max_connections, next.http.max_connections_per_address);
        if changes.iter().any(|change| change.live && change.key.starts_with("turn.")) {
            self.app.ice.reload(&next.turn);
        }
        *running = next;
        Ok(changes)
    }
}
