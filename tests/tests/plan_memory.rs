//! What five hundred rules cost in memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use poseur_matcher::{Matcher, schema};
use poseur_rule::elastic;
use poseur_rule::model::Rule;
use poseur_rule::pack;
use poseur_rule::types::Types;
use poseur_tagger::{TagOptions, Tagger};
use poseur_tests::rules::{Generated, Options, generate};

/// Counts the bytes that each thread holds, and the most it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn add(bytes: isize) {
    let held = HELD.get() + bytes;
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

// SAFETY: every call is handed on to the system's allocator with the arguments it came with. The
// counters are plain cells without a destructor, so that touching them does not allocate. Growing
// is left to the trait, which asks `alloc` for it, so that it is counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the work gave, the bytes it left and the most it held on the way.
fn measured<T>(work: impl FnOnce() -> T) -> (T, isize, isize) {
    let before = HELD.get();
    MOST.set(before);
    let made = work();
    (made, HELD.get() - before, MOST.get() - before)
}

const LIMIT: isize = 32 << 20;

#[test]
fn five_hundred_rules_take_little_memory() {
    for options in [Options::default(), Options::walking()] {
        let made = generate(&Options {
            count: 498,
            ..options
        });
        let files: Vec<String> = made.iter().map(Generated::toml).collect();
        let types = Types::built_in();
        let (rules, read, _) = measured(|| -> Vec<Rule> {
            let read = files
                .iter()
                .flat_map(|text| elastic::read("generated.toml", text, &types).rules);
            pack::built_in().into_iter().chain(read).collect()
        });
        assert_eq!(rules.len(), 500);
        let (tagger, plan, most) = measured(|| {
            let matcher = Matcher::new(rules, Vec::new(), schema::built_in(), None).unwrap();
            Tagger::new(Arc::new(matcher), TagOptions::default())
        });
        black_box(&tagger);
        println!("500 rules: read {read} bytes, compiled {plan} bytes, at most {most} bytes");
        // The rules are part of the plan, which keeps them.
        assert!(read > 0 && plan > 0 && most >= plan);
        assert!(read + most <= LIMIT, "{read} + {most} bytes");
    }
}
