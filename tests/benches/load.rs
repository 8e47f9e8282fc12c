//! Callers: each repeats its request as fast as it can (for throughput), or they send at a fixed rate (for latency).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use crate::runs::sized;

/// The duration of a measurement of throughput.
pub fn takes() -> Duration {
    sized(Duration::from_millis(1_500), Duration::from_millis(500))
}

/// A caller that sends one request at a time.
pub trait Caller: Send + 'static {
    /// The caller's result of an answer.
    type Answer: Send;

    /// Sends the request with number `n` among all callers.
    fn call(&mut self, n: u64) -> impl Future<Output = Self::Answer> + Send;
}

struct Function<F>(Arc<F>);

impl<F: Fn(u64) -> A + Send + Sync + 'static, A: Future<Output = ()> + Send + 'static> Caller for Function<F> {
    type Answer = ();

    async fn call(&mut self, n: u64) {
        (self.0)(n).await;
    }
}

/// Calls of `once` per second by `callers` callers. Each caller repeats the call without a pause.
pub async fn rate<F: Future<Output = ()> + Send + 'static>(callers: usize, once: impl Fn(u64) -> F + Send + Sync + 'static) -> f64 {
    let once = Arc::new(once);
    rate_of((0..callers).map(|_| Function(Arc::clone(&once))).collect::<Vec<_>>()).await
}

/// Answers per second. Each caller sends the next request as soon as it has the answer.
pub async fn rate_of<C: Caller>(callers: Vec<C>) -> f64 {
    let (counter, lasts) = (Arc::new(AtomicU64::new(0)), takes());
    let started = Instant::now();
    let callers = callers.into_iter().map(|mut caller| {
        let counter = Arc::clone(&counter);
        tokio::spawn(async move {
            while started.elapsed() < lasts {
                caller.call(counter.fetch_add(1, Ordering::Relaxed)).await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("a caller");
    }
    counter.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// One request of an open loop.
pub struct Served<A> {
    /// The time at which the request was due. The latency counts from here, whatever delayed the request.
    pub due: Instant,
    /// The time of the answer.
    pub answered: Instant,
    pub answer: A,
}

impl<A> Served<A> {
    pub fn latency(&self) -> Duration {
        self.answered - self.due
    }
}

/// Sends `per_second` requests per second, whether earlier ones are answered or not. Each caller has at most one
/// request in progress.
pub async fn open_loop<C: Caller>(callers: Vec<C>, per_second: u32, lasts: Duration) -> Vec<Served<C::Answer>>
where
    C::Answer: 'static,
{
    let (sender, receiver) = mpsc::unbounded_channel();
    let turn = Arc::new(Mutex::new(receiver));
    // A separate thread, because the runtime's timer has a resolution of one millisecond.
    let pacing = std::thread::spawn(move || pace(per_second, lasts, &sender));
    let callers = callers.into_iter().map(|caller| tokio::spawn(answer_what_is_due(caller, Arc::clone(&turn)))).collect::<Vec<_>>();
    let mut all = Vec::new();
    for caller in callers {
        all.append(&mut caller.await.expect("a caller"));
    }
    pacing.join().expect("the pace");
    all
}

fn pace(per_second: u32, lasts: Duration, sender: &mpsc::UnboundedSender<(u64, Instant)>) {
    let begins = Instant::now() + Duration::from_millis(5);
    let period = Duration::from_secs(1) / per_second;
    for n in 0..(lasts.as_secs_f64() * f64::from(per_second)) as u32 {
        let due = begins + period * n;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if sender.send((u64::from(n), due)).is_err() {
            return;
        }
    }
}

async fn answer_what_is_due<C: Caller>(mut caller: C, turn: Arc<Mutex<mpsc::UnboundedReceiver<(u64, Instant)>>>) -> Vec<Served<C::Answer>> {
    let mut served = Vec::new();
    loop {
        let next = turn.lock().await.recv().await;
        let Some((n, due)) = next else { return served };
        let answer = caller.call(n).await;
        served.push(Served { due, answered: Instant::now(), answer });
    }
}
