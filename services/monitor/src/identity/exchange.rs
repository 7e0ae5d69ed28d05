//! From a sign-in at the provider to a credential of the region.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::ExchangeTokenRequest;
use fallow_domain::actor::{Actor, ActorKind};
use fallow_domain::ids::Label;
use fallow_host::identity::provider::{ChosenRole, SignedIn};
use fallow_host::identity::sessions::{Ended, has_ended};
use fallow_host::identity::{Assurance, Caller};
use fallow_ledger::record::{Record, session_key};
use fallow_live::call::Call;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{Inner, SignIns};

/// Longest life of a session, from the sign-in on: one shift.
pub(super) const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// How long what UserInfo said of a session is believed before it is asked again.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);
/// Sessions of which it is remembered what UserInfo said; beyond it, all are asked again.
const REMEMBERED_MAX: usize = 20_000;

/// What somebody gets for their sign-in.
pub(super) struct Exchanged {
    pub(super) token: String,
    pub(super) ends_at: Timestamp,
    pub(super) session_ends_at: Timestamp,
    pub(super) actor: Actor,
    pub(super) assurance: Assurance,
}

/// What UserInfo said of sessions, and when.
#[derive(Default)]
pub(super) struct Looked(Mutex<HashMap<Label, Look>>);

#[derive(Clone)]
struct Look {
    at: Duration,
    /// The role that was chosen and the access token that it was asked with, hashed: another of either asks again.
    with: [u8; 32],
    role: ChosenRole,
}

/// Exchanges a sign-in.
///
/// # Errors
/// As the contract says of `ExchangeToken`.
pub(super) async fn run(inner: &Inner, asked: &ExchangeTokenRequest) -> Result<Exchanged, Failure> {
    let sign_ins = inner.sign_ins()?;
    let signed_in = signed_in(sign_ins, asked).await?;
    if !asked.nonce.is_empty() && signed_in.nonce.as_deref() != Some(&asked.nonce) {
        return unauthenticated(reasons::TOKEN_BINDING, "the ID token was issued for another sign-in");
    }
    let now = inner.real.now();
    // A time that is none was longer ago than any session lasts.
    let signed_in_at = Timestamp::from_second(signed_in.signed_in_at).unwrap_or(Timestamp::MIN);
    let session_ends_at = signed_in_at.checked_add(SESSION_LIFE).unwrap_or(now);
    if session_ends_at <= now {
        return unauthenticated(reasons::SESSION_ENDED, "the session has ended: sign in again");
    }
    check_goes_on(inner, &signed_in, signed_in_at)?;
    let assurance = match signed_in.assurance {
        Some(found) if found >= Assurance::Two => found,
        Some(_) | None => {
            return unauthenticated(reasons::AAL_TOO_LOW, "sign in with two factors (assurance level 2)");
        }
    };
    let role = chosen_role(inner, sign_ins, &signed_in, &asked.access_token).await?;
    let in_force = inner.live.region()?;
    let is_trust = |code| in_force.region.trusts.contains_key(&code);
    let (role, trust) = sign_ins.roles.here(&role, is_trust, &inner.real).await?;
    // It may have ended while the provider was asked.
    check_goes_on(inner, &signed_in, signed_in_at)?;
    let actor = Actor { subject: signed_in.subject.clone(), kind: ActorKind::Person, role, trust };
    // Refuses a trust that is not, or no longer, in the region.
    Call::new(&inner.live, actor.clone(), inner.clock.now(), None)?;
    let region = inner.live.region_id().clone();
    let session = Some(signed_in.session.clone());
    let caller = Caller {
        actor: actor.clone(),
        region,
        assurance: Some(assurance),
        session,
        signed_in_at: Some(signed_in_at),
    };
    let left = Duration::try_from(session_ends_at.duration_since(now)).unwrap_or_default();
    let life = sign_ins.token_life.min(left);
    let token = sign_ins.signer.issue(&caller, life).map_err(|error| {
        tracing::error!(%error, "a credential could not be signed");
        Failure::ProviderAway { retry_after: Duration::from_secs(5) }
    })?;
    let ends_at =
        SignedDuration::try_from(life).ok().and_then(|life| now.checked_add(life).ok()).unwrap_or(now);
    tracing::info!(trust = trust.map(tracing::field::display), %role, assurance = assurance.level(), "signed in");
    Ok(Exchanged { token, ends_at, session_ends_at, actor, assurance })
}

/// Reads who signed in. Whoever shows the credential that they have of a sign-in renews it: its ID token then only names
/// it. That may have ended meanwhile, and a provider that renews the access token need not give another.
async fn signed_in(sign_ins: &SignIns, asked: &ExchangeTokenRequest) -> Result<SignedIn, Failure> {
    // One that is none of ours proves nothing, and is as good as none.
    if let Ok(held) = sign_ins.verifier.once_held_by(&asked.credential) {
        let known = sign_ins.provider.past_sign_in(&asked.id_token).await?;
        let signed_in_at = held.signed_in_at.map(Timestamp::as_second);
        if held.session.as_ref() == Some(&known.session)
            && held.actor.subject == known.subject
            && signed_in_at == Some(known.signed_in_at)
        {
            return Ok(known);
        }
    }
    sign_ins.provider.sign_in(&asked.id_token, Some(&asked.access_token)).await
}

/// Refuses a sign-in that was ended.
fn check_goes_on(inner: &Inner, signed_in: &SignedIn, signed_in_at: Timestamp) -> Result<(), Failure> {
    let ended = |name: &Label| match &*inner.live.picture().get(&session_key(name))?.record {
        Record::Session(session) => Some(Ended::from(session)),
        Record::Offer(_)
        | Record::Need(_)
        | Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Monitor(_)
        | Record::Decline(_) => None,
    };
    if has_ended(ended, &signed_in.session, &signed_in.subject, signed_in_at) {
        return unauthenticated(reasons::SESSION_ENDED, "the session has ended: sign in again");
    }
    Ok(())
}

async fn chosen_role(
    inner: &Inner,
    sign_ins: &SignIns,
    signed_in: &SignedIn,
    access_token: &str,
) -> Result<ChosenRole, Failure> {
    let mut with = Sha256::new();
    with.update(signed_in.selected_role.len().to_be_bytes());
    with.update(&signed_in.selected_role);
    with.update(access_token);
    let with: [u8; 32] = with.finalize().into();
    let now = inner.real.steady();
    let known = inner.looked.lock().get(&signed_in.session).cloned();
    if let Some(look) = known.filter(|look| look.with == with && now.saturating_sub(look.at) < LOOK_AGAIN) {
        return Ok(look.role);
    }
    let role = sign_ins.provider.chosen_role(signed_in, access_token).await?;
    let mut looked = inner.looked.lock();
    if looked.len() >= REMEMBERED_MAX {
        looked.retain(|_, look| now.saturating_sub(look.at) < LOOK_AGAIN);
    }
    if looked.len() < REMEMBERED_MAX {
        looked.insert(signed_in.session.clone(), Look { at: now, with, role: role.clone() });
    }
    Ok(role)
}

impl Looked {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Label, Look>> {
        // Every look is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unauthenticated<T>(reason: &'static str, text: &str) -> Result<T, Failure> {
    Err(Failure::Unauthenticated { reason, text: text.to_owned() })
}
