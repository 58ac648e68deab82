//! What exceptions cost: lookups do not allocate, and a large allowlist stays small.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;

use poseur_rule::exception::{Ground, Names, Trusted, load};

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator with the arguments it came with. The
// counter is a plain cell without a destructor, so that touching it does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn lookups_of_ascii_texts_do_not_allocate() {
    let mut trusted = Trusted::builder();
    trusted
        .tenant("3f2504e0-4f89-41d3-9a0c-0305e82c3301")
        .unwrap();
    trusted.domain("msp.example").unwrap();
    trusted.domain(".partner.example").unwrap();
    trusted.email("bob@other.example").unwrap();
    let trusted = trusted.build();
    let count = allocations(|| {
        assert!(trusted.trusts_tenant("3F2504E0-4F89-41D3-9A0C-0305E82C3301"));
        assert!(!trusted.trusts_tenant("contoso"));
        assert!(trusted.trusts_domain("MSP.example"));
        assert!(trusted.trusts_domain("a.b.partner.example"));
        assert!(!trusted.trusts_domain("evil-msp.example"));
        assert!(!trusted.trusts_domain("not a domain"));
        assert!(trusted.trusts_email("Bob@Other.example"));
        assert!(trusted.trusts_email("x@msp.example"));
        // Only the domain decides whether IDNA is needed.
        assert!(trusted.trusts_email("ünal@msp.example"));
        assert!(!trusted.trusts_email("user@msp.example@evil.test"));
    });
    assert_eq!(count, 0);
}

#[test]
fn a_large_allowlist() {
    const ENTRIES: usize = 200_000;
    let folder = tempfile::tempdir().unwrap();
    let mut list = String::new();
    for n in 0..ENTRIES {
        // Not in order: a multiplication by an odd number takes every value once.
        let n = (n as u32).wrapping_mul(0x9E37_79B1);
        list.push_str(&format!("Partner-{n:08x}.example\n"));
    }
    fs::write(folder.path().join("partners.txt"), &list).unwrap();
    let file = folder.path().join("exceptions.yml");
    fs::write(
        &file,
        "- {id: a, reason: r, domain: {file: partners.txt}}\n",
    )
    .unwrap();
    let mut loaded = Default::default();
    let count = allocations(|| loaded = load(&[file]));
    // One for each entry that has capitals, and none for keeping it.
    assert!(count < ENTRIES + 1000, "{count} allocations");
    assert_eq!(loaded.refused, []);
    let Ground::Trusted(trusted) = &loaded.exceptions[0].ground else {
        panic!("no list of names");
    };
    assert_eq!(trusted.domains.len(), ENTRIES);
    assert!(trusted.trusts_email("x@partner-9e3779b1.example"));
    assert!(!trusted.trusts_email("x@partner-9e3779b2.example"));
}

#[test]
fn a_set_of_names_is_two_allocations() {
    let names: Vec<String> = (0..1000).map(|n| format!("{:04}", n * 7 % 1000)).collect();
    let set = Names::new(&names).unwrap();
    let count = allocations(|| drop(set.clone()));
    assert_eq!(count, 2);
}
