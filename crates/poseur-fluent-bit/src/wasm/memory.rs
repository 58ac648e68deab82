//! `malloc` and `free` for a host that puts records into the module's memory: those of the allocator know
//! no lengths.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr;

/// Bytes before a block, which hold its length; and the alignment of blocks.
const HEAD: usize = 16;

fn layout(length: usize) -> Option<Layout> {
    Layout::from_size_align(length.checked_add(HEAD)?, HEAD).ok()
}

/// A block of this many bytes, or null.
pub fn allocate(length: usize) -> *mut u8 {
    let Some(layout) = layout(length) else {
        return ptr::null_mut();
    };
    // SAFETY: the layout is not empty. The block begins with room for a length, aligned for it.
    unsafe {
        let start = alloc(layout);
        if start.is_null() {
            return start;
        }
        start.cast::<usize>().write(length);
        start.add(HEAD)
    }
}

/// Gives a block back; nothing happens for null.
///
/// # Safety
/// The block is one of [`allocate`]'s that has not been given back.
pub unsafe fn release(block: *mut u8) {
    if block.is_null() {
        return;
    }
    // SAFETY: the block has its length before it, as the function's contract says.
    unsafe {
        let start = block.sub(HEAD);
        if let Some(layout) = layout(start.cast::<usize>().read()) {
            dealloc(start, layout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_what_was_asked_for() {
        for length in [0, 1, 15, 16, 17, 5_000_000] {
            let block = allocate(length);
            assert!(!block.is_null() && block.addr().is_multiple_of(HEAD));
            // SAFETY: the block is new and that long, and is given back once.
            unsafe {
                block.write_bytes(0xab, length);
                release(block);
            }
        }
        assert!(allocate(usize::MAX).is_null());
        assert!(allocate(usize::MAX - HEAD).is_null());
        // SAFETY: null is allowed.
        unsafe { release(ptr::null_mut()) };
    }
}
