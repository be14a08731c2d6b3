//! Threads for what takes milliseconds, and the queue before them.

use std::{
    collections::VecDeque,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};
use rustix::time::{ClockId, clock_gettime};

use super::metrics::PoolMetrics;

/// What can be given to a [`Pool`].
pub(crate) trait Work: Send + 'static {
    /// Goes before all that is not.
    fn is_urgent(&self) -> bool;

    /// What it is, in a word, for metrics.
    fn part(&self) -> &'static str;

    /// Does it.
    fn run(&mut self);

    /// How much processor time it took.
    fn set_took(&mut self, took: Duration);

    /// It has panicked.
    fn set_failed(&mut self);
}

/// Brings a job back to whom it came from, without waiting for anybody.
type GiveBack<J> = Arc<dyn Fn(Box<J>) + Send + Sync>;

/// A job in the queue.
struct Waiting<J> {
    job: Box<J>,
    since: Instant,
    give_back: GiveBack<J>,
}

/// So many urgent jobs wait before the other threads help: they run at lower priority, and where the
/// machine is busy they would hold up what they take.
const BACKLOG: usize = 2;

/// Which jobs a thread takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// The one thread that is always free for sound, and no less important than any other: it has
    /// little to do, and a gap is heard.
    Urgent,
    /// Pictures, which come after all that forwards.
    All,
}

struct Queue<J> {
    urgent: VecDeque<Waiting<J>>,
    others: VecDeque<Waiting<J>>,
    is_closed: bool,
}

impl<J: Work> Queue<J> {
    const fn new() -> Self {
        Self { urgent: VecDeque::new(), others: VecDeque::new(), is_closed: false }
    }

    fn push(&mut self, waiting: Waiting<J>) {
        let queue = if waiting.job.is_urgent() { &mut self.urgent } else { &mut self.others };
        queue.push_back(waiting);
    }

    fn pop(&mut self, takes: Takes) -> Option<Waiting<J>> {
        match takes {
            Takes::Urgent => self.urgent.pop_front(),
            Takes::All if self.urgent.len() >= BACKLOG => self.urgent.pop_front(),
            Takes::All => self.others.pop_front(),
        }
    }
}

/// What the threads and the senders share. Whoever holds the lock does nothing but move jobs.
struct Shared<J> {
    queue: Mutex<Queue<J>>,
    /// Something urgent is in the queue: for the thread that takes nothing else.
    urgent: Condvar,
    any: Condvar,
    metrics: PoolMetrics,
}

impl<J: Work> Shared<J> {
    /// The next job; none when the pool ends.
    fn next(&self, takes: Takes) -> Option<Waiting<J>> {
        let news = if takes == Takes::Urgent { &self.urgent } else { &self.any };
        let mut queue = self.queue.lock();
        while !queue.is_closed {
            if let Some(waiting) = queue.pop(takes) {
                return Some(waiting);
            }
            news.wait(&mut queue);
        }
        None
    }

    fn serve(&self, takes: Takes) {
        if takes == Takes::All {
            lower_priority();
        }
        while let Some(Waiting { mut job, since, give_back }) = self.next(takes) {
            self.metrics.begun(job.part(), since.elapsed());
            let began = processor_time();
            let done = catch_unwind(AssertUnwindSafe(|| job.run()));
            job.set_took(processor_time().saturating_sub(began));
            if let Err(why) = done {
                job.set_failed();
                tracing::error!(part = job.part(), why = told(&*why), "a job of a mixer panicked; please tell us");
            }
            give_back(job);
        }
    }
}

/// The threads. Dropping it waits until each has done what it is at; what is still in the queue
/// then is dropped, for nobody is left to take it.
pub(crate) struct Pool<J: Work> {
    shared: Arc<Shared<J>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl<J: Work> Pool<J> {
    /// So many threads for everything, 0 for one on each core, and one for what is urgent.
    pub(crate) fn start(threads: usize, metrics: PoolMetrics) -> io::Result<Self> {
        let threads = match threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let (queue, urgent, any) = (Mutex::new(Queue::new()), Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { queue, urgent, any, metrics });
        // From here on, dropping it ends those that have begun.
        let mut pool = Self { shared, threads: Vec::new() };
        pool.begin("mix-sound".to_owned(), Takes::Urgent)?;
        for index in 0..threads {
            pool.begin(format!("mix-{index}"), Takes::All)?;
        }
        Ok(pool)
    }

    fn begin(&mut self, name: String, takes: Takes) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        self.threads.push(thread::Builder::new().name(name).spawn(move || shared.serve(takes))?);
        Ok(())
    }

    /// The way in, for somebody who gets jobs back by `give_back`: on a thread of the pool, which
    /// it does not hold up.
    pub(crate) fn sender(&self, give_back: impl Fn(Box<J>) + Send + Sync + 'static) -> JobSender<J> {
        JobSender { shared: Arc::clone(&self.shared), give_back: Arc::new(give_back) }
    }

    /// No job is begun any more.
    pub(crate) fn close(&self) {
        self.shared.queue.lock().is_closed = true;
        self.shared.urgent.notify_all();
        self.shared.any.notify_all();
    }
}

impl<J: Work> Drop for Pool<J> {
    fn drop(&mut self) {
        self.close();
        for thread in self.threads.drain(..) {
            // Panics are caught within.
            let _ = thread.join();
        }
        let mut queue = self.shared.queue.lock();
        (queue.urgent, queue.others) = Default::default();
    }
}

impl<J: Work> fmt::Debug for Pool<J> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}

/// The way into a pool.
pub(crate) struct JobSender<J> {
    shared: Arc<Shared<J>>,
    give_back: GiveBack<J>,
}

impl<J: Work> JobSender<J> {
    /// Puts them in the queue, in their order. Every one comes back, unless the pool ends.
    pub(crate) fn send(&self, jobs: &mut Vec<Box<J>>) {
        if jobs.is_empty() {
            return;
        }
        let (count, urgent) = (jobs.len(), jobs.iter().filter(|job| job.is_urgent()).count());
        let since = Instant::now();
        self.shared.metrics.sent(count);
        let mut queue = self.shared.queue.lock();
        if !queue.is_closed {
            let waiting = |job| Waiting { job, since, give_back: Arc::clone(&self.give_back) };
            jobs.drain(..).for_each(|job| queue.push(waiting(job)));
        }
        drop(queue);
        jobs.clear();
        if urgent > 0 {
            self.shared.urgent.notify_one();
        }
        // Also for what is urgent: the thread for it may be at something.
        (0..count).for_each(|_| {
            self.shared.any.notify_one();
        });
    }
}

/// Packets before pictures: a shard that has something to forward is to get the core at once, and
/// what mixers do can wait a little. With this, a shard weighs about nine times as much.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// For the calling thread.
pub(super) fn lower_priority() {
    // Elsewhere than on Linux this would be for the whole process.
    #[cfg(target_os = "linux")]
    if let Err(why) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%why, "a thread of the mixers has the priority of all others");
    }
}

/// What the calling thread has used so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// What a panic says.
fn told(why: &(dyn std::any::Any + Send)) -> &str {
    let text = why.downcast_ref::<&str>().copied();
    text.or_else(|| why.downcast_ref::<String>().map(String::as_str)).unwrap_or("nothing more is known")
}

#[cfg(test)]
mod tests {
    use std::{
        hint::black_box,
        sync::mpsc::{self, Receiver, Sender},
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Runs a closure.
    struct Task {
        number: usize,
        urgent: bool,
        task: Box<dyn FnMut() + Send>,
        took: Option<Duration>,
        failed: bool,
    }

    impl Work for Task {
        fn is_urgent(&self) -> bool {
            self.urgent
        }

        fn part(&self) -> &'static str {
            if self.urgent { "sound" } else { "picture" }
        }

        fn run(&mut self) {
            (self.task)();
        }

        fn set_took(&mut self, took: Duration) {
            self.took = Some(took);
        }

        fn set_failed(&mut self) {
            self.failed = true;
        }
    }

    fn task(number: usize, urgent: bool, task: impl FnMut() + Send + 'static) -> Box<Task> {
        Box::new(Task { number, urgent, task: Box::new(task), took: None, failed: false })
    }

    fn pool(threads: usize) -> Pool<Task> {
        Pool::start(threads, PoolMetrics::default()).expect("threads")
    }

    fn sender(pool: &Pool<Task>) -> (JobSender<Task>, Receiver<Box<Task>>) {
        let (back, done) = mpsc::channel();
        (pool.sender(move |job| drop(back.send(job))), done)
    }

    /// A task that is at it until the sender is dropped, and says when it has begun.
    fn busy(number: usize, urgent: bool) -> (Box<Task>, Sender<()>, Receiver<()>) {
        let (end, ended) = mpsc::channel::<()>();
        let (begin, begun) = mpsc::channel();
        let work = move || {
            let _ = begin.send(());
            let _ = ended.recv();
        };
        (task(number, urgent, work), end, begun)
    }

    fn numbers(done: &Receiver<Box<Task>>, count: usize) -> Vec<usize> {
        (0..count).map(|_| done.recv_timeout(PATIENCE).expect("it comes back").number).collect()
    }

    #[test]
    fn what_is_urgent_goes_first_and_the_rest_in_its_order() {
        let mut queue = Queue::new();
        for (number, urgent) in [(1, false), (2, true), (3, false), (4, true), (5, false)] {
            let (job, give_back) = (task(number, urgent, || {}), Arc::new(drop));
            queue.push(Waiting { job, since: Instant::now(), give_back });
        }
        let mut order = |takes| -> Vec<usize> {
            std::iter::from_fn(|| queue.pop(takes)).map(|waiting| waiting.job.number).collect()
        };
        assert_eq!(order(Takes::All), [2, 1, 3, 5], "it helps where two wait");
        assert_eq!(order(Takes::Urgent), [4]);
    }

    #[test]
    fn sound_is_done_while_every_other_thread_is_busy() {
        let pool = pool(2);
        let (jobs, done) = sender(&pool);
        let ((one, end_one, one_began), (two, end_two, two_began)) = (busy(1, false), busy(2, false));
        jobs.send(&mut vec![one, two]);
        one_began.recv_timeout(PATIENCE).expect("it begins");
        two_began.recv_timeout(PATIENCE).expect("it begins");
        jobs.send(&mut vec![task(3, false, || {}), task(4, true, || {}), task(5, true, || {})]);
        assert_eq!(numbers(&done, 2), [4, 5]);
        assert_eq!(pool.shared.metrics.waiting(), 1);
        drop((end_one, end_two));
        let mut rest = numbers(&done, 3);
        rest.sort_unstable();
        assert_eq!((rest, pool.shared.metrics.waiting()), (vec![1, 2, 3], 0));
    }

    #[test]
    fn other_threads_help_with_sound() {
        let pool = pool(1);
        let (jobs, done) = sender(&pool);
        let ((one, end_one, one_began), (two, end_two, two_began)) = (busy(1, true), busy(2, true));
        jobs.send(&mut vec![one]);
        one_began.recv_timeout(PATIENCE).expect("it begins");
        jobs.send(&mut vec![two, task(3, true, || {})]);
        two_began.recv_timeout(PATIENCE).expect("it begins beside the first");
        drop((end_one, end_two));
        numbers(&done, 3);
    }

    #[test]
    fn a_job_that_panics_comes_back_and_its_thread_lives() {
        let pool = pool(1);
        let (jobs, done) = sender(&pool);
        #[expect(clippy::panic, reason = "that is what is tried")]
        let mut bad = vec![task(1, false, || panic!("a fault")), task(2, true, || panic!("a {}", "fault"))];
        jobs.send(&mut bad);
        let mut back = numbers(&done, 2);
        back.sort_unstable();
        assert_eq!(back, [1, 2]);
        jobs.send(&mut vec![task(3, false, || {})]);
        assert_eq!(numbers(&done, 1), [3]);
        assert!(pool.threads.iter().all(|thread| !thread.is_finished()));
    }

    #[test]
    fn thousands_of_jobs_of_several_threads_all_come_back_to_whom_they_came_from() {
        const EACH: usize = 3000;
        let pool = pool(3);
        thread::scope(|scope| {
            for _ in 0..4 {
                let (jobs, done) = sender(&pool);
                scope.spawn(move || {
                    for first in (0..EACH).step_by(3) {
                        let job = |number| task(number, number % 5 == 0, || {});
                        jobs.send(&mut (first..first + 3).map(job).collect());
                    }
                    let mut all = numbers(&done, EACH);
                    all.sort_unstable();
                    assert!(all.into_iter().eq(0..EACH));
                    assert!(done.try_recv().is_err(), "nobody else's come");
                });
            }
        });
        assert_eq!(pool.shared.metrics.waiting(), 0);
    }

    #[test]
    fn the_processor_time_is_what_the_job_used_and_not_what_it_slept() {
        let pool = pool(1);
        let (jobs, done) = sender(&pool);
        let used = Duration::from_millis(20);
        let compute = move || {
            let began = processor_time();
            while processor_time() - began < used {
                black_box((0..1000_u64).map(black_box).sum::<u64>());
            }
        };
        jobs.send(&mut vec![task(1, false, compute)]);
        let took = done.recv_timeout(PATIENCE).expect("it comes back").took;
        assert!(took.is_some_and(|took| took >= used), "{took:?}");
        let sleep = || thread::sleep(Duration::from_millis(300));
        jobs.send(&mut vec![task(2, false, sleep)]);
        let took = done.recv_timeout(PATIENCE).expect("it comes back").took;
        assert!(took.is_some_and(|took| took < Duration::from_millis(150)), "{took:?}");
    }

    #[test]
    fn a_pool_that_ends_finishes_what_it_is_at_and_begins_nothing() {
        let pool = pool(1);
        let (jobs, done) = sender(&pool);
        let (first, end, began) = busy(1, false);
        jobs.send(&mut vec![first]);
        began.recv_timeout(PATIENCE).expect("it begins");
        jobs.send(&mut vec![task(2, false, || {})]);
        let ending = thread::spawn(move || drop(pool));
        while !jobs.shared.queue.lock().is_closed {
            thread::yield_now();
        }
        assert!(!ending.is_finished(), "it waits");
        drop(end);
        ending.join().expect("it ends");
        jobs.send(&mut vec![task(3, true, || {})]);
        let back: Vec<_> = done.try_iter().map(|job| job.number).collect();
        assert_eq!(back, [1]);
        drop(jobs);
        assert!(done.recv().is_err(), "nobody holds the way back any more");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn its_threads_are_nicer_than_others_and_have_names() {
        let pool = pool(1);
        let (jobs, done) = sender(&pool);
        let (tell, told) = mpsc::channel();
        let look = move || {
            let nice = rustix::process::getpriority_process(None).expect("it can be read");
            let _ = tell.send((nice, thread::current().name().map(str::to_owned)));
        };
        let before = rustix::process::getpriority_process(None).expect("it can be read");
        jobs.send(&mut vec![task(1, false, look)]);
        numbers(&done, 1);
        let (nice, name) = told.try_recv().expect("it looked");
        assert_eq!(nice, NICENESS.max(before));
        assert_eq!(name.as_deref(), Some("mix-0"));
        assert_eq!(rustix::process::getpriority_process(None).ok(), Some(before), "this thread is as it was");
    }
}
