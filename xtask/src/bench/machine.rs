//! When and on what something was measured.

use std::fs;
use std::process::Command;

/// Returns one line: date, processor, cores, load and compiler.
pub(crate) fn described() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("unknown");
    let processor = processor(&read("/proc/cpuinfo"));
    format!(
        "{}, {processor}, {cores} cores, load {load}, {}",
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        said("rustc", &["--version"])
    )
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Returns the name of the processor on the first line that has one.
fn processor(cpuinfo: &str) -> String {
    let named = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    named.map_or("unknown processor", |rest| rest.trim_start_matches([' ', '\t', ':'])).to_owned()
}

/// Returns what a program prints, or that it is not known.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| format!("{program} unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named_or_unknown() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: Abacus 3000\n"), "Abacus 3000");
        assert_eq!(processor(""), "unknown processor");
    }
}
