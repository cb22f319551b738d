//! Text records of names, asked of the operator's name servers.
//!
//! A small client for one question: `TXT` of a name (RFC 1035, with EDNS of RFC 6891). It asks over
//! UDP from a port of its own with a random id, goes on over TCP where an answer is cut off, follows
//! aliases, and takes nothing for an answer that does not repeat the question. Everything is bounded:
//! time, sizes, records, aliases, and how many wrong answers are passed over. What it hears is not
//! signed, so it is as true as the way to the name server is safe.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Name servers that are asked.
const SERVERS_MAX: usize = 3;
/// How often each is.
const ROUNDS: usize = 2;
/// How long one try may take.
const TRY_TIME: Duration = Duration::from_secs(2);
/// How long everything may.
const WHOLE_TIME: Duration = Duration::from_secs(8);
/// The largest answer over UDP, which the question says (what fits into one packet anywhere).
const DATAGRAM_BYTES: usize = 1232;
/// The largest one over TCP.
const STREAM_BYTES: usize = 16 * 1024;
/// Datagrams that are passed over until a right one comes.
const STRAYS_MAX: usize = 16;
/// Records of an answer that are read.
const RECORDS_MAX: usize = 128;
/// Aliases that are followed.
const ALIASES_MAX: usize = 8;
/// Questions of one look, for aliases that a server does not follow.
const QUESTIONS_MAX: usize = 4;

const TXT: u16 = 16;
const CNAME: u16 = 5;
const OPT: u16 = 41;
const INTERNET: u16 = 1;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// No server is known.
    #[error("no name server is known: set `outbound_resolver`")]
    NoServer,
    /// The name cannot be asked for.
    #[error("{0:?} is no name that can be asked for")]
    Name(String),
    /// Nobody answered in time.
    #[error("no name server answered in time")]
    Time,
    /// The network failed.
    #[error("the name server {0} cannot be asked")]
    Network(SocketAddr, #[source] std::io::Error),
    /// The server does not want to, or cannot.
    #[error("the name server {0} answers with the error {1}")]
    Refused(SocketAddr, u8),
    /// The answer cannot be read.
    #[error("the name server {0} answers what is no answer")]
    Malformed(SocketAddr),
    /// The answer is too large.
    #[error("the name server {0} answers more than {STREAM_BYTES} bytes")]
    Large(SocketAddr),
    /// The aliases do not end.
    #[error("the name has more than {ALIASES_MAX} aliases, or they lead in a circle")]
    Aliases,
}

/// Asks name servers.
#[derive(Clone, Debug)]
pub struct Resolver {
    servers: Arc<[SocketAddr]>,
    try_time: Duration,
}

impl Resolver {
    /// Asks these servers, the first one first.
    pub fn new(mut servers: Vec<SocketAddr>) -> Self {
        servers.truncate(SERVERS_MAX);
        Self { servers: servers.into(), try_time: TRY_TIME }
    }

    /// Asks the servers that a file names as `/etc/resolv.conf` does; none where it cannot be read.
    pub fn of_file(path: &Path) -> Self {
        Self::new(servers_in(&std::fs::read_to_string(path).unwrap_or_default()))
    }

    /// The same with another time for one try.
    #[must_use]
    pub fn with_try_time(mut self, time: Duration) -> Self {
        self.try_time = time;
        self
    }

    /// The text records of a name, each as one; none where the name does not exist.
    ///
    /// # Errors
    /// [`DnsError`].
    pub async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, DnsError> {
        timeout(WHOLE_TIME, self.follow(name)).await.unwrap_or(Err(DnsError::Time))
    }

    async fn follow(&self, name: &str) -> Result<Vec<Vec<u8>>, DnsError> {
        let mut name = name.to_ascii_lowercase();
        let mut aliases = 0;
        for _ in 0..QUESTIONS_MAX {
            let mut answer = self.ask(&name).await?;
            let asked = name.clone();
            loop {
                if let Some(texts) = answer.texts.remove(&name) {
                    return Ok(texts);
                }
                let Some(next) = answer.aliases.remove(&name) else { break };
                aliases += 1;
                if aliases > ALIASES_MAX {
                    return Err(DnsError::Aliases);
                }
                name = next;
            }
            if name == asked {
                // There is nothing, or the aliases led back.
                return if answer.had_alias { Err(DnsError::Aliases) } else { Ok(Vec::new()) };
            }
        }
        Err(DnsError::Aliases)
    }

    async fn ask(&self, name: &str) -> Result<Answer, DnsError> {
        let question = Question::new(name).ok_or_else(|| DnsError::Name(name.to_owned()))?;
        let mut failed = DnsError::NoServer;
        for _ in 0..ROUNDS {
            for &server in self.servers.iter() {
                let tried = timeout(self.try_time, question.ask(server)).await;
                match tried.unwrap_or(Err(DnsError::Time)) {
                    Ok(answer) => return Ok(answer),
                    Err(error) => failed = error,
                }
            }
        }
        Err(failed)
    }
}

fn servers_in(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            if words.next() != Some("nameserver") {
                return None;
            }
            // The zone of a link-local address is not understood; nobody else can be meant.
            let address: IpAddr = words.next()?.parse().ok()?;
            Some(SocketAddr::new(address, 53))
        })
        .take(SERVERS_MAX)
        .collect()
}

/// What an answer says, by the name in lower case that it says it of.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    texts: HashMap<String, Vec<Vec<u8>>>,
    aliases: HashMap<String, String>,
    had_alias: bool,
}

/// Why bytes are no answer to a question.
#[derive(Debug, PartialEq, Eq)]
enum Unfit {
    /// They belong to another question, or to none.
    Stray,
    /// They were cut off.
    Cut,
    /// They say so.
    Refused(u8),
    /// They cannot be read.
    Malformed,
}

struct Question {
    id: [u8; 2],
    name: String,
    /// The name as it is sent, with type and class.
    section: Vec<u8>,
}

impl Question {
    fn new(name: &str) -> Option<Self> {
        let mut section = Vec::with_capacity(name.len() + 6);
        for label in name.split('.') {
            let length =
                u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
            section.push(length);
            section.extend_from_slice(label.as_bytes());
        }
        section.push(0);
        if section.len() > 255 || !name.is_ascii() {
            return None;
        }
        section.extend_from_slice(&TXT.to_be_bytes());
        section.extend_from_slice(&INTERNET.to_be_bytes());
        let mut id = [0; 2];
        rand::fill(&mut id).ok()?;
        Some(Self { id, name: name.to_ascii_lowercase(), section })
    }

    /// With the wish that the server does the work, and room for longer answers.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.to_vec();
        bytes.extend_from_slice(&[0x01, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        bytes.extend_from_slice(&self.section);
        bytes.push(0);
        bytes.extend_from_slice(&OPT.to_be_bytes());
        bytes.extend_from_slice(&1232_u16.to_be_bytes());
        bytes.extend_from_slice(&[0; 6]);
        bytes
    }

    async fn ask(&self, server: SocketAddr) -> Result<Answer, DnsError> {
        let network = |error| DnsError::Network(server, error);
        let own = match server.ip() {
            IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(own).await.map_err(network)?;
        // The system gives us nothing that comes from elsewhere.
        socket.connect(server).await.map_err(network)?;
        socket.send(&self.bytes()).await.map_err(network)?;
        let mut buffer = [0; DATAGRAM_BYTES + 1];
        for _ in 0..STRAYS_MAX {
            let length = socket.recv(&mut buffer).await.map_err(network)?;
            let bytes = buffer.get(..length).filter(|bytes| bytes.len() <= DATAGRAM_BYTES);
            let Some(bytes) = bytes else { continue };
            match self.read(bytes) {
                Ok(answer) => return Ok(answer),
                Err(Unfit::Cut) => return self.ask_by_stream(server).await,
                Err(Unfit::Stray) => {}
                Err(Unfit::Refused(code)) => return Err(DnsError::Refused(server, code)),
                Err(Unfit::Malformed) => return Err(DnsError::Malformed(server)),
            }
        }
        Err(DnsError::Malformed(server))
    }

    async fn ask_by_stream(&self, server: SocketAddr) -> Result<Answer, DnsError> {
        let network = |error| DnsError::Network(server, error);
        let mut stream = TcpStream::connect(server).await.map_err(network)?;
        let question = self.bytes();
        let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
        let sent = [&length.to_be_bytes()[..], &question].concat();
        stream.write_all(&sent).await.map_err(network)?;
        let length = usize::from(stream.read_u16().await.map_err(network)?);
        if length > STREAM_BYTES {
            return Err(DnsError::Large(server));
        }
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await.map_err(network)?;
        self.read(&bytes).map_err(|unfit| match unfit {
            Unfit::Refused(code) => DnsError::Refused(server, code),
            Unfit::Stray | Unfit::Cut | Unfit::Malformed => DnsError::Malformed(server),
        })
    }

    /// Reads an answer.
    fn read(&self, bytes: &[u8]) -> Result<Answer, Unfit> {
        let mut reader = Reader { bytes, at: 0 };
        let header: [u8; 12] = reader.take(12).ok_or(Unfit::Stray)?.try_into().unwrap_or([0; 12]);
        let [id0, id1, high, low, q0, q1, a0, a1, ..] = header;
        let is_answer = high & 0x80 != 0 && high & 0x78 == 0;
        if [id0, id1] != self.id || !is_answer || [q0, q1] != [0, 1] {
            return Err(Unfit::Stray);
        }
        let asked = reader.take(self.section.len()).ok_or(Unfit::Stray)?;
        if !asked.eq_ignore_ascii_case(&self.section) {
            return Err(Unfit::Stray);
        }
        if high & 0x02 != 0 {
            return Err(Unfit::Cut);
        }
        match low & 0x0f {
            0 | 3 => {}
            code => return Err(Unfit::Refused(code)),
        }
        let records = usize::from(u16::from_be_bytes([a0, a1]));
        if records > RECORDS_MAX {
            return Err(Unfit::Malformed);
        }
        let mut answer = Answer::default();
        for _ in 0..records {
            reader.record(&mut answer).ok_or(Unfit::Malformed)?;
        }
        answer.had_alias = answer.aliases.contains_key(&self.name);
        Ok(answer)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let [high, low] = self.take(2)? else { return None };
        Some(u16::from_be_bytes([*high, *low]))
    }

    /// A name in lower case; one that begins elsewhere begins further ahead, so that reading ends.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut at = self.at;
        let mut end = None;
        let mut before = self.at;
        loop {
            let length = *self.bytes.get(at)?;
            match length & 0xc0 {
                0 if length == 0 => {
                    at += 1;
                    break;
                }
                0 => {
                    let label = self.bytes.get(at + 1..at + 1 + usize::from(length))?;
                    if !name.is_empty() {
                        name.push('.');
                    }
                    // A dot or a letter outside of ASCII in a label is nothing that we ask for.
                    for &byte in label {
                        let known = byte.is_ascii_graphic() && byte != b'.';
                        name.push(if known { char::from(byte.to_ascii_lowercase()) } else { '?' });
                    }
                    if name.len() > 255 {
                        return None;
                    }
                    at += 1 + usize::from(length);
                }
                0xc0 => {
                    let low = *self.bytes.get(at + 1)?;
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    if target >= before {
                        return None;
                    }
                    end.get_or_insert(at + 2);
                    (at, before) = (target, target);
                }
                _ => return None,
            }
        }
        self.at = end.unwrap_or(at);
        Some(name)
    }

    fn record(&mut self, answer: &mut Answer) -> Option<()> {
        let owner = self.name()?;
        let (kind, class) = (self.number()?, self.number()?);
        self.take(4)?;
        let length = usize::from(self.number()?);
        let end = self.at.checked_add(length)?;
        match (kind, class) {
            (TXT, INTERNET) => {
                let mut data = self.take(length)?;
                let mut text = Vec::with_capacity(length);
                while let Some((&length, rest)) = data.split_first() {
                    let (part, rest) = rest.split_at_checked(usize::from(length))?;
                    text.extend_from_slice(part);
                    data = rest;
                }
                answer.texts.entry(owner).or_default().push(text);
            }
            (CNAME, INTERNET) => {
                let target = self.name()?;
                if self.at != end {
                    return None;
                }
                answer.aliases.insert(owner, target);
            }
            _ => {
                self.take(length)?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_files() {
        for (name, is_good) in [
            ("_tonnage.example.com", true),
            ("", false),
            ("a..b", false),
            (".a", false),
            ("a.", false),
            ("b\u{fc}cher.example", false),
        ] {
            assert_eq!(Question::new(name).is_some(), is_good, "{name}");
        }
        assert!(Question::new(&"a".repeat(64)).is_none());
        assert!(Question::new(&vec!["abc"; 64].join(".")).is_none());
        let file = "# x\nsearch a\nnameserver 192.0.2.1\n nameserver ::1 \nnameserver no\n\
                    nameserver fe80::1%eth0\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        let expected = ["192.0.2.1:53", "[::1]:53", "192.0.2.2:53"];
        assert_eq!(servers_in(file), expected.map(|it| it.parse().unwrap()));
    }

    /// An answer to the question: a header, and then this.
    fn answer(question: &Question, flags: [u8; 2], records: u16, rest: &[u8]) -> Vec<u8> {
        let mut bytes = question.id.to_vec();
        bytes.extend_from_slice(&flags);
        bytes.extend_from_slice(&[0, 1]);
        bytes.extend_from_slice(&records.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&question.section);
        bytes.extend_from_slice(rest);
        bytes
    }

    fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        let kind = kind.to_be_bytes();
        [owner, &kind, &[0, 1, 0, 0, 0, 60], &length.to_be_bytes(), data].concat()
    }

    #[test]
    fn answers() {
        let question = Question::new("a.example").unwrap();
        let found =
            |flags, records, rest: &[u8]| question.read(&answer(&question, flags, records, rest));
        // The question begins at byte 12.
        let here: &[u8] = &[0xc0, 12];
        let text = record(here, TXT, b"\x02ab\x00\x01c");
        assert_eq!(found([0x81, 0x80], 1, &text).unwrap().texts["a.example"], [b"abc".to_vec()]);
        assert_eq!(found([0x81, 0x83], 0, &[]), Ok(Answer::default()));
        let elsewhere = record(b"\x01b\x00", TXT, b"\x01x");
        assert!(!found([0x81, 0], 1, &elsewhere).unwrap().texts.contains_key("a.example"));
        let alias = record(here, CNAME, b"\x01B\x00");
        assert_eq!(found([0x81, 0], 1, &alias).unwrap().aliases["a.example"], "b");
        for (flags, records, rest, expected) in [
            ([0x01, 0x00], 0, vec![], Unfit::Stray),
            ([0x91, 0x00], 0, vec![], Unfit::Stray),
            ([0x83, 0x00], 0, vec![], Unfit::Cut),
            ([0x81, 0x02], 0, vec![], Unfit::Refused(2)),
            ([0x81, 0x05], 0, vec![], Unfit::Refused(5)),
            ([0x81, 0], 1, vec![], Unfit::Malformed),
            ([0x81, 0], 129, vec![], Unfit::Malformed),
            // A name that points to itself, ahead of itself, or is of a kind that nobody uses.
            ([0x81, 0], 1, record(&[0xc0, 27], TXT, b""), Unfit::Malformed),
            ([0x81, 0], 1, record(&[0xc1, 0], TXT, b""), Unfit::Malformed),
            ([0x81, 0], 1, record(&[0x41, 0], TXT, b""), Unfit::Malformed),
            ([0x81, 0], 1, record(here, TXT, b"\x05ab"), Unfit::Malformed),
            ([0x81, 0], 1, record(here, CNAME, b"\x01b\x00x"), Unfit::Malformed),
        ] {
            assert_eq!(found(flags, records, &rest), Err(expected), "{flags:?} {rest:?}");
        }
        let mut other = answer(&question, [0x81, 0], 0, &[]);
        other[13] = b'b';
        assert_eq!(question.read(&other), Err(Unfit::Stray));
        other[0] ^= 1;
        assert_eq!(question.read(&other), Err(Unfit::Stray));
        assert_eq!(question.read(&[]), Err(Unfit::Stray));
    }

    proptest! {
        #[test]
        fn anything_can_be_read(rest in prop::collection::vec(any::<u8>(), 0..200), records in 0u16..5) {
            let question = Question::new("a.example").unwrap();
            let _ = question.read(&answer(&question, [0x81, 0], records, &rest));
            let _ = question.read(&rest);
        }
    }
}
