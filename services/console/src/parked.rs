//! Forms that were sent after their session had ended: kept until their person has signed in again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::pages::upload::CONFIRMED_BYTES_MAX;
use crate::session::Viewer;

/// How long a form waits.
const KEPT_FOR: Duration = Duration::from_secs(3600);
/// Bytes of a form at most, that of a sheet.
const BYTES_MAX: usize = CONFIRMED_BYTES_MAX;
/// Bytes of a form that somebody filled in at most; a larger one is of a sheet.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// Forms at most; the oldest makes room.
const KEPT_MAX: usize = 500;
/// Forms of sheets at most, which are not to fill the memory; the oldest of them makes room.
const LARGE_KEPT_MAX: usize = 16;

/// A form that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    /// Whose it is: nobody else gets it back, and they send it only for whom they filled it in.
    pub(crate) viewer: Viewer,
    /// Where it goes.
    pub(crate) path: String,
    /// What was filled in, without the secret of the old session.
    pub(crate) fields: Vec<(String, String)>,
}

impl Form {
    fn bytes(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    fn is_large(&self) -> bool {
        self.bytes() > SMALL_BYTES_MAX
    }
}

/// All forms that wait, by a name that nobody guesses.
#[derive(Default)]
pub(crate) struct Parked(Mutex<HashMap<String, (Instant, Form)>>);

impl Parked {
    /// Keeps a form and returns its name; `None` when it is too large to be kept.
    pub(crate) fn keep(&self, form: Form) -> Option<String> {
        if form.bytes() > BYTES_MAX {
            return None;
        }
        let mut all = self.lock();
        all.retain(|_, (at, _)| at.elapsed() < KEPT_FOR);
        make_room(&mut all, KEPT_MAX, |_| true);
        if form.is_large() {
            make_room(&mut all, LARGE_KEPT_MAX, Form::is_large);
        }
        let name = Uuid::new_v4().simple().to_string();
        all.insert(name.clone(), (Instant::now(), form));
        Some(name)
    }

    /// Returns somebody's form. It stays, for a page may be loaded twice; sending it twice does it once.
    pub(crate) fn find(&self, name: &str, subject: &str) -> Option<Form> {
        let all = self.lock();
        let (at, form) = all.get(name)?;
        (at.elapsed() < KEPT_FOR && form.viewer.subject == subject).then(|| form.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Instant, Form)>> {
        // Whole after each operation.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes the oldest form of a sort while there are as many as there may be, so that one more finds room.
fn make_room(all: &mut HashMap<String, (Instant, Form)>, most: usize, is_of_sort: impl Fn(&Form) -> bool) {
    let of_sort = || all.iter().filter(|(_, (_, form))| is_of_sort(form));
    if of_sort().count() < most {
        return;
    }
    let oldest = of_sort().min_by_key(|(_, (at, _))| *at).map(|(name, _)| name.clone());
    oldest.and_then(|oldest| all.remove(&oldest));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(subject: &str) -> Form {
        let viewer = Viewer { subject: subject.to_owned(), role: "site_lead".to_owned(), trust: None };
        Form { viewer, path: "/needs/new".to_owned(), fields: Vec::new() }
    }

    fn sized(bytes: usize) -> Form {
        Form { fields: vec![(String::new(), "x".repeat(bytes))], ..form("ana") }
    }

    #[tokio::test(start_paused = true)]
    async fn a_form_comes_back_to_its_person_alone_and_not_for_ever() {
        let parked = Parked::default();
        let name = parked.keep(form("ana")).unwrap();
        assert_eq!(parked.find(&name, "ana"), Some(form("ana")));
        assert_eq!((parked.find(&name, "ben"), parked.find("", "ana")), (None, None));
        tokio::time::advance(KEPT_FOR).await;
        assert_eq!(parked.find(&name, "ana"), None);
    }

    #[tokio::test]
    async fn a_form_is_kept_up_to_the_largest_sheet() {
        let parked = Parked::default();
        assert!(parked.keep(sized(BYTES_MAX)).is_some());
        assert_eq!(parked.keep(sized(BYTES_MAX + 1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn sheets_make_room_for_each_other_and_push_out_nothing_that_was_typed() {
        let parked = Parked::default();
        let typed = parked.keep(sized(SMALL_BYTES_MAX)).unwrap();
        let mut sheets = Vec::new();
        for _ in 0..=LARGE_KEPT_MAX {
            tokio::time::advance(Duration::from_secs(1)).await;
            sheets.push(parked.keep(sized(SMALL_BYTES_MAX + 1)).unwrap());
        }
        assert!(parked.find(&typed, "ana").is_some());
        assert_eq!(parked.find(&sheets[0], "ana"), None);
        assert!(sheets[1..].iter().all(|sheet| parked.find(sheet, "ana").is_some()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_makes_room() {
        let parked = Parked::default();
        let first = parked.keep(form("ana")).unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..KEPT_MAX {
            parked.keep(form("ben")).unwrap();
        }
        assert_eq!(parked.find(&first, "ana"), None);
        assert_eq!(parked.lock().len(), KEPT_MAX);
    }
}
