//! Fluent Bit's part towards a module, as its `filter_wasm` and its engine play it: records in memory that
//! the module gives, answers read up to their NUL, and the functions of WASI that the module imports, over
//! files that a test makes up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use wasmi::{Caller, Engine, Extern, Linker, Memory, Module, Store, TypedFunc};

/// Texts by the names of their files below the folder that the module may read.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The descriptors of that folder, and of what is opened first.
const FOLDER: u32 = 3;
const FIRST: u32 = 4;

/// `errno` of WASI.
const BAD_DESCRIPTOR: u32 = 8;
const NOT_FOUND: u32 = 44;

struct World {
    files: Files,
    opened: Vec<(String, usize)>,
    log: Vec<u8>,
    now: Timestamp,
}

type Call = TypedFunc<(u32, u32, u32, u32, u32, u32), u32>;

/// One instance of the module.
pub struct Host {
    store: Store<World>,
    memory: Memory,
    malloc: TypedFunc<u32, u32>,
    free: TypedFunc<u32, ()>,
    filter: Call,
}

impl World {
    /// The `filetype` of what is behind a name.
    fn kind(&self, name: &str) -> Option<u8> {
        let below = format!("{name}/");
        if self.files.contains_key(name) {
            Some(4)
        } else {
            self.files
                .keys()
                .any(|file| file.starts_with(&below))
                .then_some(3)
        }
    }

    /// The names in a folder.
    fn names(&self, folder: &str) -> Vec<String> {
        let below = format!("{folder}/");
        let inside = self
            .files
            .keys()
            .filter_map(|file| file.strip_prefix(&below));
        let inside = inside.filter_map(|rest| rest.split('/').next());
        let names: BTreeSet<&str> = inside.collect();
        [".", ".."]
            .into_iter()
            .chain(names)
            .map(str::to_owned)
            .collect()
    }
}

fn memory(caller: &Caller<'_, World>) -> Memory {
    caller
        .get_export("memory")
        .and_then(Extern::into_memory)
        .expect("a memory")
}

fn text(caller: &Caller<'_, World>, place: u32, length: u32) -> Vec<u8> {
    let memory = memory(caller).data(caller);
    memory[place as usize..][..length as usize].to_vec()
}

fn put(caller: &mut Caller<'_, World>, place: u32, bytes: &[u8]) {
    let memory = memory(caller);
    memory
        .write(caller, place as usize, bytes)
        .expect("a place in memory");
}

/// The stretch that an `iovec` names.
fn stretch(caller: &Caller<'_, World>, place: u32) -> (u32, u32) {
    let number = |at| u32::from_le_bytes(text(caller, at, 4).try_into().expect("four bytes"));
    (number(place), number(place + 4))
}

fn linker(engine: &Engine) -> Linker<World> {
    let mut linker = Linker::new(engine);
    let wasi = "wasi_snapshot_preview1";
    let mut define = || -> Result<(), wasmi::errors::LinkerError> {
        linker.func_wrap(
            wasi,
            "clock_time_get",
            |mut caller: Caller<'_, World>, clock: u32, _: u64, into: u32| -> u32 {
                assert_eq!(clock, 0);
                let now = caller.data().now.as_nanosecond() as u64;
                put(&mut caller, into, &now.to_le_bytes());
                0
            },
        )?;
        linker.func_wrap(
            wasi,
            "fd_write",
            |mut caller: Caller<'_, World>,
             file: u32,
             from: u32,
             stretches: u32,
             written: u32|
             -> u32 {
                assert_eq!((file, stretches), (2, 1));
                let (place, length) = stretch(&caller, from);
                let line = text(&caller, place, length);
                caller.data_mut().log.extend(line);
                put(&mut caller, written, &length.to_le_bytes());
                0
            },
        )?;
        linker.func_wrap(
            wasi,
            "path_filestat_get",
            |mut caller: Caller<'_, World>,
             folder: u32,
             _: u32,
             path: u32,
             length: u32,
             into: u32|
             -> u32 {
                if folder != FOLDER {
                    return BAD_DESCRIPTOR;
                }
                let name = String::from_utf8(text(&caller, path, length)).expect("UTF-8");
                let Some(kind) = caller.data().kind(&name) else {
                    return NOT_FOUND;
                };
                // The inode: another number for every name.
                let inode = name.bytes().fold(7_u64, |sum, byte| {
                    sum.wrapping_mul(1_000_003) + u64::from(byte)
                });
                let mut about = [0; 64];
                about[8..16].copy_from_slice(&inode.to_le_bytes());
                about[16] = kind;
                put(&mut caller, into, &about);
                0
            },
        )?;
        linker.func_wrap(
            wasi,
            "path_open",
            |mut caller: Caller<'_, World>,
             folder: u32,
             _: u32,
             path: u32,
             length: u32,
             _: u32,
             _: u64,
             _: u64,
             _: u32,
             into: u32|
             -> u32 {
                assert_eq!(folder, FOLDER);
                let name = String::from_utf8(text(&caller, path, length)).expect("UTF-8");
                if caller.data().kind(&name).is_none() {
                    return NOT_FOUND;
                }
                let opened = &mut caller.data_mut().opened;
                opened.push((name, 0));
                let number = FIRST + opened.len() as u32 - 1;
                put(&mut caller, into, &number.to_le_bytes());
                0
            },
        )?;
        linker.func_wrap(
            wasi,
            "fd_read",
            |mut caller: Caller<'_, World>,
             file: u32,
             into: u32,
             stretches: u32,
             read: u32|
             -> u32 {
                assert_eq!(stretches, 1);
                let (place, length) = stretch(&caller, into);
                let world = caller.data_mut();
                let (name, done) = &mut world.opened[(file - FIRST) as usize];
                let rest = &world.files[name][*done..];
                let part = rest[..rest.len().min(length as usize)].to_vec();
                *done += part.len();
                put(&mut caller, place, &part);
                put(&mut caller, read, &(part.len() as u32).to_le_bytes());
                0
            },
        )?;
        linker.func_wrap(
            wasi,
            "fd_readdir",
            |mut caller: Caller<'_, World>,
             file: u32,
             into: u32,
             length: u32,
             cookie: u64,
             used: u32|
             -> u32 {
                let (name, _) = &caller.data().opened[(file - FIRST) as usize];
                let mut bytes = Vec::new();
                for (number, name) in caller
                    .data()
                    .names(name)
                    .into_iter()
                    .enumerate()
                    .skip(cookie as usize)
                {
                    bytes.extend((number as u64 + 1).to_le_bytes());
                    bytes.extend([0; 8]);
                    bytes.extend((name.len() as u32).to_le_bytes());
                    bytes.extend([0; 4]);
                    bytes.extend(name.bytes());
                }
                bytes.truncate(length as usize);
                put(&mut caller, into, &bytes);
                put(&mut caller, used, &(bytes.len() as u32).to_le_bytes());
                0
            },
        )?;
        linker.func_wrap(wasi, "fd_close", |_: Caller<'_, World>, _: u32| -> u32 {
            0
        })?;
        Ok(())
    };
    define().expect("the functions of WASI");
    linker
}

impl Host {
    pub fn new(module: &Path, files: Files, now: Timestamp) -> Host {
        let engine = Engine::default();
        let bytes = fs::read(module).expect("POSEUR_WASM names a file");
        let module = Module::new(&engine, &bytes[..]).expect("a module");
        let world = World {
            files,
            opened: Vec::new(),
            log: Vec::new(),
            now,
        };
        let mut store = Store::new(&engine, world);
        let linker = linker(&engine);
        let instance = linker
            .instantiate_and_start(&mut store, &module)
            .expect("an instance");
        let initialize = instance.get_typed_func::<(), ()>(&store, "_initialize");
        initialize
            .expect("_initialize")
            .call(&mut store, ())
            .expect("no trap");
        Host {
            memory: instance.get_memory(&store, "memory").expect("a memory"),
            malloc: instance.get_typed_func(&store, "malloc").expect("malloc"),
            free: instance.get_typed_func(&store, "free").expect("free"),
            filter: instance
                .get_typed_func(&store, "poseur_filter")
                .expect("poseur_filter"),
            store,
        }
    }

    /// Bytes of memory.
    pub fn memory_size(&self) -> u32 {
        self.memory.data_size(&self.store) as u32
    }

    /// Memory from the module; 0 if it has none.
    pub fn allocate(&mut self, length: u32) -> u32 {
        self.malloc.call(&mut self.store, length).expect("no trap")
    }

    /// Puts a text and a NUL into memory.
    pub fn place(&mut self, text: &[u8]) -> u32 {
        let place = self.allocate(text.len() as u32 + 1);
        assert_ne!(place, 0);
        let ended = [text, b"\0"].concat();
        self.memory
            .write(&mut self.store, place as usize, &ended)
            .expect("a place in memory");
        place
    }

    /// Calls the filter.
    pub fn call(&mut self, record: u32, length: u32) -> u32 {
        let tag = self.place(b"tag");
        let answer = self
            .filter
            .call(&mut self.store, (tag, 3, 1_763_000_000, 0, record, length));
        self.free.call(&mut self.store, tag).expect("no trap");
        answer.expect("no trap")
    }

    /// The text at a place.
    pub fn text(&self, place: u32) -> Vec<u8> {
        let rest = &self.memory.data(&self.store)[place as usize..];
        let end = rest.iter().position(|&byte| byte == 0).expect("a NUL");
        rest[..end].to_vec()
    }

    /// What the filter makes of a record; `None` if it gives the record back.
    pub fn filter(&mut self, record: &[u8]) -> Option<Vec<u8>> {
        let place = self.place(record);
        let answer = self.call(place, record.len() as u32);
        // The host's own call: the answer must not be lost by it.
        let answered = self.text(answer);
        self.free.call(&mut self.store, place).expect("no trap");
        if answer == place {
            assert_eq!(answered, record);
            return None;
        }
        Some(answered)
    }

    /// What was written to standard error.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.store.data().log).into_owned()
    }
}
