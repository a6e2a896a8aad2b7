//! The engine's errors as `NativeError` objects: the only translation on this side; lib/errors.ts has the other.

use napi::bindgen_prelude::{JsObjectValue, Object};
use napi::{Env, Result};
use varve_core::error::Error;

use crate::numbers::number;
use crate::system;

/// One error with everything the contract names.
pub fn object<'env>(env: &'env Env, error: &Error) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"code", error.code())?;
    object.set_c_named_property(c"message", message(error))?;
    if let Some(path) = error.path().filter(|path| !path.as_os_str().is_empty()) {
        object.set_c_named_property(c"path", path.to_string_lossy().as_ref())?;
    }
    if let Some(damage) = error.damage() {
        set_text(&mut object, c"segment", damage.segment.as_deref())?;
        set_number(&mut object, c"position", damage.position)?;
        set_number(&mut object, c"offset", damage.offset)?;
    }
    let (expected, found) = contradiction(error);
    set_text(&mut object, c"expected", expected.as_deref())?;
    set_text(&mut object, c"found", found.as_deref())?;
    match error {
        Error::Io { syscall, source, .. } => {
            let system = system::describe(source);
            object.set_c_named_property(c"errno", system.errno)?;
            object.set_c_named_property(c"syscall", *syscall)?;
            set_text(&mut object, c"systemCode", system.name)?;
            object.set_c_named_property(c"systemMessage", system.text)?;
        }
        Error::Failed { cause, .. } => object.set_c_named_property(c"cause", self::object(env, cause)?)?,
        _ => {}
    }
    Ok(object)
}

/// The engine's words. Of a handle that is gone for good nobody knows the folder any more.
fn message(error: &Error) -> String {
    match error {
        Error::Closed { path } if path.as_os_str().is_empty() => "the log is closed; open it again to go on".to_owned(),
        _ => error.to_string(),
    }
}

/// What was expected and what was found.
fn contradiction(error: &Error) -> (Option<String>, Option<String>) {
    match error {
        Error::HeadMismatch { expected, found, .. } => (Some(expected.to_string()), Some(found.clone())),
        Error::EncodingMismatch { stored, given, .. } => (Some(given.clone()), Some(stored.clone())),
        _ => error.damage().map_or((None, None), |damage| (damage.expected.clone(), damage.found.clone())),
    }
}

/// Sets a property unless there is nothing to set: absent, not null.
pub fn set_text(object: &mut Object<'_>, name: &std::ffi::CStr, value: Option<&str>) -> Result<()> {
    value.map_or(Ok(()), |value| object.set_c_named_property(name, value))
}

/// The same for numbers.
pub fn set_number(object: &mut Object<'_>, name: &std::ffi::CStr, value: Option<u64>) -> Result<()> {
    value.map_or(Ok(()), |value| object.set_c_named_property(name, number(value)))
}
