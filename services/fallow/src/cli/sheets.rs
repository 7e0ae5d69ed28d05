//! `fallow import`, `fallow export` and `fallow capacity apply`: sheets in and out.

mod args;
mod capacity;
mod demand;
mod export;
mod file;
mod report;

use fallow_api::v1::GetRegionRequest;
use fallow_tabular::template::{self, Lists};

pub(crate) use self::args::{Apply, Export, Import};
use self::args::{Empty, Kind};
pub(crate) use self::file::{refuse_a_screen, unwritten, write};
use super::failure::{Exit, Failure};
use super::session::Session;

/// Runs `fallow import …`.
pub(crate) async fn import(session: &mut Session<'_>, command: Import) -> Result<Exit, Failure> {
    match command {
        Import::Capacity(args) => capacity::run(session, &args, false).await,
        Import::Demand(args) => demand::run(session, &args).await,
        Import::Fhir(args) => demand::requests(session, &args).await,
        Import::Template(args) => template(session, &args).await,
    }
}

/// Runs `fallow capacity apply`.
pub(crate) async fn apply(session: &mut Session<'_>, args: Apply) -> Result<Exit, Failure> {
    let replace = args.replace;
    capacity::run(session, &args.into(), replace).await
}

/// Runs `fallow export`.
pub(crate) async fn export(session: &mut Session<'_>, command: Export) -> Result<Exit, Failure> {
    export::run(session, command).await
}

/// Runs `fallow import template`. The region's lists go into it where a service can be asked; national codes always do.
pub(crate) async fn template(session: &mut Session<'_>, args: &Empty) -> Result<Exit, Failure> {
    file::refuse_a_screen(session, args.out.as_deref())?;
    let lists = match session.open().await {
        Ok(()) => lists(session).await,
        Err(_) => None,
    };
    if lists.is_none() {
        session.terminal.say("no service was asked: the lists have the national codes, and no sites")?;
    }
    let kind = match args.kind {
        Kind::Offers => template::Template::Offers,
        Kind::Needs => template::Template::Needs,
        Kind::Theatre => template::Template::Theatre,
    };
    let bytes =
        template::workbook(kind, &lists.unwrap_or_default()).map_err(|error| file::unwritten(&error))?;
    file::write(session, args.out.as_deref(), &bytes)?;
    Ok(Exit::Ok)
}

async fn lists(session: &Session<'_>) -> Option<Lists> {
    let client = session.monitor().ok()?;
    let answer = session.call(GetRegionRequest {}, async |ask| client.clone().get_region(ask).await).await;
    let region = answer.ok()?.region?;
    let own = session.own_trust();
    let sites = region.sites.iter().filter(|site| own.as_ref().is_none_or(|own| *own == site.trust));
    Some(Lists {
        sites: sites.map(|site| site.code.clone()).collect(),
        resources: region.resources.iter().map(fallow_api::render::resource_key).collect(),
    })
}
