//! `handover-gateway healthcheck`: asks the running gateway whether it is ready, for images without a shell or curl.

use std::io::Read as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

/// Ask the running gateway whether it is ready.
#[derive(Args, Clone, Debug)]
pub(super) struct HealthcheckArgs {
    /// Where the admin port listens; taken from the configuration when left out.
    #[arg(long)]
    pub(super) address: Option<SocketAddr>,
}

const PATIENCE: Duration = Duration::from_secs(3);

/// Exit code 0 when ready, 1 when not.
pub(super) fn run(listen: SocketAddr) -> ExitCode {
    match ask(reachable(listen)) {
        Ok(status) if status.starts_with("HTTP/1.1 200") => ExitCode::SUCCESS,
        Ok(status) => failed(&status),
        Err(error) => failed(&error.to_string()),
    }
}

/// A wildcard address is listened on, not connected to.
pub(super) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

fn failed(why: &str) -> ExitCode {
    // With standard error gone the exit code says it all.
    drop(writeln!(std::io::stderr(), "not ready: {why}"));
    ExitCode::FAILURE
}
