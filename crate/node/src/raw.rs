//! The addon's only unsafe code: four Node-API calls, and writing into a lent array, that napi-rs has no
//! current safe form of.

#![allow(unsafe_code)]

use std::ptr;

use napi::bindgen_prelude::{Object, Uint8ArraySlice, Unknown};
use napi::{Env, Result, Status, sys};

use crate::environment::Wake;

/// Lets the thread-safe function keep its environment's event loop alive, or not. Called on the JS thread.
///
/// napi-rs deprecates its own `refer` and `unref` in favour of cloning, which counts threads and not the loop.
pub fn hold(env: &Env, wake: &Wake, keep_alive: bool) -> Result<()> {
    wake.handle.with_read_aborted(|aborted| {
        if aborted {
            return Ok(());
        }
        let function = wake.handle.get_raw();
        // SAFETY: `env` is that of the running call, so this is its thread, as both calls demand. The function was
        // created in that environment, and it is not finalized: `aborted` is set before that, under the write lock.
        let status = unsafe {
            if keep_alive {
                sys::napi_ref_threadsafe_function(env.raw(), function)
            } else {
                sys::napi_unref_threadsafe_function(env.raw(), function)
            }
        };
        check(env, status, "could not hold the event loop")
    })
}

/// A fresh `Buffer` of its own memory, allocated by the engine, with `parts` one after another: each byte is copied
/// once. External memory is not an option: Electron forbids it.
pub fn buffer<'env>(env: &'env Env, parts: &[&[u8]]) -> Result<Object<'env>> {
    let len = parts.iter().map(|part| part.len()).sum();
    let (mut data, mut value) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: `env` is that of the running call; the two places outlive it.
    let status = unsafe { sys::napi_create_buffer(env.raw(), len, &raw mut data, &raw mut value) };
    check(env, status, "could not allocate a buffer")?;
    let mut at = data.cast::<u8>();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        // SAFETY: `data` has room for the lengths of all parts; nobody else has seen it yet.
        unsafe {
            ptr::copy_nonoverlapping(part.as_ptr(), at, part.len());
            at = at.add(part.len());
        }
    }
    Ok(Object::from_raw(env.raw(), value))
}

/// Lets `write` at the bytes of an array. It must not run JavaScript.
pub fn with_bytes<T>(array: &mut Uint8ArraySlice<'_>, write: impl FnOnce(&mut [u8]) -> T) -> T {
    // SAFETY: JavaScript, which may write there too, does not run meanwhile: this is its thread.
    write(unsafe { array.as_mut() })
}

/// A string whose characters are `bytes`, one each.
pub fn latin1<'env>(env: &'env Env, bytes: &[u8]) -> Result<Unknown<'env>> {
    let mut value = ptr::null_mut();
    // SAFETY: `env` is that of the running call; the bytes are copied in it, and the place outlives it.
    let status = unsafe {
        sys::napi_create_string_latin1(env.raw(), bytes.as_ptr().cast(), bytes.len() as isize, &raw mut value)
    };
    check(env, status, "could not allocate a string")?;
    // SAFETY: the call has just made that value in that environment.
    Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), value) })
}

fn check(env: &Env, status: sys::napi_status, what: &str) -> Result<()> {
    if status == sys::Status::napi_ok {
        return Ok(());
    }
    // The call may have left an exception (newer versions of Node.js do, where a buffer finds no memory), which no further
    // call gets past: not even one that tells whoever asked of the error.
    let mut exception = ptr::null_mut();
    // SAFETY: `env` is that of the running call; the place outlives it. Without an exception it gets `undefined`.
    unsafe { sys::napi_get_and_clear_last_exception(env.raw(), &raw mut exception) };
    Err(napi::Error::new(Status::from(status), what.to_owned()))
}
