//! Text records, asked of a name server on this machine that may be anything.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic like tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tonnage_outbound::dns::{DnsError, Resolver};

const NAME: &str = "_tonnage.example.com";

/// What a server does with a question: datagrams that it sends, and what it says over TCP.
type Over = fn(&[u8]) -> Vec<Vec<u8>>;
/// Whether an error is the one that is expected.
type Expected = fn(&DnsError) -> bool;

/// The question that a datagram asks, without the additional record.
fn question(asked: &[u8]) -> &[u8] {
    let end = 12 + asked[12..].iter().position(|&byte| byte == 0).unwrap() + 5;
    &asked[12..end]
}

fn name_of(asked: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = &asked[12..];
    while let Some((&length, after)) = rest.split_first() {
        if length == 0 {
            break;
        }
        let (label, after) = after.split_at(usize::from(length));
        labels.push(String::from_utf8(label.to_vec()).unwrap());
        rest = after;
    }
    labels.join(".")
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn reply(asked: &[u8], flags: [u8; 2], records: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(records.len()).unwrap().to_be_bytes();
    let mut bytes = asked[..2].to_vec();
    bytes.extend_from_slice(&flags);
    bytes.extend_from_slice(&[0, 1]);
    bytes.extend_from_slice(&count);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(question(asked));
    bytes.extend(records.iter().flatten());
    bytes
}

fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    let (owner, kind) = (encoded(owner), kind.to_be_bytes());
    [&owner[..], &kind, &[0, 1, 0, 0, 0, 60], &length, data].concat()
}

fn text(owner: &str, text: &str) -> Vec<u8> {
    let parts = text.as_bytes().chunks(255);
    let data = parts.flat_map(|part| [&[u8::try_from(part.len()).unwrap()], part].concat());
    record(owner, 16, &data.collect::<Vec<u8>>())
}

fn alias(owner: &str, target: &str) -> Vec<u8> {
    record(owner, 5, &encoded(target))
}

/// A server under one port for both transports; how often it was asked.
async fn serve(datagrams: Over, stream: Over) -> (SocketAddr, Arc<AtomicUsize>) {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // The port may be taken for the other one.
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            count.fetch_add(1, Ordering::SeqCst);
            for answer in datagrams(&buffer[..length]) {
                udp.send_to(&answer, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = tcp.accept().await {
            let mut bytes = vec![0; usize::from(connection.read_u16().await.unwrap())];
            connection.read_exact(&mut bytes).await.unwrap();
            for answer in stream(&bytes) {
                connection.write_all(&answer).await.unwrap();
            }
        }
    });
    (address, asked)
}

fn nothing(_: &[u8]) -> Vec<Vec<u8>> {
    Vec::new()
}

async fn look(datagrams: Over, stream: Over) -> Result<Vec<String>, DnsError> {
    let (address, _) = serve(datagrams, stream).await;
    let resolver = Resolver::new(vec![address]).with_try_time(Duration::from_millis(300));
    let texts = resolver.txt(NAME).await?;
    Ok(texts.into_iter().map(|text| String::from_utf8(text).unwrap()).collect())
}

#[tokio::test]
async fn what_is_there_is_found() {
    let good = |asked: &[u8]| {
        assert_eq!(name_of(asked), NAME);
        // The server shall do the work, and may send 1,232 bytes.
        assert_eq!(&asked[2..4], [1, 0]);
        assert_eq!(&asked[asked.len() - 11..asked.len() - 6], [0, 0, 41, 0x04, 0xd0]);
        vec![reply(asked, [0x81, 0x80], &[text(NAME, "a"), text(NAME, &"b".repeat(600))])]
    };
    assert_eq!(look(good, nothing).await.unwrap(), ["a".to_owned(), "b".repeat(600)]);
    let absent = |asked: &[u8]| vec![reply(asked, [0x81, 0x83], &[])];
    assert_eq!(look(absent, nothing).await.unwrap(), [""; 0]);
    // A server that follows aliases, and one that leaves that to the client.
    let followed = |asked: &[u8]| {
        vec![reply(asked, [0x81, 0x80], &[alias(NAME, "b.example"), text("b.example", "there")])]
    };
    assert_eq!(look(followed, nothing).await.unwrap(), ["there"]);
    let left = |asked: &[u8]| {
        let records = match name_of(asked).as_str() {
            "b.example" => vec![text("b.example", "there")],
            name => vec![alias(name, "b.example")],
        };
        vec![reply(asked, [0x81, 0], &records)]
    };
    assert_eq!(look(left, nothing).await.unwrap(), ["there"]);
    // What is too long for a datagram comes over TCP.
    let cut = |asked: &[u8]| vec![reply(asked, [0x83, 0x80], &[])];
    let whole = |asked: &[u8]| {
        let answer = reply(asked, [0x81, 0x80], &[text(NAME, &"c".repeat(4000))]);
        vec![u16::try_from(answer.len()).unwrap().to_be_bytes().to_vec(), answer]
    };
    assert_eq!(look(cut, whole).await.unwrap(), ["c".repeat(4000)]);
}

#[tokio::test]
async fn what_is_hostile_is_not_believed() {
    // Strays before the answer: another id, another question, a question, no answer at all.
    let spoofed = |asked: &[u8]| {
        let forged = |change: fn(&mut Vec<u8>)| {
            let mut answer = reply(asked, [0x81, 0x80], &[text(NAME, "forged")]);
            change(&mut answer);
            answer
        };
        vec![
            forged(|answer| answer[0] ^= 1),
            forged(|answer| answer[13] = b'x'),
            forged(|answer| answer[2] = 1),
            forged(|answer| answer.truncate(11)),
            forged(|answer| answer.resize(1400, 0)),
            Vec::new(),
            reply(asked, [0x81, 0x80], &[text(NAME, "right")]),
        ]
    };
    assert_eq!(look(spoofed, nothing).await.unwrap(), ["right"]);
    // What an answer says of other names is none of ours.
    let beside = |asked: &[u8]| vec![reply(asked, [0x81, 0], &[text("other.example", "x")])];
    assert_eq!(look(beside, nothing).await.unwrap(), [""; 0]);

    let circle = |asked: &[u8]| {
        vec![reply(asked, [0x81, 0], &[alias(NAME, "b.example"), alias("b.example", NAME)])]
    };
    let endless = |asked: &[u8]| {
        let name = name_of(asked);
        vec![reply(asked, [0x81, 0], &[alias(&name, &format!("a{}.example", name.len()))])]
    };
    let long = |asked: &[u8]| {
        let name = |n: usize| if n == 0 { NAME.to_owned() } else { format!("a{n}.example") };
        let chain: Vec<_> = (0..12).map(|n| alias(&name(n), &name(n + 1))).collect();
        vec![reply(asked, [0x81, 0], &chain)]
    };
    let many = |asked: &[u8]| {
        let mut answer = reply(asked, [0x81, 0], &[]);
        answer[6..8].copy_from_slice(&[0xff, 0xff]);
        vec![answer]
    };
    let flood = |asked: &[u8]| {
        let mut stray = reply(asked, [0x81, 0], &[]);
        stray[0] ^= 1;
        vec![stray; 17]
    };
    let cut = |asked: &[u8]| vec![reply(asked, [0x83, 0], &[])];
    let large = |_: &[u8]| vec![vec![0xff, 0xff]];
    let other = |asked: &[u8]| {
        let mut answer = reply(asked, [0x81, 0], &[text(NAME, "forged")]);
        answer[1] ^= 1;
        vec![u16::try_from(answer.len()).unwrap().to_be_bytes().to_vec(), answer]
    };
    let refused = |asked: &[u8]| vec![reply(asked, [0x81, 0x85], &[])];
    let rows: [(&str, Over, Over, Expected); 9] = [
        ("a circle", circle, nothing, |error| matches!(error, DnsError::Aliases)),
        ("aliases without an end", endless, nothing, |error| matches!(error, DnsError::Aliases)),
        ("a long chain", long, nothing, |error| matches!(error, DnsError::Aliases)),
        ("65,535 records", many, nothing, |error| matches!(error, DnsError::Malformed(_))),
        ("strays only", flood, nothing, |error| matches!(error, DnsError::Malformed(_))),
        ("too large", cut, large, |error| matches!(error, DnsError::Large(_))),
        ("another's answer", cut, other, |error| matches!(error, DnsError::Malformed(_))),
        ("a refusal", refused, nothing, |error| matches!(error, DnsError::Refused(_, 5))),
        ("silence", nothing, nothing, |error| matches!(error, DnsError::Time)),
    ];
    for (row, datagrams, stream, expected) in rows {
        let error = look(datagrams, stream).await.unwrap_err();
        assert!(expected(&error), "{row}: {error:?}");
    }
}

#[tokio::test]
async fn the_next_server_is_asked() {
    let (broken, asked) = serve(|asked| vec![reply(asked, [0x81, 2], &[])], nothing).await;
    let (good, _) =
        serve(|asked| vec![reply(asked, [0x81, 0], &[text(NAME, "here")])], nothing).await;
    let found = Resolver::new(vec![broken, good]).txt(NAME).await.unwrap();
    assert_eq!((found, asked.load(Ordering::SeqCst)), (vec![b"here".to_vec()], 1));
    let none = Resolver::new(Vec::new()).txt(NAME).await.unwrap_err();
    assert!(matches!(none, DnsError::NoServer));
    let long = format!("{}.example", "a".repeat(64));
    let error = Resolver::new(vec![good]).txt(&long).await.unwrap_err();
    assert!(matches!(error, DnsError::Name(_)));
}
