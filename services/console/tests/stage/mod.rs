//! The console on a free port, in front of the made-up world.

use std::net::SocketAddr;

use fallow_console::{BuiltInUser, Demo, Endpoints, Settings, SignIn, TokenIssuer};
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, RegionId};
use fallow_host::clock::Clock;
use fallow_host::identity::{Caller, Signer, SigningKey, Verifier, built_in};
use fallow_host::tasks::Tasks;
use tokio::net::TcpListener;
use tonic::transport::Endpoint;

use super::fake::World;

/// A built-in user, or one who has a role of those above trusts for one trust, which no built-in user has.
fn user_called(name: &str, region: &RegionId) -> Caller {
    let of_a_trust = name.split_once('.').filter(|(role, _)| ["coordinator", "lead-provider"].contains(role));
    let Some((role, trust)) = of_a_trust else {
        return built_in::user(name, region).expect("a user");
    };
    let role = if role == "coordinator" { Role::Coordinator } else { Role::LeadProvider };
    let subject = Label::parse(name).expect("a name");
    let trust = Some(trust.parse().expect("a code"));
    Caller::unasked(Actor { subject, kind: ActorKind::Person, role, trust }, region.clone())
}

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

        let issuer = |name: &str| TokenIssuer::new(signer.clone(), user_called(name, &region));
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
            "coordinator.ZA4",
            "lead-provider.ZA4",
            "duty-lead",
            "icb",
            "platform-admin",
        ];
        let people = people.map(str::to_owned);
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
