//! How much memory an input takes: an allocator that counts, and the limit on the address space.
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

/// The system's allocator, counting what is held and the most that was held.
pub struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

fn took(bytes: usize) {
    let held = HELD.fetch_add(bytes as isize, Ordering::Relaxed) + bytes as isize;
    if held > MOST.load(Ordering::Relaxed) {
        MOST.fetch_max(held, Ordering::Relaxed);
    }
}

fn gave(bytes: usize) {
    HELD.fetch_sub(bytes as isize, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the system allocator's.
        let at = unsafe { System.alloc(layout) };
        if !at.is_null() {
            took(layout.size());
        }
        at
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) };
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let at = unsafe { System.alloc_zeroed(layout) };
        if !at.is_null() {
            took(layout.size());
        }
        at
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        let moved = unsafe { System.realloc(at, layout, size) };
        if !moved.is_null() {
            gave(layout.size());
            took(size);
        }
        moved
    }
}

/// From here on, [`growth`] tells the most that was held beyond what is held now.
pub fn begin() -> isize {
    let held = HELD.load(Ordering::Relaxed);
    MOST.store(held, Ordering::Relaxed);
    held
}

/// The most bytes since `began`, beyond those held then.
pub fn growth(began: isize) -> usize {
    usize::try_from(MOST.load(Ordering::Relaxed) - began).unwrap_or(0)
}

/// No more address space than this for the whole process: an allocation beyond it fails, and so does the process.
pub fn limit_address_space(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: reads the struct it is given.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
    assert_eq!(set, 0, "the address space cannot be limited: {}", std::io::Error::last_os_error());
}
