//! `fallow capacity`, and its short forms `free`, `take`, `still-true` and `mine`: what the own trust can spare.

mod args;
mod find;

use fallow_api::client::Client;
use fallow_api::render;
use fallow_api::v1::{
    AdjustOfferRequest, AskToConfirmRequest, ConfirmOffersRequest, DeclarePressureRequest, Figures,
    Freshness, Limits, ListOffersRequest, Offer, OfferFilter, OfferSelection, PublishOfferRequest, Resource,
    ResourceKind, ResumeOffersRequest, SetReserveRequest, SuspendOffersRequest, Team, WatchOffersRequest,
    Window, WithdrawOfferRequest,
};
use fallow_tabular::difference;
use jiff::Timestamp;

pub(crate) use self::args::{Adjust, Capacity, Confirm, Free, List, Publish, Take};
use self::args::{Ask, Opel, Reserve, Resume, Suspend, Withdraw};
use self::find::{find, select};
use super::demand;
use super::failure::{Exit, Failure};
use super::options::{Change, Expect};
use super::page::pages;
use super::proposal;
use super::session::Session;
use super::sheets;
use super::time::{self, to_wire};
use super::timeline::history;
use super::watch::follow;

/// The command that shows what there is, for errors.
const LIST: &str = "fallow mine";

/// Runs `fallow capacity …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Capacity) -> Result<Exit, Failure> {
    match command {
        Capacity::Publish(args) => publish(session, *args).await,
        Capacity::Adjust(args) => adjust(session, args).await,
        Capacity::Confirm(args) => confirm(session, args).await,
        Capacity::List(args) => list(session, args).await,
        Capacity::Show { id } => {
            let offer = find(session, &id, true).await?;
            session.show_one(&offer)
        }
        Capacity::History { id } => {
            let offer = find(session, &id, true).await?;
            let made = proposal::all_of_offer(session, &offer.id).await?;
            let made = made.into_iter().map(|proposal| proposal.id);
            history(session, made.chain([offer.id]).collect()).await
        }
        Capacity::Withdraw(args) => withdraw(session, args).await,
        Capacity::Suspend(args) => suspend(session, args).await,
        Capacity::Resume(args) => resume(session, args).await,
        Capacity::Reserve(Reserve::Set { resource, units, change, expect }) => {
            set_reserve(session, resource, units, &change, &expect).await
        }
        Capacity::Opel(args) => declare_opel(session, args).await,
        Capacity::Ask(args) => ask(session, args).await,
        Capacity::Apply(args) => sheets::apply(session, args).await,
    }
}

/// Runs `fallow capacity publish`.
pub(crate) async fn publish(session: &mut Session<'_>, args: Publish) -> Result<Exit, Failure> {
    let (offer, id) = (offer_of(session, &args)?, args.terms.change.request_id());
    let request = PublishOfferRequest {
        request_id: id.clone(),
        validate_only: args.terms.change.dry_run,
        expected_revision: args.terms.expect.if_revision,
        offer: Some(offer),
        confirm_large_change: args.terms.confirm_large_change,
    };
    let client = session.capacity()?;
    let answer = session.send(&id, request, async |ask| client.clone().publish_offer(ask).await).await?;
    session.show_changed(answer.offer.as_ref(), "published", answer.revision)
}

fn offer_of(session: &Session<'_>, args: &Publish) -> Result<Offer, Failure> {
    let terms = &args.terms;
    let (now, zone) = (session.now(), &session.zone);
    let from = terms.from.as_deref().map(|text| time::parse(text, now, zone)).transpose()?;
    let is_timed = matches!(args.resource.kind(), ResourceKind::Theatre | ResourceKind::Diagnostic);
    if is_timed && from.is_none() {
        return Err(Failure::usage("when does it start? What has started already is proposed to nobody")
            .next("say --from TIME, such as --from +2h or --from \"thu 13:30\""));
    }
    let until = time::parse(&terms.until, now, zone)?;
    let site = session.site(terms.site.as_deref())?;
    let resource = Resource { specialties: terms.specialty.clone(), ..args.resource.clone() };
    let cadence = time::duration(&terms.cadence)?;
    let limited = terms.age_min.is_some()
        || terms.age_max.is_some()
        || terms.sex.is_some()
        || terms.bmi_max.is_some()
        || terms.asa_max.is_some();
    let offer = Offer {
        site,
        resource: Some(resource),
        figures: Some(Figures { staffed: args.count, ..Figures::default() }),
        window: Some(Window { from: from.map(to_wire), until: Some(to_wire(until)) }),
        capabilities: terms.capability.clone(),
        limits: limited.then(|| Limits {
            age_min: terms.age_min,
            age_max: terms.age_max,
            sex: terms.sex.map(i32::from),
            bmi_max: terms.bmi_max,
            asa_max: terms.asa_max,
        }),
        team: (!terms.needs_team.is_empty())
            .then(|| Team { staffed: false, needs: terms.needs_team.clone() }),
        cadence: Some(prost_types::Duration { seconds: cadence.as_secs(), nanos: 0 }),
        note: terms.note.clone(),
        campaign: terms.campaign.clone(),
        ..Offer::default()
    };
    let source_key = terms.key.clone().unwrap_or_else(|| difference::source_key(&offer));
    Ok(Offer { source_key, ..offer })
}

/// Runs `fallow capacity adjust`.
pub(crate) async fn adjust(session: &mut Session<'_>, args: Adjust) -> Result<Exit, Failure> {
    let (offer, id) = (find(session, &args.offer, false).await?, args.change.request_id());
    let request = AdjustOfferRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        offer: offer.id,
        by: args.by,
    };
    let client = session.capacity()?;
    let answer = session.send(&id, request, async |ask| client.clone().adjust_offer(ask).await).await?;
    let short = answer.offer.as_ref().and_then(|offer| offer.figures).map_or(0, |figures| figures.short);
    let exit = session.show_changed(
        answer.offer.as_ref(),
        &format!("adjusted by {:+}", args.by),
        answer.revision,
    )?;
    if short > 0 {
        session.terminal.say(&format!(
            "{short} too few for what is in use, held and agreed: unanswered holds are released first"
        ))?;
    }
    Ok(exit)
}

/// Runs `fallow capacity confirm`.
pub(crate) async fn confirm(session: &mut Session<'_>, args: Confirm) -> Result<Exit, Failure> {
    let selection = match args.all {
        true => OfferSelection { all: true, ..OfferSelection::default() },
        false => select(session, &args.offers, args.site).await?,
    };
    let id = args.change.request_id();
    let request = ConfirmOffersRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        selection: Some(selection),
    };
    let client = session.capacity()?;
    let answer = session.send(&id, request, async |ask| client.clone().confirm_offers(ask).await).await?;
    session.show_list(&answer.offers, "no live offers")?;
    session.say_changed(&format!("still true: {}", counted(answer.offers.len())), answer.revision)
}

async fn suspend(session: &mut Session<'_>, args: Suspend) -> Result<Exit, Failure> {
    let until = time::parse(&args.until, session.now(), &session.zone)?;
    let (selection, id) = (select(session, &args.offers, None).await?, args.change.request_id());
    let request = SuspendOffersRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        selection: Some(selection),
        until: Some(to_wire(until)),
        reason: args.reason,
    };
    let client = session.capacity()?;
    let answer = session.send(&id, request, async |ask| client.clone().suspend_offers(ask).await).await?;
    session.show_list(&answer.offers, "no live offers")?;
    session.say_changed(
        &format!("suspended: {}; live holds run on", counted(answer.offers.len())),
        answer.revision,
    )
}

async fn resume(session: &mut Session<'_>, args: Resume) -> Result<Exit, Failure> {
    let (selection, id) = (select(session, &args.offers, None).await?, args.change.request_id());
    let request = ResumeOffersRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        selection: Some(selection),
    };
    let client = session.capacity()?;
    let answer = session.send(&id, request, async |ask| client.clone().resume_offers(ask).await).await?;
    session.show_list(&answer.offers, "no suspended offers")?;
    session.say_changed(&format!("open again: {}", counted(answer.offers.len())), answer.revision)
}

async fn withdraw(session: &mut Session<'_>, args: Withdraw) -> Result<Exit, Failure> {
    let (offer, id) = (find(session, &args.id, false).await?, args.change.request_id());
    let request = WithdrawOfferRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        offer: offer.id,
        reason: args.reason.into(),
    };
    let client = session.capacity()?;
    let answer = session.send(&id, request, async |ask| client.clone().withdraw_offer(ask).await).await?;
    session.show_changed(answer.offer.as_ref(), "withdrawn", answer.revision)
}

async fn set_reserve(
    session: &mut Session<'_>,
    resource: Resource,
    units: i64,
    change: &Change,
    expect: &Expect,
) -> Result<Exit, Failure> {
    let (name, id) = (render::resource(&resource), change.request_id());
    let request = SetReserveRequest {
        request_id: id.clone(),
        validate_only: change.dry_run,
        expected_revision: expect.if_revision,
        resource: Some(resource),
        units,
    };
    let client = session.capacity()?;
    let answer = session.send(&id, request, async |ask| client.clone().set_reserve(ask).await).await?;
    if let Some(reserve) = &answer.reserve {
        let text = format!("{}  {name}  keep {}\n", reserve.trust, reserve.units);
        session.show_message(reserve, &reserve.trust, &text)?;
    }
    session.say_changed(&format!("{units} {name} kept back"), answer.revision)
}

async fn declare_opel(session: &mut Session<'_>, args: Opel) -> Result<Exit, Failure> {
    let declared_at = args.declared_at.as_deref();
    let declared_at = declared_at.map(|text| time::past(text, session.now(), &session.zone)).transpose()?;
    if declared_at.is_some_and(|at| at > session.now()) {
        return Err(Failure::usage("--declared-at is still to come: what is declared has been said already")
            .next("leave --declared-at out for now, or say -1h, 07:30 or \"yesterday 22:00\""));
    }
    let id = args.change.request_id();
    let request = DeclarePressureRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        opel: args.opel,
        declared_at: declared_at.map(to_wire),
    };
    let client = session.capacity()?;
    let answer = session.send(&id, request, async |ask| client.clone().declare_pressure(ask).await).await?;
    if let Some(said) = &answer.pressure {
        let when = session.view().time(said.declared_at);
        let text = format!("{}  OPEL {}  declared {when}\n", said.trust, said.opel);
        session.show_message(said, &said.trust, &text)?;
    }
    session.say_changed(&format!("OPEL {} declared", args.opel), answer.revision)
}

async fn ask(session: &mut Session<'_>, args: Ask) -> Result<Exit, Failure> {
    let id = args.change.request_id();
    let trust = args.trust.to_uppercase();
    let need = match &args.need {
        Some(typed) => demand::find(session, typed).await?.id,
        None => String::new(),
    };
    let request = AskToConfirmRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        trust: trust.clone(),
        resource: args.resource,
        need,
    };
    let client = session.capacity()?;
    let answer = session.send(&id, request, async |ask| client.clone().ask_to_confirm(ask).await).await?;
    // Where there is nothing to ask about, nothing is written: that is no dry run.
    if answer.asked == 0 {
        let text = format!("{trust} has nothing to confirm: nobody is asked\n");
        return session.show_message(&answer, "", &text);
    }
    let text = format!("{trust} is asked to confirm {}\n", counted(offers(answer.asked)));
    session.show_message(&answer, "", &text)?;
    session.say_changed("asked", answer.revision)
}

/// Runs `fallow capacity list`.
pub(crate) async fn list(session: &mut Session<'_>, args: List) -> Result<Exit, Failure> {
    let filter = filter_of(session, &args);
    if !args.watch {
        return draw(session, &filter).await;
    }
    let watched = filter.clone();
    let open = move |client: Client, cursor| {
        let request = WatchOffersRequest { cursor, filter: Some(watched.clone()) };
        async move { client.capacity().watch_offers(request).await.map(tonic::Response::into_inner) }
    };
    follow(session, open, async |session| draw(session, &filter).await).await
}

fn filter_of(session: &Session<'_>, args: &List) -> OfferFilter {
    let own = if args.everyone { None } else { session.own_trust() };
    let trusts = if args.trust.is_empty() { own.into_iter().collect() } else { upper(&args.trust) };
    OfferFilter {
        trusts,
        sites: upper(&args.site),
        kinds: args.resource.iter().map(|resource| resource.kind).collect(),
        codes: args.resource.iter().map(|resource| resource.code.clone()).collect(),
        states: args.state.iter().map(|state| i32::from(*state)).collect(),
        freshness: if args.stale { vec![Freshness::Stale.into()] } else { Vec::new() },
        ..OfferFilter::default()
    }
}

fn upper(codes: &[String]) -> Vec<String> {
    codes.iter().map(|code| code.to_uppercase()).collect()
}

async fn draw(session: &mut Session<'_>, filter: &OfferFilter) -> Result<Exit, Failure> {
    let offers = all(session, filter).await?;
    session.show_list(&offers, "no offers; publish one: fallow free 2 level2 --until 20:00")
}

/// Lists every offer that fits.
pub(crate) async fn all(session: &Session<'_>, filter: &OfferFilter) -> Result<Vec<Offer>, Failure> {
    all_at(session, filter, None).await
}

/// Lists every offer that fits, as of a time; `None` = now.
pub(crate) async fn all_at(
    session: &Session<'_>,
    filter: &OfferFilter,
    at: Option<Timestamp>,
) -> Result<Vec<Offer>, Failure> {
    let client = session.capacity()?;
    pages(async |page_size, page_token| {
        let request =
            ListOffersRequest { page_size, page_token, filter: Some(filter.clone()), as_of: at.map(to_wire) };
        let answer = session.call(request, async |ask| client.clone().list_offers(ask).await).await?;
        Ok((answer.offers, answer.next_page_token))
    })
    .await
}

fn offers(count: i64) -> usize {
    usize::try_from(count).unwrap_or_default()
}

fn counted(count: usize) -> String {
    if count == 1 { "1 offer".to_owned() } else { format!("{count} offers") }
}
