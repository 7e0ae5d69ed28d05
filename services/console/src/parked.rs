//! Forms that were sent after their session had ended: kept until their person has signed in again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::session::Viewer;

/// How long a form waits.
const KEPT_FOR: Duration = Duration::from_secs(3600);
/// Bytes of a form at most; a larger one, such as a sheet, is not kept.
const BYTES_MAX: usize = 64 * 1024;
/// Forms at most; the oldest makes room.
const KEPT_MAX: usize = 500;

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

/// All forms that wait, by a name that nobody guesses.
#[derive(Default)]
pub(crate) struct Parked(Mutex<HashMap<String, (Instant, Form)>>);

impl Parked {
    /// Keeps a form and returns its name; `None` when it is too large to be kept.
    pub(crate) fn keep(&self, form: Form) -> Option<String> {
        let bytes: usize = form.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > BYTES_MAX {
            return None;
        }
        let mut all = self.lock();
        all.retain(|_, (at, _)| at.elapsed() < KEPT_FOR);
        let oldest = all.iter().min_by_key(|(_, (at, _))| *at).map(|(name, _)| name.clone());
        if let (true, Some(oldest)) = (all.len() >= KEPT_MAX, oldest) {
            all.remove(&oldest);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn form(subject: &str) -> Form {
        let viewer = Viewer { subject: subject.to_owned(), role: "site_lead".to_owned(), trust: None };
        Form { viewer, path: "/needs/new".to_owned(), fields: Vec::new() }
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
    async fn a_form_of_a_whole_sheet_is_not_kept() {
        let parked = Parked::default();
        let sized = |bytes: usize| Form { fields: vec![(String::new(), "x".repeat(bytes))], ..form("ana") };
        assert!(parked.keep(sized(BYTES_MAX)).is_some());
        assert_eq!(parked.keep(sized(BYTES_MAX + 1)), None);
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
