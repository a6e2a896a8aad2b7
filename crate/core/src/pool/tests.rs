//! What the pool promises: limits, order, alarms, and that a panic harms nothing. No test sleeps to be in time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Barrier, atomic::AtomicUsize, atomic::Ordering};

use std::collections::VecDeque;

use super::*;

const SOON: Duration = Duration::from_secs(20);

/// A job that reports its start and then waits until its `release` is dropped.
fn held(pool: &Pool, class: Class, started: &Sender<&'static str>, name: &'static str) -> Sender<()> {
    let (release, held) = channel::<()>();
    let started = started.clone();
    pool.spawn(
        class,
        Box::new(move || {
            started.send(name).unwrap();
            let _ = held.recv();
        }),
    );
    release
}

fn next(events: &Receiver<&'static str>) -> &'static str {
    events.recv_timeout(SOON).unwrap()
}

/// Two jobs that wait for each other run at the same time, so work that could start before them has started.
fn pipeline_round_trip(pool: &Pool) {
    let (done, finished) = channel();
    pool.spawn(Class::Pipeline { device: 1 }, Box::new(move || done.send(()).unwrap()));
    finished.recv_timeout(SOON).unwrap();
}

#[test]
fn jobs_run_on_named_threads() {
    let pool = Pool::new(4);
    let (done, finished) = channel();
    pool.spawn(
        Class::Pipeline { device: 1 },
        Box::new(move || done.send(std::thread::current().name().unwrap().to_owned()).unwrap()),
    );
    assert!(finished.recv_timeout(SOON).unwrap().starts_with("varve-"));
}

#[test]
fn reading_and_background_leave_two_threads_to_the_pipeline() {
    let pool = Pool::new(6);
    let (started, events) = channel();
    let reads: Vec<_> = (0..10).map(|_| held(&pool, Class::Read, &started, "read")).collect();
    let others: Vec<_> = (0..10).map(|_| held(&pool, Class::Background, &started, "background")).collect();
    for _ in 0..4 {
        assert_eq!(next(&events), "read");
    }
    let barrier = Arc::new(Barrier::new(3));
    for _ in 0..2 {
        let barrier = Arc::clone(&barrier);
        pool.spawn(
            Class::Pipeline { device: 1 },
            Box::new(move || {
                barrier.wait();
            }),
        );
    }
    barrier.wait();
    pipeline_round_trip(&pool);
    assert!(events.try_recv().is_err(), "a fifth limited job started");
    drop((reads, others));
    let rest: Vec<_> = (0..16).map(|_| next(&events)).collect();
    assert_eq!(rest.iter().filter(|name| **name == "background").count(), 10);
}

#[test]
fn background_leaves_a_thread_to_reading() {
    let pool = Pool::new(6);
    let (started, events) = channel();
    let others: Vec<_> = (0..10).map(|_| held(&pool, Class::Background, &started, "background")).collect();
    for _ in 0..3 {
        assert_eq!(next(&events), "background");
    }
    let read = held(&pool, Class::Read, &started, "read");
    assert_eq!(next(&events), "read");
    pipeline_round_trip(&pool);
    assert!(events.try_recv().is_err(), "a fourth background job started");
    drop((read, others));
}

#[test]
fn the_pipeline_takes_every_thread_and_comes_first() {
    let pool = Pool::new(4);
    let (started, events) = channel();
    let mut held_jobs: VecDeque<_> =
        (0..4).map(|i| held(&pool, Class::Pipeline { device: i % 2 }, &started, "first")).collect();
    for _ in 0..4 {
        assert_eq!(next(&events), "first");
    }
    let background = held(&pool, Class::Background, &started, "background");
    let read = held(&pool, Class::Read, &started, "read");
    let late = held(&pool, Class::Pipeline { device: 0 }, &started, "late");
    drop(held_jobs.pop_front());
    assert_eq!(next(&events), "late");
    drop(late);
    assert_eq!(next(&events), "read");
    drop(read);
    assert_eq!(next(&events), "background");
    drop((background, held_jobs));
}

#[test]
fn one_slow_device_leaves_a_thread_to_the_others() {
    let pool = Pool::new(4);
    let (started, events) = channel();
    let slow: Vec<_> = (0..4).map(|_| held(&pool, Class::Pipeline { device: 1 }, &started, "slow")).collect();
    assert_eq!([(); 3].map(|()| next(&events)), ["slow"; 3]);
    // The fourth waits for one of the three, though a thread is free; another device finds it.
    let other = held(&pool, Class::Pipeline { device: 2 }, &started, "other");
    assert_eq!(next(&events), "other");
    drop(other);
    drop(slow);
    assert_eq!(next(&events), "slow");
}

/// How many processors the thread that runs it may use.
#[cfg(target_os = "linux")]
fn processors() -> u32 {
    rustix::thread::sched_getaffinity(None).unwrap().count()
}

#[cfg(target_os = "linux")]
#[test]
fn a_crowd_of_workers_is_spread_and_a_lone_one_runs_anywhere() {
    let pool = Pool::new(cores() + 4);
    let (places, crowd) = (Arc::new(Barrier::new(cores() + 3)), processors());
    let (tell, told) = channel();
    for _ in 0..cores() + 3 {
        let (places, tell) = (Arc::clone(&places), tell.clone());
        let job = move || {
            tell.send(processors()).unwrap();
            places.wait();
        };
        pool.spawn(Class::Pipeline { device: 1 }, Box::new(job));
    }
    let spread = (0..cores() + 3).filter(|_| told.recv_timeout(SOON).unwrap() < crowd).count();
    assert_eq!(spread, if cores() > 1 { 2 } else { 0 }, "those who came when it was a crowd");
    for _ in 0..20 {
        // A job counts as running until its worker is back, some time after what it told.
        while pool.shared.state.lock().running > 0 {
            std::thread::yield_now();
        }
        let tell = tell.clone();
        pool.spawn(Class::Pipeline { device: 1 }, Box::new(move || tell.send(processors()).unwrap()));
        assert_eq!(told.recv_timeout(SOON).unwrap(), crowd);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_worker_that_another_one_makes_while_it_is_kept_off_a_processor_may_run_anywhere() {
    let (pool, everywhere) = (Pool::new(4), processors());
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // As a worker of a crowd that hands work on.
            Place::of_this_thread().keep_off_number(0);
            pool.spawn(Class::Pipeline { device: 1 }, Box::new(move || tell.send(processors()).unwrap()));
        });
    });
    assert_eq!(told.recv_timeout(SOON).unwrap(), everywhere);
}

#[test]
fn a_queue_is_first_in_first_out() {
    let pool = Pool::new(4);
    let (started, events) = channel();
    // Background has one place of four, so its jobs cannot overtake each other.
    let gate = held(&pool, Class::Background, &started, "gate");
    let (order, ordered) = channel();
    for i in 0..100 {
        let order = order.clone();
        pool.spawn(Class::Background, Box::new(move || order.send(i).unwrap()));
    }
    assert_eq!(next(&events), "gate");
    drop(gate);
    for i in 0..100 {
        assert_eq!(ordered.recv_timeout(SOON).unwrap(), i);
    }
}

#[test]
fn a_panic_harms_neither_worker_nor_limits() {
    let pool = Pool::new(4);
    let (done, finished) = channel();
    for i in 0..50 {
        let done = done.clone();
        let classes = [Class::Pipeline { device: 1 }, Class::Read, Class::Background];
        pool.spawn(
            classes[i % 3],
            Box::new(move || {
                done.send(()).unwrap();
                std::panic::resume_unwind(Box::new("planted"));
            }),
        );
    }
    for _ in 0..50 {
        finished.recv_timeout(SOON).unwrap();
    }
    let (started, events) = channel();
    let held_jobs = [Class::Read, Class::Background].map(|class| held(&pool, class, &started, "after"));
    assert_eq!([next(&events), next(&events)], ["after", "after"]);
    drop(held_jobs);
}

#[test]
fn delayed_jobs_run_in_order_of_their_deadlines_and_not_before() {
    let pool = Pool::new(4);
    let (order, ordered) = channel();
    let begin = Instant::now();
    for ms in [60_u64, 20, 40, 5] {
        let order = order.clone();
        let delay = Duration::from_millis(ms);
        pool.spawn_after(delay, Class::Background, Box::new(move || order.send((ms, begin.elapsed())).unwrap()));
    }
    for ms in [5, 20, 40, 60] {
        let (which, elapsed) = ordered.recv_timeout(SOON).unwrap();
        assert_eq!(which, ms);
        assert!(elapsed >= Duration::from_millis(ms));
    }
}

#[test]
fn a_deadline_is_kept_while_every_earlier_worker_is_busy() {
    let pool = Pool::new(4);
    let (started, events) = channel();
    let (done, finished) = channel();
    pool.spawn_after(
        Duration::from_millis(20),
        Class::Pipeline { device: 1 },
        Box::new(move || done.send(()).unwrap()),
    );
    // The only worker so far is the keeper; this job takes it.
    let busy = held(&pool, Class::Pipeline { device: 1 }, &started, "busy");
    assert_eq!(next(&events), "busy");
    finished.recv_timeout(SOON).unwrap();
    drop(busy);
}

#[test]
fn a_far_deadline_does_not_hold_up_a_near_one() {
    let pool = Pool::new(4);
    let (done, finished) = channel();
    pool.spawn_after(Duration::MAX, Class::Pipeline { device: 1 }, Box::new(|| panic!("ran a job of the far future")));
    pool.spawn_after(Duration::ZERO, Class::Pipeline { device: 1 }, Box::new(move || done.send(()).unwrap()));
    finished.recv_timeout(SOON).unwrap();
}

#[test]
fn dropping_the_pool_finishes_what_is_queued() {
    let pool = Pool::new(4);
    let (started, events) = channel();
    let gate = held(&pool, Class::Background, &started, "gate");
    let count = Arc::new(AtomicUsize::new(0));
    let (done, finished) = channel::<()>();
    for _ in 0..20 {
        let (count, done) = (Arc::clone(&count), done.clone());
        pool.spawn(
            Class::Background,
            Box::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
                drop(done);
            }),
        );
    }
    drop(done);
    assert_eq!(next(&events), "gate");
    drop(pool);
    drop(gate);
    assert!(finished.recv_timeout(SOON).is_err(), "ends when every job has dropped its sender");
    assert_eq!(count.load(Ordering::Relaxed), 20);
}

#[test]
fn ten_thousand_jobs_from_many_threads_all_run() {
    let pool = Pool::new(6);
    let (done, finished) = channel();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (pool, done) = (&pool, done.clone());
            scope.spawn(move || {
                for i in 0..2_500 {
                    let done = done.clone();
                    let class = [Class::Pipeline { device: 1 }, Class::Read, Class::Background][i % 3];
                    let job: Job = Box::new(move || done.send(()).unwrap());
                    if (i + thread) % 5 == 0 {
                        pool.spawn_after(Duration::from_micros(i as u64), class, job);
                    } else {
                        pool.spawn(class, job);
                    }
                }
            });
        }
    });
    drop(done);
    let mut count = 0;
    while finished.recv_timeout(SOON).is_ok() {
        count += 1;
    }
    assert_eq!(count, 10_000);
    let state = pool.shared.state.lock();
    assert!(state.workers <= 6);
}

/// `cargo test --release -p varve-core hand_over -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn hand_over_time() {
    let pool = Pool::new(6);
    // With an alarm set, as an idle log has one.
    pool.spawn_after(Duration::from_secs(3600), Class::Background, Box::new(|| {}));
    let (done, finished) = channel();
    let mut times: Vec<_> = (0..20_000)
        .map(|_| {
            let done = done.clone();
            let begin = Instant::now();
            pool.spawn(Class::Pipeline { device: 1 }, Box::new(move || done.send(Instant::now()).unwrap()));
            let there = finished.recv().unwrap();
            (there - begin, begin.elapsed())
        })
        .collect();
    times.sort();
    println!("hand-over p50 {:?}, p99 {:?}", times[10_000].0, times[19_800].0);
    times.sort_by_key(|time| time.1);
    println!("there and back p50 {:?}, p99 {:?}", times[10_000].1, times[19_800].1);
}
