//! What the system's scheduler is told of this process's threads, so that an answer does not wait for a view's work.
//!
//! Who serves the network and the log does little at a time and should do it as soon as it wakes; who keeps views works on and on.
//! Linux (6.12 and later) lets a thread say so by the length of the turns it asks for: one of short turns interrupts one of long turns.
//! Both are requests: where they are not known or not allowed, nothing changes but how long answers may wait.

/// Nanoseconds: the shortest turn that can be asked for.
const SHORT_TURN: u64 = 100_000;
/// Added to the niceness of threads that work for views. No more than this: beside clients on the same processors that never rest, a
/// view would fall behind for good.
const BEHIND: i32 = 1;
const NICE_MAX: i32 = 19;

/// `struct sched_attr`, as its first version has it.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// The length of a turn, for ordinary threads; 0 is the system's own.
    runtime: u64,
    deadline: u64,
    period: u64,
}

const SIZE: u32 = size_of::<Attributes>() as u32;

/// For the calling thread and all that it makes from now on: short turns.
pub fn prompt() {
    change(|attributes| attributes.runtime = SHORT_TURN);
}

/// For the calling thread and all that it makes from now on: ordinary turns, behind those who serve.
pub fn behind() {
    change(|attributes| {
        attributes.runtime = 0;
        attributes.nice = (attributes.nice + BEHIND).min(NICE_MAX);
    });
}

fn change(change: impl FnOnce(&mut Attributes)) {
    let mut attributes = Attributes::default();
    // SAFETY: the call fills at most `SIZE` bytes of the struct, whose layout is the system's.
    let known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) } == 0;
    // Whoever runs it as a real-time process has said more than this.
    if !known || attributes.policy != libc::SCHED_OTHER as u32 {
        return;
    }
    change(&mut attributes);
    attributes.size = SIZE;
    attributes.flags = 0;
    // SAFETY: the struct lives through the call and says how long it is.
    let told = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } == 0;
    if !told {
        tracing::debug!(error = %std::io::Error::last_os_error(), "the scheduler does not take what it was told of a thread");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nice() -> i32 {
        // SAFETY: it reads and writes nothing of ours.
        unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
    }

    #[test]
    fn threads_of_views_come_behind_the_others_and_so_do_those_that_they_make() {
        let (before, within, made) = std::thread::spawn(|| {
            prompt();
            let before = nice();
            behind();
            (before, nice(), std::thread::spawn(nice).join().unwrap())
        })
        .join()
        .unwrap();
        assert_eq!((within, made), ((before + BEHIND).min(NICE_MAX), within));
        assert_eq!(before, nice(), "short turns are no other niceness");
    }
}
