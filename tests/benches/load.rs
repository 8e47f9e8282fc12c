//! Callers: as fast as they can one after the other (for throughput), or at a fixed rate (for latency).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use crate::runs::sized;

/// How long a measurement of throughput takes.
pub fn takes() -> Duration {
    sized(Duration::from_millis(1_500), Duration::from_millis(500))
}

/// Somebody who asks for one thing after the other.
pub trait Caller: Send + 'static {
    /// What is learnt from an answer.
    type Answer: Send;

    /// Asks for the `n`th thing of all callers.
    fn call(&mut self, n: u64) -> impl Future<Output = Self::Answer> + Send;
}

struct Function<F>(Arc<F>);

impl<F: Fn(u64) -> A + Send + Sync + 'static, A: Future<Output = ()> + Send + 'static> Caller for Function<F> {
    type Answer = ();

    async fn call(&mut self, n: u64) {
        (self.0)(n).await;
    }
}

/// How often a second `once` ends, when `callers` call it one after the other each.
pub async fn rate<F: Future<Output = ()> + Send + 'static>(callers: usize, once: impl Fn(u64) -> F + Send + Sync + 'static) -> f64 {
    let once = Arc::new(once);
    rate_of((0..callers).map(|_| Function(Arc::clone(&once))).collect::<Vec<_>>()).await
}

/// How many answers a second the callers get, each asking again as soon as it has one.
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
    /// When it was to be sent: what comes later is latency, whatever kept it waiting.
    pub due: Instant,
    /// When its answer was there.
    pub answered: Instant,
    pub answer: A,
}

impl<A> Served<A> {
    pub fn latency(&self) -> Duration {
        self.answered - self.due
    }
}

/// Asks `per_second` times a second, whether earlier ones are answered or not; the callers are who can have one under way.
pub async fn open_loop<C: Caller>(callers: Vec<C>, per_second: u32, lasts: Duration) -> Vec<Served<C::Answer>>
where
    C::Answer: 'static,
{
    let (sender, receiver) = mpsc::unbounded_channel();
    let turn = Arc::new(Mutex::new(receiver));
    // A thread of its own: the timer of the runtime knows whole milliseconds only.
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
