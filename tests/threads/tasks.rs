//! Deltas from async tasks, on an executor that polls each task on another thread every time.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use atomik_core::{Add, Counter, FanIn, TableFanIn};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Polls tasks on two threads until all are done. A task that is not done goes to the other thread.
fn run(tasks: Vec<Task>) {
    let left = Arc::new(AtomicUsize::new(tasks.len()));
    let (here, other) = (channel::<Task>(), channel::<Task>());
    for task in tasks {
        here.0.send(task).unwrap();
    }
    let poll_all = |tasks: Receiver<Task>, other: Sender<Task>, left: Arc<AtomicUsize>| {
        while left.load(Ordering::Acquire) > 0 {
            let Ok(mut task) = tasks.try_recv() else {
                thread::yield_now();
                continue;
            };
            match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(()) => drop(left.fetch_sub(1, Ordering::Release)),
                // The other thread has ended only if no task was left.
                Poll::Pending => other.send(task).unwrap(),
            }
        }
        // Kept until here, so that the other thread can send.
        drop(tasks);
    };
    thread::scope(|scope| {
        let (to_here, to_other) = (here.0.clone(), other.0.clone());
        let lefts = (Arc::clone(&left), Arc::clone(&left));
        scope.spawn(move || poll_all(here.1, to_other, lefts.0));
        scope.spawn(move || poll_all(other.1, to_here, lefts.1));
    });
}

/// Gives the thread up once.
async fn yield_now() {
    let mut polled = false;
    poll_fn(|_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[test]
fn tasks_that_move_between_threads_lose_no_delta() {
    const TASKS: u64 = 50;
    const ROUNDS: u64 = 200;
    let (by_thread, by_task) = (Arc::new(FanIn::<Add>::new(0)), Arc::new(FanIn::<Add>::new(0)));
    let (table, context) = (Arc::new(TableFanIn::<Add>::new(2)), Arc::new(Counter::new(0)));
    let moved = Arc::new(AtomicUsize::new(0));
    let task = |_| {
        let (by_thread, table, context) = (by_thread.clone(), table.clone(), context.clone());
        let (mut producer, mut table_producer) = (by_task.producer_owned(), table.producer_owned());
        let moved = moved.clone();
        let task: Task = Box::pin(async move {
            let mut last: Option<ThreadId> = None;
            for _ in 0..ROUNDS {
                by_thread.accum(1);
                table.accum(0, 1);
                // Kept across an await: a producer goes where its task goes.
                producer.accum(1);
                table_producer.accum(1, 1);
                context.accum(1);
                let here = thread::current().id();
                if last.replace(here).is_some_and(|last| last != here) {
                    moved.fetch_add(1, Ordering::Relaxed);
                }
                yield_now().await;
            }
        });
        task
    };
    run((0..TASKS).map(task).collect());
    let total = TASKS * ROUNDS;
    assert_eq!((by_thread.read(), by_task.read(), context.read()), (total, total, total));
    assert_eq!((table.read(0), table.read(1)), (total, total));
    assert_eq!(moved.load(Ordering::Relaxed) as u64, TASKS * (ROUNDS - 1), "a task stayed on its thread");
}
