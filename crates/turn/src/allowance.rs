//! How fast the data of a TCP relay may go: it passes through the shell alone, which asks here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{Bandwidth, Quota, bucket::Bucket, quota::Account};

/// What one connection between a client and a peer may carry, of what its allocation, its user and
/// all together may. Clones are of the same.
#[derive(Clone, Debug)]
pub struct Allowance {
    pub(crate) bandwidth: Bandwidth,
    pub(crate) quota: Arc<Quota>,
    pub(crate) account: Arc<Account>,
    /// The allocation's own, shared by its connections.
    pub(crate) own: Arc<Bucket>,
}

impl Allowance {
    /// An allowance of which nobody else takes a part.
    #[must_use]
    pub fn apart(bandwidth: Bandwidth, now: Instant) -> Self {
        let (quota, account) = (Arc::new(Quota::new(now)), Arc::new(Account::new("".into())));
        Self { bandwidth, quota, account, own: Arc::default() }
    }

    /// Counts bytes that have been carried, in either direction; says how long to wait before more
    /// are read. TCP slows its sender down meanwhile, so that nothing is lost.
    #[must_use]
    pub fn charge(&self, now: Instant, bytes: usize) -> Duration {
        let epoch = self.quota.epoch();
        let Bandwidth { per_allocation, per_user, total } = self.bandwidth;
        let all = [(&*self.own, per_allocation), (self.account.bucket(), per_user), (self.quota.total(), total)];
        let limited = all.into_iter().filter(|(_, per_second)| *per_second > 0);
        limited.map(|(bucket, per_second)| bucket.charge(epoch, now, per_second, bytes)).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_limit_says_how_long_to_wait() {
        let begin = Instant::now();
        let wait = |per_allocation, per_user, total| {
            Allowance::apart(Bandwidth { per_allocation, per_user, total }, begin).charge(begin, 4000)
        };
        assert_eq!(wait(0, 0, 0), Duration::ZERO, "no limit");
        assert_eq!(wait(1000, 0, 0), Duration::from_secs(3));
        assert_eq!(wait(2000, 1000, 4000), Duration::from_secs(3));
        assert_eq!(wait(0, 8000, 2000), Duration::from_secs(1));
    }
}
