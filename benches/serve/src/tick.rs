//! The times at which requests are due, told by the kernel: a runtime's own timers are a millisecond coarse, and a thread that sleeps
//! from one time to the next costs more than the requests.
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use tokio::io::unix::AsyncFd;

/// Tells again and again, evenly, from now on.
pub struct Ticks(AsyncFd<OwnedFd>);

impl Ticks {
    pub fn every(time: Duration) -> io::Result<Ticks> {
        // SAFETY: a plain call; what it answers is looked at before it is taken for a descriptor.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it is open and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let time = libc::timespec { tv_sec: time.as_secs() as libc::time_t, tv_nsec: libc::c_long::from(time.subsec_nanos() as i32) };
        let both = libc::itimerspec { it_interval: time, it_value: time };
        // SAFETY: the struct lives through the call.
        if unsafe { libc::timerfd_settime(fd.as_raw_fd(), 0, &raw const both, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: an owned descriptor names the same thing for as long as it lives.
        Ok(Ticks(unsafe { AsyncFd::register(fd) }?))
    }

    /// Waits for the next ones: how many there were since.
    pub async fn next(&self) -> io::Result<u64> {
        let read = |fd: &OwnedFd| {
            let mut count = 0u64;
            // SAFETY: it reads at most the eight bytes of the number.
            let taken = unsafe { libc::read(fd.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
            if taken == size_of::<u64>() as isize { Ok(count) } else { Err(io::Error::last_os_error()) }
        };
        loop {
            if let Ok(counted) = self.0.readable().await?.try_io(|fd| read(fd.get_ref())) {
                return counted;
            }
        }
    }
}
