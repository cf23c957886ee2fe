//! The ways in which the service can be good or bad.

/// How requests are answered; the name is the value of `SAMPLE_BEHAVIOUR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// The truth, at once.
    Good,
    /// The commit of another build.
    OldCommit,
    /// An internal server error.
    Status500,
    /// A page instead of JSON.
    Html,
    /// `"true"` where `true` is expected.
    Stringly,
    /// A body of 20 MB.
    Huge,
    /// Takes the request and never answers.
    Silent,
    /// Refuses connections for two seconds, then the truth.
    SlowStart,
    /// "Not yet", for ever.
    NeverReady,
    /// Ends at start with exit code 1.
    Crash,
    /// One byte of the answer per second.
    Drip,
    /// Sends the caller to another address.
    Redirect,
    /// The truth, and an `auth` object in which all is well, as baidu-netdisk answers.
    Authorised,
    /// The same, logged out.
    LoggedOut,
    /// The same, without the key that its tokens are kept under.
    NoTokenKey,
    /// The truth, and statistics of tasks that say some were skipped, as code-queue-mgr must not answer.
    Skips,
}

impl Behaviour {
    /// Every behaviour there is.
    pub const ALL: [Self; 16] = [
        Self::Good,
        Self::OldCommit,
        Self::Status500,
        Self::Html,
        Self::Stringly,
        Self::Huge,
        Self::Silent,
        Self::SlowStart,
        Self::NeverReady,
        Self::Crash,
        Self::Drip,
        Self::Redirect,
        Self::Authorised,
        Self::LoggedOut,
        Self::NoTokenKey,
        Self::Skips,
    ];

    /// Its name in `SAMPLE_BEHAVIOUR`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::OldCommit => "old-commit",
            Self::Status500 => "status-500",
            Self::Html => "html",
            Self::Stringly => "stringly",
            Self::Huge => "huge",
            Self::Silent => "silent",
            Self::SlowStart => "slow-start",
            Self::NeverReady => "never-ready",
            Self::Crash => "crash",
            Self::Drip => "drip",
            Self::Redirect => "redirect",
            Self::Authorised => "authorised",
            Self::LoggedOut => "logged-out",
            Self::NoTokenKey => "no-token-key",
            Self::Skips => "skips",
        }
    }

    /// The behaviour with this name, or a message that lists the names there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|behaviour| behaviour.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("SAMPLE_BEHAVIOUR={name} is unknown, use one of: {known}")
        })
    }
}
