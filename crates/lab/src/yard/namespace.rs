//! A network namespace.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const PREFIX: &str = "natlab";
const FOLDER: &str = "/run/netns";

/// A network namespace with its loopback up. It is removed when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

static MADE: AtomicU32 = AtomicU32::new(0);

impl Namespace {
    /// A new one.
    ///
    /// # Errors
    /// It is not permitted, or `ip` and `nsenter` are missing.
    pub fn new(label: &str) -> io::Result<Self> {
        let name = format!("{PREFIX}-{}-{}-{label}", process::id(), MADE.fetch_add(1, Relaxed));
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let made = Self { name };
        made.run("ip link set lo up")?;
        // What has only an address of its own link's would send from it.
        made.run("sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")?;
        Ok(made)
    }

    /// Its name under /run/netns.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        // `ip netns exec` mounts /sys too, which not every root may.
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={FOLDER}/{}", self.name)).arg(program);
        command
    }

    /// Runs a command of plain words inside, and returns what it printed.
    ///
    /// # Errors
    /// It could not be started, or it failed; with what it said.
    pub fn run(&self, words: &str) -> io::Result<String> {
        let mut words = words.split_whitespace();
        run(self.command(words.next().unwrap_or_default()).args(words))
    }

    /// Does something in a thread that is inside: sockets which are opened there stay there.
    ///
    /// # Errors
    /// The namespace can't be entered, or what the work failed with.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let space = File::open(format!("{FOLDER}/{}", self.name))?;
        thread::scope(|scope| {
            let working = scope.spawn(move || {
                move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
                work()
            });
            working.join().unwrap_or_else(|_| Err(io::Error::other("the work panicked")))
        })
    }

    /// Makes it pass packets on.
    pub(super) fn forward(&self) -> io::Result<()> {
        let settings = "net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0";
        self.run(&format!("sysctl -q -w {settings} net.ipv4.conf.all.send_redirects=0")).map(|_| ())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run(Command::new("ip").args(["netns", "del", &self.name]));
    }
}

/// Runs a command to its end, and returns what it printed.
pub(super) fn run(command: &mut Command) -> io::Result<String> {
    let done = command.output()?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr).trim())))
}

/// Removes what tests that were killed have left.
pub(super) fn remove_abandoned() -> io::Result<()> {
    let Ok(entries) = std::fs::read_dir(FOLDER) else { return Ok(()) };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let owner =
            name.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('-')).and_then(|rest| rest.split('-').next());
        let Some(owner) = owner.and_then(|text| text.parse::<u32>().ok()) else { continue };
        if !std::fs::exists(format!("/proc/{owner}"))? {
            // Another test may be at the same work.
            let _ = run(Command::new("ip").args(["netns", "del", &name]));
        }
    }
    Ok(())
}
