//! Connections that keep the letter of HTTP/2 and mean harm (B30, B32): each is ended or held up, and others are served.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// What a client says first: the preface, and settings without any.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The code of a connection that is ended for what it asks of us.
const ENHANCE_YOUR_CALM: u32 = 11;
/// Most rounds of a flood before a test gives up: a server that bears so many has no limit.
const ROUNDS: u32 = 2_000;
/// Frames of a round.
const A_ROUND: u32 = 100;

fn frame_of(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The head of a call, as HPACK writes it without a table: POST, http, the path, the kind.
fn head() -> Vec<u8> {
    let mut head = vec![0x83, 0x86];
    for (name, value) in [(":path", GET), (":authority", "fallow"), ("content-type", "application/grpc")] {
        head.push(0);
        for text in [name, value] {
            head.push(u8::try_from(text.len()).unwrap());
            head.extend(text.bytes());
        }
    }
    head
}

/// Floods a connection round by round until it is ended; returns the code with which it was said goodbye.
async fn flood(world: &World, mut round: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
    let stream = TcpStream::connect(world.address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    write.write_all(HELLO).await.unwrap();
    let listening = world.goodbye(&mut read);
    let flooding = async {
        for number in 0..ROUNDS {
            // What is not taken any more is the end that is waited for.
            if write.write_all(&round(number)).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let ended = async {
        tokio::select! {
            code = listening => code,
            () = flooding => None,
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("the connection is ended")
}

impl World {
    /// Reads frames until the server says goodbye, and returns its code; `None` when it just ends.
    async fn goodbye(&self, read: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<u32> {
        loop {
            let mut head = [0; 9];
            read.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            read.read_exact(&mut payload).await.ok()?;
            if head[3] == GOAWAY {
                return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
            }
        }
    }
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_end_the_connection() {
    let world = world().await;
    let head = head();
    let rapid = |number: u32| {
        let first = number * A_ROUND * 2 + 1;
        let streams = (0..A_ROUND).map(|stream| first + stream * 2);
        streams
            .flat_map(|stream| {
                let mut both = frame_of(HEADERS, END_HEADERS, stream, &head);
                both.extend(frame_of(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
                both
            })
            .collect()
    };
    assert_eq!(flood(&world, rapid).await, Some(ENHANCE_YOUR_CALM));
    world.is_well().await;
}

#[tokio::test]
async fn a_head_without_an_end_ends_the_connection() {
    let world = world().await;
    let endless = |number: u32| {
        let mut frames = Vec::new();
        if number == 0 {
            frames.extend(frame_of(HEADERS, END_STREAM, 1, &head()));
        }
        for _ in 0..A_ROUND {
            // A header of its own in each, never indexed.
            frames.extend(frame_of(CONTINUATION, 0, 1, b"\0\x01x\x01y"));
        }
        frames
    };
    assert_eq!(flood(&world, endless).await, Some(ENHANCE_YOUR_CALM));
    world.is_well().await;
}

/// Pings and settings are answered one by one, and who does not read the answers is not read any more either: such a
/// connection costs one connection.
#[tokio::test]
async fn pings_and_settings_without_end_hold_up_nobody_else() {
    let world = world().await;
    for (kind, payload) in [(PING, &[7; 8][..]), (SETTINGS, &[0, 3, 0, 0, 0, 100][..])] {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(HELLO).await.unwrap();
        let flood: Vec<u8> = (0..A_ROUND).flat_map(|_| frame_of(kind, 0, 0, payload)).collect();
        for _ in 0..50 {
            // Either it is taken, or the server has had enough of it.
            let written = tokio::time::timeout(Duration::from_millis(200), stream.write_all(&flood)).await;
            if !matches!(written, Ok(Ok(()))) {
                break;
            }
            world.is_well().await;
        }
        world.is_well().await;
    }
}

#[tokio::test]
async fn too_much_of_a_head_is_answered_by_http() {
    let world = world().await;
    let large = world.request(GET).header("x-large", "a".repeat(9_000));
    let got = world.send(large, framed(&GetOfferRequest::default())).await;
    assert_eq!(got.http, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    let mut many = world.request(GET);
    for number in 0..200 {
        many = many.header(format!("x-field-{number}"), "a");
    }
    let got = world.send(many, framed(&GetOfferRequest::default())).await;
    assert_eq!(got.http, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "200 fields");
    world.is_well().await;
}

#[tokio::test]
async fn calls_beside_one_another_are_counted_by_trust() {
    let world = world().await;
    let mut slow = Vec::new();
    // Each on a connection of its own: the limit is the trust's.
    for _ in 0..64 {
        let request = world.request(GET).header("grpc-timeout", "20S");
        slow.push(Box::pin(world.send(request, framed(&GetOfferRequest { offer: "slow".to_owned() }))));
    }
    let mut slow = futures::future::select_all(slow);
    let more = async {
        loop {
            let got = world.call(GET, &GetOfferRequest::default()).await;
            if got.outcome() != (Code::Ok, "") {
                return got;
            }
        }
    };
    let got = tokio::select! {
        got = more => got,
        (early, ..) = &mut slow => panic!("{early:?}"),
    };
    assert_eq!(got.outcome(), (Code::ResourceExhausted, reasons::CONCURRENCY));
    assert!(got.problem.unwrap().retry_after.is_some());
}
