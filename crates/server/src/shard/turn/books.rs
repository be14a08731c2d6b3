//! Accounting: each allocation's beginning and end, as a line of the log and in the metrics.

use madang_turn::{AllocationChange, AllocationEvent};

use crate::turn::TurnMetrics;

/// See the module.
pub(super) struct Books {
    metrics: TurnMetrics,
}

impl Books {
    pub(super) fn new(metrics: TurnMetrics) -> Self {
        Self { metrics }
    }

    /// Writes a line under the name `madang::accounting`. It has the account, for that is what it
    /// is for, and no address.
    pub(super) fn enter(&self, event: &AllocationEvent) {
        let AllocationEvent { allocation, account, client, tcp, what, .. } = event;
        let transport = client.transport.name();
        match what {
            AllocationChange::Began => {
                self.metrics.began();
                tracing::info!(target: "madang::accounting", allocation, %account, transport, tcp, "an allocation begins");
            }
            AllocationChange::Ended { reason, lasted, to_peers, to_client } => {
                self.metrics.ended(*reason);
                tracing::info!(
                    target: "madang::accounting",
                    allocation,
                    %account,
                    transport,
                    tcp,
                    reason = reason.name(),
                    seconds = lasted.as_secs_f32(),
                    packets_to_peers = to_peers.packets,
                    bytes_to_peers = to_peers.bytes,
                    packets_to_client = to_client.packets,
                    bytes_to_client = to_client.bytes,
                    "an allocation ends"
                );
            }
        }
    }
}
