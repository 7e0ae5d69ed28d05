//! Values planted in what one collaborative shares, and every byte of the replies to trusts outside it searched for them.

use fallow_api::problem::Problem;
use fallow_api::v1;
use prost::Message;

use crate::people::User;
use crate::wire::{self, resource};
use crate::world::{World, soon, tell};

/// Who shares virtual wards in North Vale, and who does not.
const INSIDE: [&str; 3] = ["ZA1", "ZA4", "ZA5"];
const OUTSIDE: [&str; 3] = ["ZA2", "ZA3", "ZA6"];
/// Stands in every text that is planted inside.
const CANARY: &[u8] = b"canary";
/// Stands in every text that the trusts outside wrote themselves: a search that finds nothing of it searches nothing.
const OWN: &[u8] = b"plainly";
/// Replies searched in the fast ring.
const REPLIES: usize = 3_000;
/// Replies searched in the slow one.
const MANY_REPLIES: usize = 100_000;

mod in_memory {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_byte_of_a_collaborative_leaves_it() {
        super::told(super::REPLIES).await;
    }
}

mod slow {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_byte_of_a_collaborative_leaves_it_in_a_hundred_thousand_replies() {
        super::told(super::MANY_REPLIES).await;
    }
}

async fn told(replies: usize) {
    tell(World::in_memory().await, async |world: &mut World| search(world, replies).await).await;
}

/// What was searched so far.
#[derive(Default)]
struct Searched {
    replies: usize,
    bytes: usize,
    own: usize,
    foreign: Vec<String>,
    /// Ids that nobody outside has been given.
    ids: Vec<String>,
}

async fn search(world: &mut World, replies: usize) {
    let mut searched = Searched { ids: plant(world).await, ..Searched::default() };
    // The search finds what it looks for where it may be.
    let mut inside = Searched::default();
    round(&world.user("bed-manager.ZA4"), &[], &mut inside).await;
    assert!(!inside.foreign.is_empty(), "an insider sees what is planted");

    let users: Vec<User> = OUTSIDE
        .iter()
        .flat_map(|trust| {
            [format!("bed-manager.{trust}"), format!("site-lead.{trust}"), format!("trust-system.{trust}")]
        })
        .chain(["coordinator", "lead-provider", "platform-admin"].map(str::to_owned))
        .map(|name| world.user(&name))
        .collect();
    let ids = searched.ids.clone();
    while searched.replies < replies {
        for user in &users {
            round(user, &ids, &mut searched).await;
        }
    }
    println!("{} replies, {} bytes, {} foreign", searched.replies, searched.bytes, searched.foreign.len());
    assert!(searched.foreign.is_empty(), "{:?}", &searched.foreign[..searched.foreign.len().min(10)]);
    assert!(searched.own > searched.replies / 20, "{} of {}", searched.own, searched.replies);
}

/// Publishes, needs, proposes and agrees inside, and writes something plain outside; returns every id that was given.
async fn plant(world: &World) -> Vec<String> {
    let mut ids = Vec::new();
    let ward = || Some(resource(v1::ResourceKind::VirtualWard, "FRAILTY"));
    for trust in INSIDE {
        let manager = world.user(&format!("bed-manager.{trust}"));
        let text = |what: &str| format!("canary {trust} {what}");
        let offer = v1::Offer {
            resource: ward(),
            source_key: text("key"),
            note: text("note"),
            capabilities: vec![text("skill")],
            ..wire::offer(&format!("{trust}01"), 3, world.now())
        };
        ids.push(manager.publish(offer).await.id);
    }
    for trust in ["ZA4", "ZA5"] {
        let manager = world.user(&format!("bed-manager.{trust}"));
        let text = |what: &str| format!("canary {trust} {what}");
        let need = v1::Need {
            resource: ward(),
            note: text("note"),
            cost_centre: text("cost"),
            ..wire::need(&format!("{trust}01"), &text("case"), 1)
        };
        let need = manager.raise(need).await;
        let proposal = manager.proposal_of(&need).await;
        ids.extend([need.id, proposal.id.clone()]);
        if trust == "ZA4" {
            let supporting = world.user(&format!("bed-manager.{}", proposal.supporting_trust));
            supporting.accept(&proposal).await;
            ids.push(manager.accept(&proposal).await.transfer.unwrap().id);
        }
    }
    for trust in OUTSIDE {
        let manager = world.user(&format!("bed-manager.{trust}"));
        let offer =
            v1::Offer { note: "plainly ours".into(), ..wire::offer(&format!("{trust}01"), 2, world.now()) };
        manager.publish(offer).await;
        let item = Some(resource(v1::ResourceKind::Equipment, "CPAP_DEVICE"));
        let need = v1::Need {
            resource: item,
            note: "plainly ours".into(),
            ..wire::need(&format!("{trust}01"), "", 1)
        };
        manager.raise(need).await;
    }
    ids
}

/// Asks everything that can be asked, by every id, and searches what comes.
async fn round(user: &User, ids: &[String], searched: &mut Searched) {
    macro_rules! ask {
        ($service:ident, $verb:ident, $request:expr) => {
            searched.look(user.$service().$verb($request).await.map(tonic::Response::into_inner))
        };
    }
    ask!(capacity, list_offers, v1::ListOffersRequest::default());
    ask!(demand, list_needs, v1::ListNeedsRequest::default());
    ask!(matching, list_proposals, v1::ListProposalsRequest::default());
    ask!(matching, list_transfers, v1::ListTransfersRequest::default());
    ask!(monitor, get_situation, v1::GetSituationRequest::default());
    ask!(monitor, get_region, v1::GetRegionRequest {});
    ask!(monitor, list_audit, v1::ListAuditRequest::default());
    for id in ids {
        ask!(capacity, get_offer, v1::GetOfferRequest { offer: id.clone() });
        ask!(demand, get_need, v1::GetNeedRequest { need: id.clone() });
        ask!(matching, get_proposal, v1::GetProposalRequest { proposal: id.clone() });
        ask!(matching, get_transfer, v1::GetTransferRequest { transfer: id.clone() });
        ask!(matching, explain_need, v1::ExplainNeedRequest { need: id.clone(), ..Default::default() });
    }
    macro_rules! watch {
        ($service:ident, $verb:ident, $request:expr) => {
            if let Ok(told) = user.$service().$verb($request).await {
                let mut told = told.into_inner();
                // What there is comes first, and its end is told by a cursor.
                loop {
                    let message = soon("a snapshot", told.message()).await.unwrap().unwrap();
                    let is_end = !message.cursor.is_empty();
                    searched.look(Ok(message));
                    if is_end {
                        break;
                    }
                }
            }
        };
    }
    watch!(capacity, watch_offers, v1::WatchOffersRequest::default());
    watch!(demand, watch_needs, v1::WatchNeedsRequest::default());
    watch!(matching, watch_proposals, v1::WatchProposalsRequest::default());
    watch!(matching, watch_transfers, v1::WatchTransfersRequest::default());
}

impl Searched {
    fn look(&mut self, reply: Result<impl Message, tonic::Status>) {
        let (bytes, ids) = match reply {
            Ok(message) => (message.encode_to_vec(), self.ids.as_slice()),
            // A refusal repeats the id that was asked for, and nothing else.
            Err(status) => {
                ([format!("{:?}", Problem::from(&status)).as_bytes(), status.details()].concat(), &[][..])
            }
        };
        self.replies += 1;
        self.bytes += bytes.len();
        self.own += usize::from(holds(&bytes, OWN));
        let planted = holds(&bytes, CANARY) || ids.iter().any(|id| holds(&bytes, id.as_bytes()));
        if planted {
            self.foreign.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

fn holds(bytes: &[u8], value: &[u8]) -> bool {
    bytes.windows(value.len()).any(|window| window == value)
}
