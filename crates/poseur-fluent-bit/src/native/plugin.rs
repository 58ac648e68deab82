//! The plugin's entry points, in the layout that Fluent Bit 2.2 to 5.1 reads.
//!
//! Fluent Bit finds `filter_poseur_plugin` in `flb-filter_poseur.so`, copies it, and calls the functions
//! in it. Panics never cross into it: what panics leaves the chunk as it is.

use std::any::Any;
use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::Mutex;

use jiff::Timestamp;

use super::host::{self, Instance, Level};
use crate::filter::{Filter, Notice};
use crate::settings::Settings;

/// `FLB_FILTER_MODIFIED`: the chunk is now what was put out.
const MODIFIED: c_int = 1;
/// `FLB_FILTER_NOTOUCH`: the chunk stays as it is.
const UNTOUCHED: c_int = 2;
/// `FLB_FILTER_LOGS`: the filter is for logs.
const LOGS: c_int = 1;

type OnInit = unsafe extern "C" fn(Instance, *mut c_void, *mut c_void) -> c_int;
type OnChunk = unsafe extern "C" fn(
    *const c_void,
    usize,
    *const c_char,
    c_int,
    *mut *mut c_void,
    *mut usize,
    Instance,
    *mut c_void,
    *mut c_void,
    *mut c_void,
) -> c_int;
type OnExit = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

/// `struct flb_filter_plugin`. Releases before 3.2 have no `on_notification`; for them it is the beginning of
/// the list, which they set themselves.
#[repr(C)]
pub struct Plugin {
    event_type: c_int,
    flags: c_int,
    name: *const c_char,
    description: *const c_char,
    /// Without a map any property may be set, and is read when the instance begins.
    config_map: *const c_void,
    before_run: Option<OnInit>,
    init: Option<OnInit>,
    filter: Option<OnChunk>,
    exit: Option<OnExit>,
    notification: Option<OnInit>,
    list: [*const c_void; 2],
}

// SAFETY: nothing in it is ever changed; the pointers are to constants.
unsafe impl Sync for Plugin {}

/// What Fluent Bit looks for.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static filter_poseur_plugin: Plugin = Plugin {
    event_type: LOGS,
    flags: 0,
    name: c"poseur".as_ptr(),
    description: c"Tags people who pose as the IT help desk in Microsoft Teams logs".as_ptr(),
    config_map: std::ptr::null(),
    before_run: None,
    init: Some(init),
    filter: Some(filter),
    exit: Some(exit),
    notification: None,
    list: [std::ptr::null(); 2],
};

/// An instance of the filter. Chunks of several inputs may come from several threads.
type Context = Mutex<Filter>;

/// Begins an instance: 0, or -1 if its settings are wrong, which fails Fluent Bit's start.
unsafe extern "C" fn init(instance: Instance, _config: *mut c_void, _data: *mut c_void) -> c_int {
    let begun = catch_unwind(|| begin(instance)).unwrap_or_else(|panic| {
        host::log(Level::Error, &panicked(&*panic));
        false
    });
    if begun { 0 } else { -1 }
}

fn begin(instance: Instance) -> bool {
    let settings = match Settings::new(|name| host::property(instance, name)) {
        Ok(settings) => settings,
        Err(error) => {
            host::log(Level::Error, &error.to_string());
            return false;
        }
    };
    let (filter, notices) = match Filter::new(settings) {
        Ok(begun) => begun,
        Err(errors) => {
            for error in errors {
                host::log(Level::Error, &error.to_string());
            }
            return false;
        }
    };
    tell(notices);
    let context = Box::into_raw(Box::new(Context::new(filter)));
    if host::set_context(instance, context.cast()) {
        return true;
    }
    // SAFETY: the pointer was made here, and nobody else has it.
    drop(unsafe { Box::from_raw(context) });
    host::log(
        Level::Error,
        "this program has no flb_filter_set_context: it is not Fluent Bit",
    );
    false
}

/// Filters a chunk.
unsafe extern "C" fn filter(
    chunk: *const c_void,
    size: usize,
    _tag: *const c_char,
    _tag_length: c_int,
    out: *mut *mut c_void,
    out_size: *mut usize,
    _instance: Instance,
    _input: *mut c_void,
    context: *mut c_void,
    _config: *mut c_void,
) -> c_int {
    if chunk.is_null() || context.is_null() || out.is_null() || out_size.is_null() {
        return UNTOUCHED;
    }
    // SAFETY: Fluent Bit passes a chunk of this size, which nobody changes during the call.
    let chunk: &[u8] = unsafe { slice::from_raw_parts(chunk.cast(), size) };
    // SAFETY: the context is the one that `begin` has set; `exit` comes after the last chunk.
    let context: &Context = unsafe { &*context.cast() };
    let outcome = catch_unwind(AssertUnwindSafe(|| tag(chunk, context)));
    match outcome {
        Ok(Some((made, length))) => {
            // SAFETY: both are places for answers, as Fluent Bit's callers have them.
            unsafe {
                *out = made;
                *out_size = length;
            }
            MODIFIED
        }
        Ok(None) => UNTOUCHED,
        Err(panic) => {
            host::log(Level::Error, &panicked(&*panic));
            UNTOUCHED
        }
    }
}

/// The chunk with its tags, in memory that Fluent Bit frees; `None` if it stays as it is.
fn tag(chunk: &[u8], context: &Context) -> Option<(*mut c_void, usize)> {
    // What a panic left behind is memory that the next chunk begins with by clearing it.
    let mut filter = context
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    tell(filter.refresh());
    let tagged = filter.tag(chunk, Timestamp::now())?;
    let length = tagged.len();
    // SAFETY: asking for memory is always sound.
    let memory = unsafe { libc::malloc(length) };
    if memory.is_null() {
        host::log(
            Level::Error,
            "no memory for a tagged chunk: it is passed on untagged",
        );
        return None;
    }
    let mut at = 0;
    for slice in tagged.slices() {
        // SAFETY: all slices together have the length that was asked for, and the memory is new.
        unsafe {
            let place = memory.cast::<u8>().add(at);
            place.copy_from_nonoverlapping(slice.as_ptr(), slice.len());
        }
        at += slice.len();
    }
    debug_assert_eq!(at, length);
    Some((memory, length))
}

/// Ends an instance.
unsafe extern "C" fn exit(context: *mut c_void, _config: *mut c_void) -> c_int {
    if !context.is_null() {
        let context = AssertUnwindSafe(context);
        // SAFETY: the context is the one that `begin` has set, and this is the last call with it.
        let _ = catch_unwind(|| drop(unsafe { Box::from_raw({ context }.0.cast::<Context>()) }));
    }
    0
}

fn tell(notices: Vec<Notice>) {
    for notice in notices {
        match notice {
            Notice::Info(text) => host::log(Level::Info, &text),
            Notice::Warning(text) => host::log(Level::Warning, &text),
            Notice::Error(text) => host::log(Level::Error, &text),
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let reason = text.unwrap_or("no reason given");
    format!("a fault in Poseur ({reason}): the chunk is passed on as it is; please report this")
}
