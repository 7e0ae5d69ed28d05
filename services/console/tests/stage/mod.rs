//! The console on a free port, in front of the made-up world.

use std::net::SocketAddr;

use fallow_console::{BuiltInUser, Demo, Endpoints, Settings, SignIn, TokenIssuer};
use fallow_domain::ids::{RegionId, TrustCode};
use fallow_host::clock::Clock;
use fallow_host::identity::{Signer, SigningKey, Verifier, built_in};
use fallow_host::tasks::Tasks;
use tokio::net::TcpListener;
use tonic::transport::Endpoint;

use super::fake::World;

/// A running console.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) world: World,
    /// The console's tasks.
    pub(crate) tasks: Tasks,
    /// Those of the services behind it.
    pub(crate) services: Tasks,
}

impl Stage {
    /// Serves the console on an address; port 0 takes a free one.
    pub(crate) async fn on(address: &str) -> Self {
        let region = RegionId::parse("Y99").expect("an id");
        let signer = Signer::new(SigningKey::generate().expect("a key"), "fallow", "fallow", Clock::system());
        let keys = signer.key_set();
        let verifier = Verifier::new(keys, ("fallow", "fallow"), region.clone(), 10, Clock::system());
        let clock = Clock::scaled("2026-11-24T14:32:00Z".parse().expect("a time"), 1);
        let world = World::on_a_winter_tuesday(verifier, clock.clone());
        let (tasks, behind) = (Tasks::new(), Tasks::new());

        let services = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let at = format!("http://{}", services.local_addr().expect("an address"));
        world.serve(services, &behind);

        let trusts: Vec<TrustCode> =
            ["ZA1", "ZA3", "ZA4", "ZA6"].map(|code| code.parse().expect("a code")).to_vec();
        let issuer =
            |name: &str| TokenIssuer::new(signer.clone(), built_in::user(name, &region).expect("a user"));
        let user = |name: &String| BuiltInUser {
            place: name.split_once('.').map_or("Region", |(_, trust)| trust).to_owned(),
            issuer: issuer(name),
        };
        let people = [
            "bed-manager.ZA1",
            "bed-manager.ZA3",
            "bed-manager.ZA4",
            "bed-manager.ZA6",
            "site-lead.ZA4",
            "duty-lead",
            "icb",
            "platform-admin",
        ];
        let people = people.map(str::to_owned);
        assert!(people.iter().all(|name| built_in::names(&trusts).contains(name)));
        let settings = Settings {
            endpoints: tokio::sync::watch::channel(Endpoints::all_at(
                &Endpoint::from_shared(at).expect("an address"),
            ))
            .1,
            credential: issuer("console"),
            sign_in: SignIn::BuiltIn(people.iter().map(user).collect()),
            demo: Some(Demo::new(clock.clone())),
            idle: std::time::Duration::from_secs(15 * 60),
            https: false,
        };
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("an address");
        let stop = tasks.clone();
        tasks.spawn("console", async move {
            fallow_console::serve(settings, clock, stop, listener).await.expect("the console serves");
        });
        Self { address, world, tasks, services: behind }
    }
}
