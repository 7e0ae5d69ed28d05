//! The collaboratives of the founding documents, each loaded from its region file and matched: as `fallow dev --region`.

use std::time::Duration;

use fallow::cli::DevFiles;
use fallow::dev::{Demonstration, DevArgs};
use fallow_api::client::{Client, Settings};
use fallow_api::convert::time::to_wire;
use fallow_api::v1;
use fallow_api::v1::Objection;
use jiff::SignedDuration;

use crate::people::User;
use crate::wire::{self, CADENCE};

/// A region of these files, with nobody in it but the story.
struct Region {
    shown: Demonstration,
    files: DevFiles,
    _folder: tempfile::TempDir,
}

impl Region {
    async fn load(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = format!("{}/../regions/{file}", env!("CARGO_MANIFEST_DIR"));
        let args = DevArgs {
            speed: 1,
            port: 0,
            grpc_port: 0,
            region: Some(path.into()),
            no_simulator: true,
            ..DevArgs::default()
        };
        let shown = Demonstration::start(&args, folder.path()).await.unwrap();
        Self { shown, files: DevFiles::below(folder.path()), _folder: folder }
    }

    /// Returns the bed manager of a trust, by the credential that was left for the command line.
    fn bed_manager(&self, trust: &str) -> User {
        let file = self.files.token_file(&format!("bed-manager.{trust}"));
        let token = std::fs::read_to_string(file).unwrap();
        let client = Client::new(&Settings::at(self.shown.grpc_url()).with_token(token)).unwrap();
        User { client, now: self.shown.clock().now() }
    }

    /// Publishes free beds of a code at a site of a trust.
    async fn publish(&self, site: &str, code: &str, free: i64) -> v1::Offer {
        let now = self.shown.clock().now();
        let until = now + SignedDuration::from_hours(48);
        let offer = v1::Offer {
            source_key: format!("{site}-{code}"),
            site: site.into(),
            resource: Some(wire::resource(v1::ResourceKind::Bed, code)),
            figures: Some(v1::Figures { staffed: free, ..Default::default() }),
            window: Some(v1::Window { from: None, until: Some(to_wire(until)) }),
            cadence: Some(prost_types::Duration { seconds: CADENCE.as_secs(), nanos: 0 }),
            ..Default::default()
        };
        self.bed_manager(&site[..3]).publish(offer).await
    }

    /// Raises a need of one bed of a code at a site of a trust.
    async fn raise(&self, site: &str, code: &str) -> v1::Need {
        let resource = wire::resource(v1::ResourceKind::Bed, code);
        let need = v1::Need { resource: Some(resource), ..wire::need(site, &format!("{site}-{code}"), 1) };
        self.bed_manager(&site[..3]).raise(need).await
    }

    async fn end(self) {
        self.shown.end(Duration::from_secs(10)).await.unwrap();
    }
}

/// Returns why offers were not used, with their counts.
fn counts(answer: &v1::ExplainNeedResponse) -> Vec<(Objection, i64)> {
    let unserved = answer.unserved.as_ref().expect("it has a reason");
    unserved.counts.iter().map(|count| (count.reason(), count.count)).collect()
}

/// Returns the term of a proposal's burden that travel makes.
fn travel(proposal: &v1::Proposal) -> (i64, String) {
    let explanation = proposal.explanation.as_ref().unwrap();
    let term = explanation.terms.iter().find(|term| term.name == "travel").expect("travel is a term");
    (term.points, term.detail.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cheshire_and_merseyside_helps_within_each_collaborative_and_not_across() {
    let region = Region::load("cheshire-merseyside.toml").await;
    // A bed of the community collaborative's, and one of an acute trust's: only the latter is shared with the needy.
    region.publish("RY701", "STEP_DOWN", 5).await;
    let need = region.raise("REM01", "STEP_DOWN").await;
    let home = region.bed_manager("REM");
    let refused = home.explain(&need).await;
    assert_eq!(counts(&refused), [(Objection::NoAgreement, 1)]);

    let offer = region.publish("RBL01", "STEP_DOWN", 1).await;
    let proposal = home.proposal_of(&need).await;
    assert_eq!((proposal.offer, proposal.supporting_trust.as_str()), (offer.id, "RBL"));

    // The other collaborative helps its own.
    let need = region.raise("RW401", "STEP_DOWN").await;
    let proposal = region.bed_manager("RW4").proposal_of(&need).await;
    assert_eq!(proposal.supporting_trust, "RY7");
    region.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_south_west_keeps_levels_of_security_apart_and_says_how_far_from_home() {
    let region = Region::load("south-west-mental-health.toml").await;
    // Low secure is no medium secure, however free it is.
    region.publish("XP301", "MH_206", 4).await;
    let need = region.raise("RWV01", "MH_207").await;
    let home = region.bed_manager("RWV");
    assert_eq!(counts(&home.explain(&need).await), [(Objection::SecurityLevel, 1)]);

    // A medium secure bed is proposed, with the way from home.
    let offer = region.publish("RVN01", "MH_207", 1).await;
    let proposal = home.proposal_of(&need).await;
    assert_eq!((proposal.offer.as_str(), proposal.supporting_trust.as_str()), (offer.id.as_str(), "RVN"));
    let (points, detail) = travel(&proposal);
    assert!(points > 60 && detail.contains(&points.to_string()), "{points}: {detail}");
    let explained = home.explain(&need).await;
    assert_eq!(travel(&explained.proposals[0]), (points, detail));

    // So is a bed of an independent provider for young people of the community interest company.
    region.publish("XP101", "MH_301", 2).await;
    let need = region.raise("XC101", "MH_301").await;
    let proposal = region.bed_manager("XC1").proposal_of(&need).await;
    assert_eq!(proposal.supporting_trust, "XP1");
    assert!(travel(&proposal).0 > 60);
    region.end().await;
}
