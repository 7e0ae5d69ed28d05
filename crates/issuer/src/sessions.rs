//! Who is signed in, and the codes and tokens that came of it.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::keys::random;
use crate::{CODE_LIFE, IssuerError, now};

/// Most of each kind that is kept: a demonstration has far fewer.
const KEPT_MAX: usize = 10_000;

/// One sign-in.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) sid: String,
    pub(crate) uid: String,
    pub(crate) role: String,
    pub(crate) client: String,
    pub(crate) level: u8,
    pub(crate) nonce: Option<String>,
    pub(crate) began: i64,
}

/// A code that a person came back with.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) sid: String,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    made: Instant,
}

/// A device that waits for its person.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) client: String,
    pub(crate) user_code: String,
    /// The session, once its person has signed in.
    pub(crate) sid: Option<String>,
    made: Instant,
}

#[derive(Default)]
pub(crate) struct Sessions {
    sessions: HashMap<String, Session>,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Waiting>,
    /// Access and refresh tokens, with the session that each is of.
    tokens: HashMap<String, String>,
}

impl Sessions {
    pub(crate) fn open(
        &mut self,
        uid: &str,
        role: &str,
        client: &str,
        level: u8,
        nonce: Option<String>,
    ) -> Result<Session, IssuerError> {
        if self.sessions.len() >= KEPT_MAX {
            *self = Self::default();
        }
        let (uid, role, client) = (uid.to_owned(), role.to_owned(), client.to_owned());
        let session = Session { sid: random()?, uid, role, client, level, nonce, began: now() };
        self.sessions.insert(session.sid.clone(), session.clone());
        Ok(session)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    pub(crate) fn end(&mut self, sid: &str) -> Option<Session> {
        self.tokens.retain(|_, of| of != sid);
        self.sessions.remove(sid)
    }

    pub(crate) fn add_code(
        &mut self,
        sid: &str,
        redirect_uri: &str,
        challenge: &str,
    ) -> Result<String, IssuerError> {
        let code = random()?;
        let (sid, redirect_uri, challenge) = (sid.to_owned(), redirect_uri.to_owned(), challenge.to_owned());
        self.codes.retain(|_, code| code.made.elapsed() < CODE_LIFE);
        self.codes.insert(code.clone(), Code { sid, redirect_uri, challenge, made: Instant::now() });
        Ok(code)
    }

    /// Takes a code: each is good once.
    pub(crate) fn take_code(&mut self, code: &str) -> Option<Code> {
        self.codes.remove(code).filter(|code| code.made.elapsed() < CODE_LIFE)
    }

    pub(crate) fn add_device(&mut self, client: &str) -> Result<(String, String), IssuerError> {
        let device_code = random()?;
        // Eight letters that nobody confuses.
        let letters = random()?.bytes().map(|byte| char::from(b'A' + byte % 20)).take(8).collect::<String>();
        let user_code = format!("{}-{}", &letters[..4], &letters[4..]);
        let waiting = Waiting {
            client: client.to_owned(),
            user_code: user_code.clone(),
            sid: None,
            made: Instant::now(),
        };
        self.devices.retain(|_, device| device.made.elapsed() < CODE_LIFE);
        self.devices.insert(device_code.clone(), waiting);
        Ok((device_code, user_code))
    }

    pub(crate) fn device_of(&mut self, user_code: &str) -> Option<&mut Waiting> {
        let typed = user_code.trim().to_uppercase();
        self.devices
            .values_mut()
            .find(|device| device.user_code == typed && device.made.elapsed() < CODE_LIFE)
    }

    pub(crate) fn device(&self, device_code: &str) -> Option<Waiting> {
        self.devices.get(device_code).filter(|device| device.made.elapsed() < CODE_LIFE).cloned()
    }

    pub(crate) fn take_device(&mut self, device_code: &str) {
        self.devices.remove(device_code);
    }

    pub(crate) fn add_token(&mut self, sid: &str) -> Result<String, IssuerError> {
        let token = random()?;
        self.tokens.insert(token.clone(), sid.to_owned());
        Ok(token)
    }

    pub(crate) fn get(&self, sid: &str) -> Option<Session> {
        self.sessions.get(sid).cloned()
    }

    pub(crate) fn of_token(&self, token: &str) -> Option<Session> {
        self.sessions.get(self.tokens.get(token)?).cloned()
    }
}
