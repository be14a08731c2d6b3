//! Limits of the process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the number of files that may be open, sockets among them, as far as is allowed: the
/// usual soft limit of 1024 is there for programs that use `select`.
pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(why) = raised {
        tracing::warn!(%why, "the limit of open files stays at {:?}", limit.current);
    }
}
