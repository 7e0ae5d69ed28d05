//! Who is signed in, and the codes and tokens that came of it.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::keys::random;
use crate::{CODE_LIFE, DEVICE_EVERY, IssuerError, now};

/// Most of each kind that is kept: a demonstration has far fewer.
const KEPT_MAX: usize = 10_000;

/// Somebody who is signed in. It goes on until it is ended, whatever its client does: a browser that comes back is known.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) sid: String,
    pub(crate) uid: String,
    pub(crate) role: String,
    pub(crate) client: String,
    pub(crate) level: u8,
    /// When they last showed who they are, in seconds since 1970.
    pub(crate) signed_in: i64,
}

/// A code that a person came back with.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) sid: String,
    /// What the ID token must carry.
    pub(crate) nonce: Option<String>,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: String,
    made: Instant,
}

/// A device that waits for its person.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) client: String,
    pub(crate) user_code: String,
    /// The level at which its person signs in.
    pub(crate) level: u8,
    /// The session, once its person has signed in.
    pub(crate) sid: Option<String>,
    made: Instant,
    /// When it last asked.
    asked: Option<Instant>,
}

#[derive(Default)]
pub(crate) struct Sessions {
    sessions: HashMap<String, Session>,
    codes: HashMap<String, Code>,
    devices: HashMap<String, Waiting>,
    /// Access tokens, with the session that each is of.
    tokens: HashMap<String, String>,
    /// The same of refresh tokens, each of which is good once.
    refresh_tokens: HashMap<String, String>,
}

impl Sessions {
    pub(crate) fn open(
        &mut self,
        uid: &str,
        role: &str,
        client: &str,
        level: u8,
    ) -> Result<Session, IssuerError> {
        if self.sessions.len() >= KEPT_MAX {
            *self = Self::default();
        }
        let (uid, role, client) = (uid.to_owned(), role.to_owned(), client.to_owned());
        let session = Session { sid: random()?, uid, role, client, level, signed_in: now() };
        self.sessions.insert(session.sid.clone(), session.clone());
        Ok(session)
    }

    /// Signs somebody in anew in the session that they have: the same session, at another time.
    pub(crate) fn anew(&mut self, sid: &str, level: u8) -> Option<Session> {
        let session = self.sessions.get_mut(sid)?;
        // Clients tell sign-ins of one session apart by their times, so that no two are of the same second.
        session.signed_in = now().max(session.signed_in.saturating_add(1));
        session.level = level;
        Some(session.clone())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    pub(crate) fn end(&mut self, sid: &str) -> Option<Session> {
        self.tokens.retain(|_, of| of != sid);
        self.refresh_tokens.retain(|_, of| of != sid);
        self.sessions.remove(sid)
    }

    pub(crate) fn add_code(
        &mut self,
        sid: &str,
        nonce: &str,
        redirect_uri: &str,
        challenge: &str,
    ) -> Result<String, IssuerError> {
        let code = random()?;
        let nonce = Some(nonce.to_owned()).filter(|nonce| !nonce.is_empty());
        let (sid, redirect_uri, challenge) = (sid.to_owned(), redirect_uri.to_owned(), challenge.to_owned());
        self.codes.retain(|_, code| code.made.elapsed() < CODE_LIFE);
        self.codes.insert(code.clone(), Code { sid, nonce, redirect_uri, challenge, made: Instant::now() });
        Ok(code)
    }

    /// Takes a code: each is good once.
    pub(crate) fn take_code(&mut self, code: &str) -> Option<Code> {
        self.codes.remove(code).filter(|code| code.made.elapsed() < CODE_LIFE)
    }

    pub(crate) fn add_device(&mut self, client: &str, level: u8) -> Result<(String, String), IssuerError> {
        let device_code = random()?;
        // Eight letters that nobody confuses.
        let letters = random()?.bytes().map(|byte| char::from(b'A' + byte % 20)).take(8).collect::<String>();
        let user_code = format!("{}-{}", &letters[..4], &letters[4..]);
        let waiting = Waiting {
            client: client.to_owned(),
            user_code: user_code.clone(),
            level,
            sid: None,
            made: Instant::now(),
            asked: None,
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

    /// Returns a device that asks, and whether it asks too soon after it did before.
    pub(crate) fn device(&mut self, device_code: &str) -> Option<(Waiting, bool)> {
        let device = self.devices.get_mut(device_code).filter(|device| device.made.elapsed() < CODE_LIFE)?;
        let before = device.asked.replace(Instant::now());
        Some((device.clone(), before.is_some_and(|asked| asked.elapsed() < DEVICE_EVERY)))
    }

    pub(crate) fn take_device(&mut self, device_code: &str) {
        self.devices.remove(device_code);
    }

    pub(crate) fn add_token(&mut self, sid: &str) -> Result<String, IssuerError> {
        let token = random()?;
        self.tokens.insert(token.clone(), sid.to_owned());
        Ok(token)
    }

    pub(crate) fn add_refresh_token(&mut self, sid: &str) -> Result<String, IssuerError> {
        let token = random()?;
        self.refresh_tokens.insert(token.clone(), sid.to_owned());
        Ok(token)
    }

    /// Takes a refresh token, and returns its session.
    pub(crate) fn take_refresh_token(&mut self, token: &str) -> Option<Session> {
        let sid = self.refresh_tokens.remove(token)?;
        self.sessions.get(&sid).cloned()
    }

    pub(crate) fn get(&self, sid: &str) -> Option<Session> {
        self.sessions.get(sid).cloned()
    }

    pub(crate) fn of_token(&self, token: &str) -> Option<Session> {
        self.sessions.get(self.tokens.get(token)?).cloned()
    }
}
