//! Who may join: join tokens, or anyone where the server runs open.

mod token;

use madang_protocol::{ErrorCode, RoomName};
use madang_room::Grant;

use crate::config::Auth;
pub(crate) use token::Checked;
use token::Keys;
pub use token::{Claims, TokenError, sign};

/// Why somebody may not join. Their connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) message: &'static str,
}

/// Decides who may join which room.
pub(crate) struct Gate {
    keys: Keys,
    open: bool,
    /// Open because the configuration says so, and not for want of keys.
    declared_open: bool,
}

/// What a join is allowed, and the token behind it, where there is one.
pub(crate) struct Admission {
    pub(crate) grant: Grant,
    pub(crate) token: Option<Checked>,
}

impl Gate {
    pub(crate) fn new(auth: &Auth) -> Self {
        let open = auth.open || auth.keys.is_empty();
        Self { keys: Keys::new(&auth.keys), open, declared_open: auth.open }
    }

    /// Whether anyone may join, but from this machine alone: no keys, and nobody said `auth.open`.
    pub(crate) fn is_for_this_machine(&self) -> bool {
        self.keys.is_empty() && !self.declared_open
    }

    /// Checks what a `hello`, or a question about a room, brings.
    pub(crate) fn admit(&self, token: Option<&str>, room: &RoomName) -> Result<Admission, Refusal> {
        match token {
            Some(token) if !self.keys.is_empty() => {
                let checked = self.keys.check(token, room)?;
                Ok(Admission { grant: checked.claims.grant(), token: Some(checked) })
            }
            _ if self.open => Ok(Admission { grant: Grant::default(), token: None }),
            _ => Err(Refusal { code: ErrorCode::Unauthorized, message: "A join token is needed to enter this room." }),
        }
    }

    /// Checks whether somebody could join some room: a token for any, or none where none is needed.
    pub(crate) fn admit_anywhere(&self, token: Option<&str>) -> Result<(), Refusal> {
        match token {
            Some(token) if !self.keys.is_empty() => self.keys.check_any(token).map(drop),
            _ if self.open => Ok(()),
            _ => Err(Refusal { code: ErrorCode::Unauthorized, message: "A join token is needed." }),
        }
    }

    /// The same rights as `checked` gave, for as long again from now on.
    pub(crate) fn renew(&self, checked: &Checked) -> Option<(String, Checked)> {
        self.keys.renew(checked)
    }
}
