//! The circumstances of a measurement: the processor, the compiler and the commit.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The circumstances of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Circumstances {
    /// The processor as a short name of vendor, family and model, such as `amd-25-17`.
    pub processor: String,
    /// The processor as it calls itself, and the number of its cores.
    pub machine: String,
    /// The name and the size in bytes of each data cache of a core. Empty if Linux doesn't tell.
    pub caches: Vec<(String, u64)>,
    /// The compiler.
    pub rustc: String,
    /// The commit, followed by `+` if the tree differed from it.
    pub commit: String,
    /// The date in UTC.
    pub date: String,
    /// The command that measured.
    pub command: String,
}

impl Circumstances {
    /// The present circumstances of a part of `ci/bench.sh`.
    #[must_use]
    pub fn now(part: &str) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let clean =
            output("git", &["status", "--porcelain", "../src", "../crates", ".", ":!record"]).is_empty();
        Self {
            processor: processor(&cpus),
            machine: format!("{}, {cores} cores", machine(&cpus)),
            caches: caches(),
            rustc: output("rustc", &["--version"]),
            commit: output("git", &["rev-parse", "--short", "HEAD"]) + if clean { "" } else { "+" },
            date: output("date", &["-u", "+%F"]),
            command: format!("./ci/bench.sh {part}"),
        }
    }
}

/// A field of the first processor in `/proc/cpuinfo`.
fn field<'a>(cpus: &'a str, name: &str) -> Option<&'a str> {
    cpus.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn machine(cpus: &str) -> String {
    let model = field(cpus, "model name").unwrap_or(std::env::consts::ARCH);
    match (field(cpus, "cpu family"), field(cpus, "model")) {
        (Some(family), Some(number)) => format!("{model} (family {family}, model {number})"),
        _ => model.to_owned(),
    }
}

/// The short name of the processor. Anything but letters, digits and `-` is left out, since it names a folder.
fn processor(cpus: &str) -> String {
    let vendor = match field(cpus, "vendor_id").or_else(|| field(cpus, "CPU implementer")) {
        Some("AuthenticAMD") => "amd",
        Some("GenuineIntel") => "intel",
        Some(vendor) => vendor,
        None => std::env::consts::ARCH,
    };
    let family = field(cpus, "cpu family").or_else(|| field(cpus, "CPU part"));
    let parts = [Some(vendor), family, field(cpus, "model")];
    let name: Vec<&str> = parts.into_iter().flatten().collect();
    let allowed = |&letter: &char| letter.is_ascii_alphanumeric() || letter == '-';
    name.join("-").to_lowercase().chars().filter(allowed).collect()
}

/// The data caches of the first core, as Linux lists them.
#[must_use]
pub fn caches() -> Vec<(String, u64)> {
    let cache = |index| {
        let read =
            |file| fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{file}"));
        let (kind, level, size) = (read("type").ok()?, read("level").ok()?, read("size").ok()?);
        let kibibytes: u64 = size.trim().strip_suffix('K')?.parse().ok()?;
        (kind.trim() != "Instruction").then(|| (format!("L{}", level.trim()), kibibytes << 10))
    };
    (0..8).filter_map(cache).collect()
}

/// The output of a command that is run in the folder of the benchmarks. Empty if it can't be run.
fn output(command: &str, args: &[&str]) -> String {
    let output = Command::new(command).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_name_is_made_of_vendor_family_and_model() {
        let cpus = |text: &str| processor(&text.replace(';', "\n"));
        assert_eq!(cpus("vendor_id\t: AuthenticAMD;cpu family\t: 25;model\t\t: 17"), "amd-25-17");
        assert_eq!(
            cpus("vendor_id : GenuineIntel;cpu family : 6;model : 207;model name : Intel(R) Xeon"),
            "intel-6-207"
        );
        assert_eq!(cpus("processor : 0;CPU implementer : 0x41;CPU part : 0xd0c"), "0x41-0xd0c");
        assert_eq!(cpus("vendor_id : ../Other;model : 1"), "other-1");
        assert_eq!(cpus(""), std::env::consts::ARCH.replace('_', ""));
    }
}
