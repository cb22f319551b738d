//! Passes a connection to PostgreSQL on, and cuts it exactly at a COMMIT.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Where the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The server never hears of the commit.
    BeforeCommit,
    /// The server has made the commit and said so; the answer is lost.
    AfterCommit,
}

#[derive(Default)]
struct Plan {
    /// Where, and after how many commits of writing transactions.
    cut: Option<(Cut, u64)>,
    has_cut: bool,
}

pub(super) struct Proxy {
    server: String,
    address: String,
    plan: Arc<Mutex<Plan>>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Host and port of a URL.
fn place(url: &str) -> &str {
    let after_user = url.split_once('@').unwrap().1;
    after_user.split_once('/').unwrap().0
}

impl Proxy {
    /// Listens on a free port of the loopback, before the server of a URL.
    pub(super) async fn start(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (server, plan) = (place(url).to_owned(), Arc::<Mutex<Plan>>::default());
        let accepting = tokio::spawn({
            let (server, plan) = (server.clone(), Arc::clone(&plan));
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let (server, plan) = (server.clone(), Arc::clone(&plan));
                    // However it ends, both sides are closed.
                    tokio::spawn(async move { drop(pass_on(client, &server, &plan).await) });
                }
            }
        });
        Self { server, address, plan, accepting }
    }

    pub(super) fn instead_of_server(&self, url: &str) -> String {
        url.replacen(&self.server, &self.address, 1)
    }

    /// Cuts the connection at the `nth` commit of a writing transaction from now on.
    pub(super) fn cut(&self, cut: Cut, nth: u64) {
        self.plan.lock().unwrap().cut = Some((cut, nth));
    }

    /// Cuts no connection any more.
    pub(super) fn heal(&self) {
        self.plan.lock().unwrap().cut = None;
    }

    pub(super) fn has_cut(&self) -> bool {
        self.plan.lock().unwrap().has_cut
    }
}

impl Plan {
    /// A writing transaction commits.
    fn next(&mut self) -> Option<Cut> {
        let (cut, remaining) = self.cut.as_mut()?;
        *remaining -= 1;
        if *remaining > 0 {
            return None;
        }
        let cut = *cut;
        (self.cut, self.has_cut) = (None, true);
        Some(cut)
    }
}

/// Takes a whole message off what has arrived. The first has no type before its length.
fn message(arrived: &mut Vec<u8>, first: bool) -> Option<Vec<u8>> {
    let from = usize::from(!first);
    let length = arrived.get(from..from + 4)?;
    let length = from + u32::from_be_bytes(length.try_into().unwrap()) as usize;
    (arrived.len() >= length).then(|| arrived.drain(..length).collect())
}

fn is_query(message: &[u8], text: &str) -> bool {
    message[0] == b'Q' && String::from_utf8_lossy(&message[5..]).contains(text)
}

async fn pass_on(mut client: TcpStream, server: &str, plan: &Mutex<Plan>) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    // Messages are passed on one by one, and none waits for the answer to another.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut arrived, mut first, mut writes) = (Vec::new(), true, false);
    let (mut sent, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut sent) => match read? {
                0 => return Ok(()),
                length => arrived.extend_from_slice(&sent[..length]),
            },
            read = server.read(&mut answered) => match read? {
                0 => return Ok(()),
                length => client.write_all(&answered[..length]).await?,
            },
        }
        while let Some(message) = message(&mut arrived, first) {
            first = false;
            if is_query(&message, "BEGIN") {
                writes = is_query(&message, "READ WRITE");
            }
            let cut = if writes && is_query(&message, "COMMIT\0") {
                plan.lock().unwrap().next()
            } else {
                None
            };
            match cut {
                Some(Cut::BeforeCommit) => return Ok(()),
                Some(Cut::AfterCommit) => {
                    server.write_all(&message).await?;
                    let length = server.read(&mut answered).await?;
                    let answer = String::from_utf8_lossy(&answered[..length]);
                    assert!(answer.contains("COMMIT"), "{answer}");
                    return Ok(());
                }
                None => server.write_all(&message).await?,
            }
        }
    }
}
