//! Processes that tests start.

use std::{
    io::{self, Read},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A process that is ended when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let started = command.spawn();
        started.map(|child| Self { child }).map_err(|why| io::Error::new(why.kind(), format!("{command:?}: {why}")))
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has printed, and how it ended.
#[derive(Debug)]
pub struct Finished {
    /// `None`: it took too long and was ended.
    pub status: Option<ExitStatus>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Runs a command to its end, or for as long as this.
///
/// # Errors
/// It can't be started.
pub fn finish(command: &mut Command, most: Duration) -> io::Result<Finished> {
    let mut process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let stdout = reader(process.child.stdout.take());
    let stderr = reader(process.child.stderr.take());
    let end = Instant::now() + most;
    let status = loop {
        match process.child.try_wait()? {
            None if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
            status => break status,
        }
    };
    drop(process);
    let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
    Ok(Finished { status, stdout: text(stdout), stderr: text(stderr) })
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
