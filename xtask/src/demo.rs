//! `cargo xtask demo`: the winter day of the fictional region, in a browser.

use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::shell;
use crate::stopwatch::Stopwatch;

/// Where `fallow dev` serves its console.
const CONSOLE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7430);

/// How long the console may take to answer. A cold start takes about a second; the rest is for slow disks.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long to wait between two looks at the console or at the process.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Does not open a browser.
    #[arg(long)]
    no_open: bool,
    /// Stops by itself after so many seconds of being ready.
    #[arg(long = "for", value_name = "SECONDS")]
    for_seconds: Option<u64>,
    /// Arguments of `fallow dev`, for example `--speed 120 --seed 7`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS OF fallow dev")]
    dev: Vec<String>,
}

/// Builds `fallow`, runs `fallow dev` and says where to look.
pub(crate) fn run(options: &Options) -> Result<()> {
    shell::run(shell::cargo().args([
        "build",
        "--release",
        "--locked",
        "--package",
        "fallow",
        "--bin",
        "fallow",
    ]))?;
    if answers(CONSOLE) {
        bail!("something already answers on http://{CONSOLE}: stop it first");
    }
    let mut dev = shell::program(shell::target().join("release/fallow"), ".")
        .arg("dev")
        .args(&options.dev)
        .stdin(Stdio::null())
        .spawn()
        .context("could not start fallow dev")?;
    if let Err(error) = wait_until_ready(&mut dev, CONSOLE) {
        // What went wrong first is what to report, however the process then ends.
        let _ = stop(&mut dev);
        return Err(error);
    }
    println!("\n  Fallow is ready: http://{CONSOLE}   (Ctrl-C stops it)\n");
    if !options.no_open {
        open_browser();
    }
    wait_for_end(&mut dev, options.for_seconds.map(Duration::from_secs))
}

/// Waits until the console answers, and fails when the process ends first or takes too long.
fn wait_until_ready(dev: &mut Child, console: SocketAddr) -> Result<()> {
    let waited = Stopwatch::start();
    while !answers(console) {
        if let Some(status) = dev.try_wait()? {
            bail!("fallow dev ended with {status} before the console answered");
        }
        if waited.elapsed() > READY_WITHIN {
            bail!("the console did not answer on http://{console} within {} s", READY_WITHIN.as_secs());
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Says whether the console's front page answers with anything but a server's error.
fn answers(console: SocketAddr) -> bool {
    let mut answer = [0; 12];
    let asked = TcpStream::connect_timeout(&console, LOOK_EVERY).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        // In one piece: a server that answers the first half and closes would break the second.
        stream.write_all(
            format!("GET / HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        stream.read_exact(&mut answer)
    });
    asked.is_ok() && answer.starts_with(b"HTTP/1.1 ") && matches!(answer[9], b'2' | b'3' | b'4')
}

/// Opens the console in a browser where there is a screen to show it on; the address is printed in any case.
fn open_browser() {
    let screen = env::var_os("DISPLAY").is_some() || env::var_os("WAYLAND_DISPLAY").is_some();
    if let (true, Some(opener)) = (screen, shell::find("xdg-open")) {
        let _ = Command::new(opener)
            .arg(format!("http://{CONSOLE}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }
}

/// Waits until the process ends, or stops it when its time is up.
fn wait_for_end(dev: &mut Child, limit: Option<Duration>) -> Result<()> {
    let running = Stopwatch::start();
    loop {
        if let Some(status) = dev.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("fallow dev ended with {status}");
        }
        if limit.is_some_and(|limit| running.elapsed() >= limit) {
            return stop(dev);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Stops the process as Ctrl-C would, and fails when it does not end well.
fn stop(dev: &mut Child) -> Result<()> {
    let asked = Stopwatch::start();
    let _ = Command::new("kill").args(["-INT", &dev.id().to_string()]).status();
    while asked.elapsed() < Duration::from_secs(10) {
        if let Some(status) = dev.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("fallow dev ended with {status}");
        }
        thread::sleep(LOOK_EVERY);
    }
    dev.kill().context("could not stop fallow dev")?;
    bail!("fallow dev did not stop within 10 s of being asked to");
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Serves one answer on a free port and returns its address.
    fn served(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let _ = stream.read(&mut [0; 256]).expect("a request");
                stream.write_all(answer.as_bytes()).expect("an answer sent");
            }
        });
        address
    }

    fn process(script: &str) -> Child {
        Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().expect("a shell")
    }

    #[test]
    fn a_page_or_a_redirect_is_an_answer_and_a_failure_is_none() {
        assert!(answers(served("HTTP/1.1 200 OK\r\n\r\n")));
        assert!(answers(served("HTTP/1.1 303 See Other\r\n\r\n")));
        assert!(!answers(served("HTTP/1.1 503 Service Unavailable\r\n\r\n")));
        assert!(!answers(served("SSH-2.0-something\r\n")));
    }

    #[test]
    fn a_process_that_ends_before_it_answers_is_reported() {
        let silent =
            TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a free port");
        let error = wait_until_ready(&mut process("exit 3"), silent).expect_err("it ended");
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_process_is_stopped_as_by_ctrl_c_when_its_time_is_up() {
        let mut polite = process("trap 'kill $!; exit 0' INT; sleep 60 & echo ready; wait");
        let said = polite.stdout.as_mut().expect("its output").read_exact(&mut [0; 5]);
        said.expect("it has set its trap");
        wait_for_end(&mut polite, Some(Duration::ZERO)).expect("it ends well");
        let mut rude = process("exec sleep 60");
        wait_for_end(&mut rude, Some(Duration::ZERO)).expect_err("it does not end well");
    }
}
