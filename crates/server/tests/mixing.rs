//! A mixed room on a running server, with real codecs. What the mixer does stands in
//! `crates/media/tests`, in virtual time; this is the whole of it, with shards and the threads that
//! run its jobs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod media_support;
mod support;

use std::time::{Duration, Instant};

use madang_server::Server;
use media_support::Person;
use support::{get, metric, start};

/// Small, for debug builds on slow machines.
const SMALL: &str = "media.shards = 1\nmix.size = \"320x176\"\nmix.bitrate = 300000\nroom.resume_grace = \"1s\"";

/// Waits until `/metrics` has the line.
async fn told(server: &Server, line: &str) {
    let began = Instant::now();
    loop {
        let (_, _, text) = get(server, "/metrics", "").await;
        if text.lines().any(|found| found == line) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{line} is not in {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A figure of `/metrics` that is no whole number.
async fn seconds(server: &Server, part: &str) -> f64 {
    let name = format!("madang_mix_seconds_total{{part=\"{part}\"}} ");
    let (_, _, text) = get(server, "/metrics", "").await;
    text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_people_get_one_picture_and_one_sound_each_and_the_metrics_say_what_that_takes() {
    let server = start(SMALL).await;
    let mut people = Vec::new();
    for name in ["Ada", "Bo", "Cy"] {
        people.push(Person::join_mixed(&server, "yard", name).await);
    }
    for person in &people {
        person.watches(2).await;
    }
    told(&server, "madang_mix_rooms 1").await;
    told(&server, "madang_mix_viewers 3").await;
    told(&server, "madang_mix_decoding 3").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for person in &people {
        assert_eq!((person.tracks(), person.faults()), (2, Vec::new()), "the mix and nothing else");
    }
    for name in ["decoded", "encoded", "keyframes", "sound_packets"] {
        assert!(metric(&server, &format!("madang_mix_{name}_total")).await > 0, "{name}");
    }
    assert_eq!(metric(&server, "madang_mix_decoder_faults_total").await, 0);
    for part in ["decode", "picture", "sound"] {
        assert!(seconds(&server, part).await > 0.0, "{part}");
        let run = metric(&server, &format!("madang_mix_job_wait_seconds_count{{part=\"{part}\"}}")).await;
        assert!(run > 10, "{part}: {run} jobs");
    }
    for person in people {
        person.vanish().await;
    }
    told(&server, "madang_mix_rooms 0").await;
    told(&server, "madang_mix_viewers 0").await;
    told(&server, "madang_mix_jobs_waiting 0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_in_the_middle_of_a_mix_ends() {
    let server = start(SMALL).await;
    let person = Person::join_mixed(&server, "yard", "Ada").await;
    person.watches(2).await;
    #[cfg(target_os = "linux")]
    assert!(threads_of_the_pool() > 1);
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
    person.vanish().await;
    #[cfg(target_os = "linux")]
    while threads_of_the_pool() > 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "its threads live on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(target_os = "linux")]
fn threads_of_the_pool() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with("mix-")).count()
}
