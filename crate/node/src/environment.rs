//! One environment's state: from `connect` until its cleanup hook.
//!
//! A thread can have several (each loading of the addon makes a `napi_env` of its own), so they are told apart by it.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use napi::bindgen_prelude::{Either, Function, Object, Uint8ArraySlice, Undefined};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status};
use napi_derive::napi;
use parking_lot::{Mutex, RwLock};
use varve_core::disk::file::FileDisk;
use varve_core::host::{Host, SystemClock, SystemEntropy};
use varve_core::pool::Pool;
use varve_core::writer::Head;

use crate::events::{Event, Queue};
use crate::logs::Logs;
use crate::objects;
use crate::raw;
use crate::requests::Requests;

/// How long an ending worker waits for its logs to be flushed and closed.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the event loop is kept from everything else by one look.
const LOOK_MAX: Duration = Duration::from_micros(10);

/// Events, or `undefined` when there are none.
type Events<'env> = Either<Vec<Object<'env>>, Undefined>;

/// The one thread-safe function of an environment; it does not keep the event loop alive by itself.
pub type Wake = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// What one environment has.
pub struct Environment {
    /// Its open logs.
    pub logs: Arc<Logs>,
    /// What it waits for.
    pub requests: Requests,
    /// Disk, threads, clock.
    pub host: Host,
    inbox: Mutex<Inbox>,
    /// None once the environment ends. Whoever calls it holds the lock shared, so it is released only in between.
    wake: RwLock<Option<Wake>>,
}

struct Inbox {
    queue: Queue,
    /// The wake-up is on its way, or JS looks anyway: it will drain.
    woken: bool,
    /// The environment ends: nothing is queued any more.
    ended: bool,
}

thread_local! {
    static ENVIRONMENTS: RefCell<Vec<(usize, Arc<Environment>)>> = const { RefCell::new(Vec::new()) };
}

impl Environment {
    /// The environment of the running call.
    pub fn of(env: &Env) -> Result<Arc<Self>> {
        Self::with(env, Arc::clone)
    }

    /// Calls `f` with the environment of the running call; spares a reference count.
    pub fn with<T>(env: &Env, f: impl FnOnce(&Arc<Self>) -> T) -> Result<T> {
        let key = env.raw() as usize;
        ENVIRONMENTS.with_borrow(|all| {
            let found = all.iter().find(|(of, _)| *of == key);
            let found = found.ok_or_else(|| napi::Error::new(Status::InvalidArg, "call connect first"));
            found.map(|(_, environment)| f(environment))
        })
    }

    /// Queues an event. Any thread.
    pub fn push(&self, event: Event) {
        self.queue(|queue| queue.push(event));
    }

    /// Queues what is durable of a log. Any thread.
    pub fn durable(&self, log: u32, head: Head) {
        self.queue(|queue| queue.durable(log, head));
    }

    /// Queues something, and wakes JS unless it is awake already.
    fn queue(&self, add: impl FnOnce(&mut Queue)) {
        let mut inbox = self.inbox.lock();
        if inbox.ended {
            return;
        }
        add(&mut inbox.queue);
        let woken = std::mem::replace(&mut inbox.woken, true);
        // Free again before JS wakes: a kernel likes to run it at once, on this very core.
        drop(inbox);
        if !woken && let Some(wake) = &*self.wake.read() {
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Writes the watermarks as far as there is room, and takes the other events once no watermark is left.
    fn take_events(&self, again: bool, watermarks: &mut [u8]) -> Vec<Event> {
        let mut inbox = self.inbox.lock();
        let all = inbox.queue.write_watermarks(watermarks);
        // What is left waits for the caller, who sees that there was no more room.
        inbox.woken = again || !all;
        if all { inbox.queue.take_events() } else { Vec::new() }
    }

    /// Whether something waits. JS is not woken until it drains.
    fn awaits_drain(&self) -> bool {
        let mut inbox = self.inbox.lock();
        inbox.woken = true;
        !inbox.queue.is_empty()
    }

    /// The environment ends: its JS is gone, its logs are flushed and closed.
    fn end(&self) {
        let mut inbox = self.inbox.lock();
        inbox.ended = true;
        let dropped = std::mem::take(&mut inbox.queue);
        drop(inbox);
        drop(dropped);
        // Released on its own thread, before Node finalizes it.
        self.wake.write().take();
        self.requests.cancel_all();
        self.logs.end(END_TIMEOUT);
    }
}

/// Once per environment: `on_events` is called when events wait. Returns whether a thread may wait awake.
#[napi(catch_unwind)]
pub fn connect(env: Env, on_events: Function<'_, (), ()>) -> Result<bool> {
    if Environment::of(&env).is_ok() {
        return Err(napi::Error::new(Status::InvalidArg, "connect was called before in this environment"));
    }
    let wake = on_events.build_threadsafe_function::<()>().weak::<true>().build()?;
    let pool = Pool::global();
    let may_spin = pool.may_spin();
    let host = Host {
        disk: Arc::new(FileDisk),
        executor: pool,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let inbox = Inbox { queue: Queue::default(), woken: false, ended: false };
    let environment = Arc::new(Environment {
        logs: Arc::new(Logs::default()),
        requests: Requests::default(),
        host,
        inbox: Mutex::new(inbox),
        wake: RwLock::new(Some(wake)),
    });
    let key = env.raw() as usize;
    ENVIRONMENTS.with_borrow_mut(|all| all.push((key, environment)));
    // Hooks run last in, first out: this one before the thread-safe function's own.
    env.add_env_cleanup_hook(key, forget)?;
    Ok(may_spin)
}

fn forget(key: usize) {
    let ended = ENVIRONMENTS.try_with(|all| {
        let mut all = all.try_borrow_mut().ok()?;
        let at = all.iter().position(|(of, _)| *of == key)?;
        Some(all.swap_remove(at).1)
    });
    let Ok(Some(environment)) = ended else { return };
    // A panic must not unwind into Node; the hook has reported it.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| environment.end()));
}

/// Writes the watermarks that wait into `watermarks` and returns the other events, oldest first. With `again`, the caller
/// asks once more and is not woken meanwhile.
#[napi(catch_unwind)]
pub fn drain<'env>(env: &'env Env, again: bool, mut watermarks: Uint8ArraySlice<'env>) -> Result<Events<'env>> {
    let environment = Environment::of(env)?;
    let events = raw::with_bytes(&mut watermarks, |watermarks| environment.take_events(again, watermarks));
    if events.is_empty() {
        return Ok(Either::B(()));
    }
    let mut objects = Vec::with_capacity(events.len());
    let mut events = events.into_iter();
    while let Some(event) = events.next() {
        match objects::event(env, &environment, event) {
            Ok(object) => objects.push(object),
            // JS has no memory even for an error. That event is lost: who waits for it is told once its log closes. What
            // comes after it must not be lost with it.
            Err(_) => environment.queue(|queue| queue.give_back(events.by_ref())),
        }
    }
    Ok(Either::A(objects))
}

/// Waits awake for an event, [`LOOK_MAX`] at most. Returns whether one is there; JS is not woken until it drains.
#[napi(catch_unwind)]
pub fn look(env: &Env) -> Result<bool> {
    Environment::with(env, |environment| {
        let begun = Instant::now();
        while !environment.awaits_drain() {
            if begun.elapsed() >= LOOK_MAX {
                return false;
            }
            // Whoever is to bring it may have been put on this processor.
            std::thread::yield_now();
        }
        true
    })
}

/// Keeps the process alive exactly while the facade waits for something.
#[napi(catch_unwind)]
pub fn hold(env: &Env, keep_alive: bool) -> Result<()> {
    Environment::with(env, |environment| match &*environment.wake.read() {
        Some(wake) => raw::hold(env, wake, keep_alive),
        None => Ok(()),
    })?
}
