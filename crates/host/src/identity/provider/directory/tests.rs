//! Against a provider that really serves, with a clock of our own.

use fallow_api::reasons;
use fallow_issuer::{Client, Issuer, KeysAnswer, Person};
use jiff::SignedDuration;
use tokio::net::TcpListener;

use crate::clock::Clock;
use crate::identity::provider::{Options, Provider};
use crate::tasks::Tasks;

const MANAGER: &str = "900000000001";

struct World {
    issuer: Issuer,
    provider: Provider,
    clock: Clock,
    tasks: Tasks,
}

async fn world() -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let people = vec![Person::with_role(MANAGER, "Bed manager", "ZA1", ("R8008", &[]))];
    let issuer =
        Issuer::new(&listener, people, vec![Client { id: "cli".to_owned(), ..Client::default() }]).unwrap();
    // Longer than a test goes on by its clock.
    issuer.set_token_life(std::time::Duration::from_secs(72 * 3_600));
    let tasks = Tasks::new();
    let serving = issuer.clone().serve(listener, tasks.stopping());
    tasks.spawn("issuer", async move { serving.await.unwrap() });
    let clock = Clock::manual(Clock::system().now());
    let options = Options {
        issuer: issuer.address().to_owned(),
        algorithm: "EdDSA".to_owned(),
        clients: vec!["cli".to_owned()],
        authorities: None,
        leeway_seconds: 30,
    };
    let provider = Provider::new(options, clock.clone()).unwrap();
    World { issuer, provider, clock, tasks }
}

impl World {
    fn token(&self) -> String {
        self.issuer.sign_in(MANAGER, "cli", 2).unwrap().0
    }

    async fn look(&self, token: &str) -> Result<(), &'static str> {
        self.provider.sign_in(token, None).await.map(drop).map_err(|refused| refused.reason())
    }

    /// Waits until the provider's keys were asked for so often.
    async fn asked(&self, times: u64) {
        let asked = async {
            while self.issuer.keys_asked() < times {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), asked).await.unwrap();
    }

    fn pass(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }
}

#[tokio::test]
async fn keys_serve_for_a_day_while_their_endpoint_misbehaves() {
    let world = world().await;
    let token = world.token();
    assert_eq!(world.look(&token).await, Ok(()));
    assert_eq!(world.issuer.keys_asked(), 1);
    let bad = [KeysAnswer::Huge, KeysAnswer::Redirect, KeysAnswer::Html, KeysAnswer::Error];
    for (number, answer) in (1..).zip(bad) {
        world.issuer.set_keys_answer(answer);
        world.pass(11);
        // The look goes on beside: nobody waits for it, and it changes nothing.
        let failed = async {
            while world.provider.failures() < number {
                assert_eq!(world.look(&token).await, Ok(()), "{answer:?}");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), failed).await.unwrap();
        assert_eq!(world.issuer.keys_asked(), 1 + number);
        assert_eq!(world.look(&token).await, Ok(()), "after {answer:?}");
    }
    world.pass(24 * 60);
    assert_eq!(world.look(&token).await, Err(reasons::PROVIDER_AWAY));
    world.issuer.set_keys_answer(KeysAnswer::Keys);
    world.pass(1);
    assert_eq!(world.look(&token).await, Ok(()), "as soon as they can be read");
    world.tasks.finish(std::time::Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_believed_within_a_minute_whoever_gives_up_waiting() {
    let world = world().await;
    assert_eq!(world.look(&world.token()).await, Ok(()));
    world.issuer.turn_keys(true).unwrap();
    let token = world.token();
    // Within a minute of a look there is no other, however often a strange key is shown.
    for _ in 0..5 {
        assert_eq!(world.look(&token).await, Err(reasons::TOKEN_KEY));
    }
    assert_eq!(world.issuer.keys_asked(), 1);
    world.pass(1);
    // Somebody shows it and hangs up before there is an answer: the look is not lost with them.
    {
        let mut look = std::pin::pin!(world.look(&token));
        assert!(futures::poll!(look.as_mut()).is_pending());
    }
    world.asked(2).await;
    let known = async {
        while world.look(&token).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), known).await.unwrap();
    assert_eq!(world.issuer.keys_asked(), 2);
    world.tasks.finish(std::time::Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_not_known_is_no_stranger_while_the_key_set_cannot_be_read() {
    let world = world().await;
    assert_eq!(world.look(&world.token()).await, Ok(()));
    world.issuer.turn_keys(false).unwrap();
    let token = world.token();
    world.issuer.set_keys_answer(KeysAnswer::Error);
    world.pass(1);
    // The look fails, and for a minute there is no other: nobody knows yet whether the key is the provider's.
    for _ in 0..3 {
        assert_eq!(world.look(&token).await, Err(reasons::PROVIDER_AWAY));
    }
    assert_eq!(world.issuer.keys_asked(), 2);
    world.issuer.set_keys_answer(KeysAnswer::Keys);
    assert_eq!(world.look(&token).await, Err(reasons::PROVIDER_AWAY), "it is too soon for another look");
    world.pass(1);
    assert_eq!(world.look(&token).await, Ok(()));
    // Once the keys could be read, a key that is not among them is a stranger's.
    world.issuer.turn_keys(true).unwrap();
    assert_eq!(world.look(&world.token()).await, Err(reasons::TOKEN_KEY));
    world.tasks.finish(std::time::Duration::from_secs(10)).await.unwrap();
}
