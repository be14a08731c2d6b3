//! What coturn's `turnutils_natdiscovery` makes of our alternate addresses (RFC 5780), where no NAT is.

#![allow(clippy::panic, reason = "a test fails where it has to")]

mod support;
mod turn_support;

use support::start;
use turn_support::{run, tool};

async fn discovered(shards: usize) {
    let server = start(&format!("media.shards = {shards}\nturn.alternate_addresses = [\"127.0.0.2\"]")).await;
    let port = server.addresses().turn[0].port().to_string();
    let report = run(tool("turnutils_natdiscovery"), &["-m", "-f", "-L", "127.0.0.1", "-p", &port, "127.0.0.1"]).await;
    for line in ["No NAT! (Endpoint Independent Mapping)", "NAT with Endpoint Independent Filtering!"] {
        assert!(report.contains(line), "{line} is not in\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn natdiscovery_finds_no_nat_on_loopback() {
    discovered(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn natdiscovery_finds_no_nat_on_whichever_shard_it_lands() {
    discovered(2).await;
}
