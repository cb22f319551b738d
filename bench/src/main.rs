//! A load generator for anything that speaks the distribution protocol or serves files: one thread
//! and one kept connection per client, a bounded time, loopback only. Beside the wall clock it tells
//! how much processor time the server took, which other load on the machine changes little.
//!
//! `tonnage-bench get URL CONNECTIONS SECONDS PIDS [METHOD] [AUTHORIZATION]`
//! `tonnage-bench push URL/REPOSITORY CLIENTS SECONDS PIDS NEW LAYERS BYTES [AUTHORIZATION]`
//! `tonnage-bench idle URL CONNECTIONS SECONDS PID [AUTHORIZATION]`
//!
//! PIDS are the server's processes, separated by commas. NEW says what the registry has not seen:
//! `image`, `config` (the layers are there) or `nothing`. `idle` asks once on each connection and
//! keeps them; it tells how much more anonymous memory each costs, and ends at once. For URLs with
//! https, `BENCH_CERTIFICATE` names the file with the server's certificate. The answer is one line
//! of JSON.

mod client;
mod push;

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use self::client::{Client, Target};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |index: usize| arguments.get(index).map(String::as_str);
    let required = |index: usize, what: &str| text(index).with_context(|| format!("{what}?"));
    let number = |index: usize, what: &str| -> Result<usize> {
        required(index, what)?.parse().with_context(|| what.to_owned())
    };
    let target = Target::parse(required(1, "URL")?)?;
    let clients = number(2, "number of clients")?;
    let limit = Duration::from_secs(number(3, "seconds")? as u64);
    let pids: Vec<u32> = required(4, "process ids")?
        .split(',')
        .filter(|pid| !pid.is_empty())
        .map(|pid| pid.parse().context("process id"))
        .collect::<Result<_>>()?;
    match text(0) {
        Some("get") => {
            let method = text(5).unwrap_or("GET").to_owned();
            let authorization = text(6).map(str::to_owned);
            run(clients, limit, &pids, move |_| {
                let mut client = Client::connect(&target, authorization.clone())?;
                let (target, method) = (target.clone(), method.clone());
                Ok(move || {
                    let answer = client.request(&method, &target.path, &[], &[])?;
                    answer.expect(&[200])?;
                    Ok(answer.bytes)
                })
            })
        }
        Some("push") => {
            let novelty = push::Novelty::parse(required(5, "NEW")?)?;
            let size = (number(6, "layers")?, number(7, "bytes of a layer")?);
            let authorization = text(8).map(str::to_owned);
            run(clients, limit, &pids, move |number| {
                push::Pusher::new(&target, authorization.clone(), number, novelty, size)
                    .map(|mut pusher| move || pusher.push())
            })
        }
        Some("idle") => {
            let pid = *pids.first().context("process id")?;
            let authorization = text(5).map(str::to_owned);
            let ask = || -> Result<Client> {
                let mut client = Client::connect(&target, authorization.clone())?;
                client.request("GET", &target.path, &[], &[])?.expect(&[200])?;
                Ok(client)
            };
            // What the first ones cost is the server's own growth.
            let mut kept = (0..clients / 10).map(|_| ask()).collect::<Result<Vec<_>>>()?;
            let before = anonymous_bytes(pid)?;
            for _ in 0..clients {
                kept.push(ask()?);
            }
            let each = anonymous_bytes(pid)?.saturating_sub(before) / clients.max(1) as u64;
            println!("{}", serde_json::json!({ "bytes_per_connection": each }));
            Ok(())
        }
        _ => bail!("say `get`, `push` or `idle`; see the head of bench/src/main.rs"),
    }
}

/// Runs what `begin` makes of each client's number, again and again until the time is over.
fn run<W, F>(clients: usize, limit: Duration, pids: &[u32], begin: F) -> Result<()>
where
    F: Fn(usize) -> Result<W> + Send + Sync + 'static,
    W: FnMut() -> Result<u64>,
{
    let begin = Arc::new(begin);
    let barrier = Arc::new(Barrier::new(clients + 1));
    let threads: Vec<_> = (0..clients)
        .map(|number| {
            let (begin, barrier) = (Arc::clone(&begin), Arc::clone(&barrier));
            std::thread::spawn(move || -> Result<(Vec<u64>, u64)> {
                let work = begin(number);
                barrier.wait();
                let mut work = work?;
                let (mut times, mut bytes) = (Vec::new(), 0);
                let started = Instant::now();
                while started.elapsed() < limit {
                    let before = Instant::now();
                    bytes += work()?;
                    times.push(u64::try_from(before.elapsed().as_nanos()).unwrap_or(u64::MAX));
                }
                Ok((times, bytes))
            })
        })
        .collect();
    barrier.wait();
    let (started, before) = (Instant::now(), processor_seconds(pids)?);
    let (mut times, mut bytes) = (Vec::new(), 0);
    for thread in threads {
        let Ok(done) = thread.join() else { bail!("a client panicked") };
        let (client_times, client_bytes) = done?;
        times.extend(client_times);
        bytes += client_bytes;
    }
    let seconds = started.elapsed().as_secs_f64();
    let processor = processor_seconds(pids)? - before;
    times.sort_unstable();
    let percentile = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times.get(index.min(times.len().saturating_sub(1))).map_or(0.0, |&time| time as f64 / 1e6)
    };
    let count = times.len().max(1) as f64;
    let gib = bytes as f64 / f64::from(1u32 << 30);
    println!(
        "{}",
        serde_json::json!({
            "count": times.len(),
            "per_second": (count / seconds).round(),
            "mib_per_second": (gib * 1024.0 / seconds).round(),
            "p50_ms": percentile(0.5),
            "p99_ms": percentile(0.99),
            "cpu_us_per_operation": processor * 1e6 / count,
            "cpu_seconds_per_gib": if bytes == 0 { 0.0 } else { processor / gib },
        })
    );
    Ok(())
}

/// Anonymous memory of a process (proc_pid_status(5), `RssAnon`).
fn anonymous_bytes(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("RssAnon")?;
    Ok(kib.parse::<u64>()? * 1024)
}

/// User and system time of processes, in seconds (proc_pid_stat(5), fields 14 and 15).
fn processor_seconds(pids: &[u32]) -> Result<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let mut ticks = 0u64;
    for pid in pids {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("process {pid}"))?;
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        for index in [11, 12] {
            let field = fields.get(index).context("a field of stat")?;
            ticks += field.parse::<u64>()?;
        }
    }
    Ok(ticks as f64 / TICKS_PER_SECOND)
}
