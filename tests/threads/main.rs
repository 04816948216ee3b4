//! The contexts of the page `docs::threads`, in which the calling thread is not what it seems. Two of them are programs
//! of their own: `global_allocator` and `fork`.

mod destructors;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod fibers;
#[cfg(unix)]
mod signals;
mod tasks;
