//! What Fluent Bit offers to its plugins, found by name in the running program.
//!
//! Looked up rather than linked, so that a program without one of them gets an answer and not a loader's
//! error.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem;

/// An instance of a filter, which belongs to Fluent Bit.
pub type Instance = *mut c_void;

type GetProperty = unsafe extern "C" fn(*const c_char, Instance) -> *const c_char;
type SetContext = unsafe extern "C" fn(Instance, *mut c_void);
type LogPrint = unsafe extern "C" fn(c_int, *const c_char, c_int, *const c_char, ...);

/// Levels of `flb_log.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `FLB_LOG_ERROR`
    Error = 1,
    /// `FLB_LOG_WARN`
    Warning = 2,
    /// `FLB_LOG_INFO`
    Info = 3,
}

/// A property of an instance.
pub fn property(instance: Instance, name: &str) -> Option<String> {
    let name = CString::new(name).ok()?;
    let function = find(c"flb_filter_get_property")?;
    // SAFETY: Fluent Bit's function of this name has had this signature since 1.0.
    let function: GetProperty = unsafe { mem::transmute(function) };
    // SAFETY: the name is a C string, and the instance is the one that Fluent Bit has passed.
    let value = unsafe { function(name.as_ptr(), instance) };
    if value.is_null() {
        return None;
    }
    // SAFETY: what it answers is a C string that lives as long as the instance.
    let value = unsafe { CStr::from_ptr(value) };
    Some(value.to_string_lossy().into_owned())
}

/// Gives an instance its context, which is passed to every later call. False if Fluent Bit cannot.
pub fn set_context(instance: Instance, context: *mut c_void) -> bool {
    let Some(function) = find(c"flb_filter_set_context") else {
        return false;
    };
    // SAFETY: Fluent Bit's function of this name has had this signature since 1.0.
    let function: SetContext = unsafe { mem::transmute(function) };
    // SAFETY: the instance is the one that Fluent Bit has passed; it only stores the context.
    unsafe { function(instance, context) };
    true
}

/// Writes a line to Fluent Bit's log, or to standard error where there is none.
pub fn log(level: Level, message: &str) {
    // What a rule's text may hold must not end the line or begin another.
    let line: String = message
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    let line = CString::new(format!("[filter:poseur] {line}")).unwrap_or_default();
    let Some(function) = find(c"flb_log_print") else {
        eprintln!("{}", line.to_string_lossy());
        return;
    };
    // SAFETY: Fluent Bit's function of this name has had this signature since 1.0.
    let function: LogPrint = unsafe { mem::transmute(function) };
    // SAFETY: the format takes one C string, which the line is; no file is named.
    unsafe {
        function(
            level as c_int,
            std::ptr::null(),
            0,
            c"%s".as_ptr(),
            line.as_ptr(),
        )
    };
}

fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is a C string; the search changes nothing.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}
