//! Fluent Bit's part, as a filter's shared object sees it: the functions it exports, and how it calls the
//! filter's. A filter looks for these functions by name in the running program, so the program that plays the host
//! must be linked with `-rdynamic`.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::Mutex;

/// `struct flb_filter_plugin`, up to what is called.
#[repr(C)]
pub struct Plugin {
    event_type: c_int,
    flags: c_int,
    name: *const c_char,
    description: *const c_char,
    config_map: *const c_void,
    before_run: *const c_void,
    init: unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_void) -> c_int,
    filter: unsafe extern "C" fn(
        *const c_void,
        usize,
        *const c_char,
        c_int,
        *mut *mut c_void,
        *mut usize,
        *mut c_void,
        *mut c_void,
        *mut c_void,
        *mut c_void,
    ) -> c_int,
    exit: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
}

/// An instance of the filter, as the host has it.
pub struct Instance {
    properties: HashMap<CString, CString>,
    context: *mut c_void,
}

/// A running instance.
pub struct Filter {
    plugin: &'static Plugin,
    instance: Box<Instance>,
}

/// What was logged; `flb_log_print` is not told by which instance.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// One test after the other: they share the log.
static TURN: Mutex<()> = Mutex::new(());

/// `flb_filter_get_property`
///
/// # Safety
/// As Fluent Bit's: with a C string and an instance that this host has passed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flb_filter_get_property(
    name: *const c_char,
    instance: *const Instance,
) -> *const c_char {
    // SAFETY: the plugin hands back the instance it was given, and a C string.
    let (instance, name) = unsafe { (&*instance, CStr::from_ptr(name)) };
    instance
        .properties
        .get(name)
        .map_or(null(), |value| value.as_ptr())
}

/// `flb_filter_set_context`
///
/// # Safety
/// As Fluent Bit's: with an instance that this host has passed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flb_filter_set_context(instance: *mut Instance, context: *mut c_void) {
    // SAFETY: the plugin hands back the instance it was given.
    unsafe { (*instance).context = context };
}

/// `flb_log_print`, as it is called here: with one text for `%s`.
///
/// # Safety
/// With two C strings.
///
/// # Panics
/// If it is called in another way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flb_log_print(
    level: c_int,
    _file: *const c_char,
    _line: c_int,
    format: *const c_char,
    text: *const c_char,
) {
    // SAFETY: both are C strings.
    let (format, text) = unsafe { (CStr::from_ptr(format), CStr::from_ptr(text)) };
    assert_eq!(format, c"%s");
    let level = ["", "error", "warn", "info"][level as usize];
    let text = text.to_str().expect("UTF-8");
    LOG.lock().unwrap().push(format!("{level} {text}"));
}

/// Waits for the other tests, and begins with an empty log.
///
/// # Panics
/// If another test has failed while it logged.
pub fn turn() -> std::sync::MutexGuard<'static, ()> {
    let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    LOG.lock().unwrap().clear();
    turn
}

/// What was logged since this was last asked.
///
/// # Panics
/// If another test has failed while it logged.
pub fn log() -> Vec<String> {
    std::mem::take(&mut LOG.lock().unwrap())
}

impl Filter {
    /// Begins an instance; `None` if the plugin says that it cannot.
    ///
    /// # Safety
    /// The plugin must be what a filter's symbol `filter_NAME_plugin` stands for.
    ///
    /// # Panics
    /// If it is not Poseur, or not for logs.
    pub unsafe fn new(plugin: *const Plugin, properties: &[(&str, &str)]) -> Option<Filter> {
        // Keeps the functions above in the program.
        std::hint::black_box((
            flb_filter_get_property as *const (),
            flb_filter_set_context as *const (),
            flb_log_print as *const (),
        ));
        // SAFETY: as the caller says; what is in a shared object's or a program's data stays there.
        let plugin = unsafe { &*plugin };
        // SAFETY: the name is a C string.
        assert_eq!(unsafe { CStr::from_ptr(plugin.name) }, c"poseur");
        assert_eq!((plugin.event_type, plugin.flags), (1, 0));
        assert!(plugin.config_map.is_null() && plugin.before_run.is_null());
        assert!(!plugin.description.is_null());
        let c = |text: &str| CString::new(text).unwrap();
        let properties = properties.iter();
        let mut instance = Box::new(Instance {
            properties: properties
                .map(|(name, value)| (c(name), c(value)))
                .collect(),
            context: null_mut(),
        });
        let handle: *mut Instance = &mut *instance;
        // SAFETY: the plugin gets an instance that lives on the heap until it is told the end.
        let begun = unsafe { (plugin.init)(handle.cast(), null_mut(), null_mut()) };
        (begun == 0).then_some(Filter { plugin, instance })
    }

    /// Filters a chunk: what it became, or `None` if it stays as it is.
    ///
    /// # Panics
    /// If the plugin answers neither, or puts something out and says that it has not.
    pub fn filter(&mut self, chunk: &[u8]) -> Option<Vec<u8>> {
        let (mut out, mut size) = (null_mut(), 0);
        // SAFETY: all places are there for as long as the call; the context is the plugin's own.
        let answer = unsafe {
            (self.plugin.filter)(
                chunk.as_ptr().cast(),
                chunk.len(),
                c"tag".as_ptr(),
                3,
                &mut out,
                &mut size,
                (&raw mut *self.instance).cast(),
                null_mut(),
                self.instance.context,
                null_mut(),
            )
        };
        if answer == 2 {
            assert!(out.is_null() && size == 0);
            return None;
        }
        assert_eq!(answer, 1);
        // SAFETY: the plugin has put out so many bytes in memory from `malloc`, which are ours now.
        unsafe {
            let made = std::slice::from_raw_parts(out.cast::<u8>(), size).to_vec();
            libc::free(out);
            Some(made)
        }
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // SAFETY: the last call, with the plugin's own context.
        let ended = unsafe { (self.plugin.exit)(self.instance.context, null_mut()) };
        assert_eq!(ended, 0);
    }
}
