//! Whether the hub can be reached: one question, without the token, that any answer will do for and that is not waited for
//! long.

use std::time::{Duration, Instant};

use ureq::http::Method;

use crate::fault::HubFault;
use crate::http::{Client, Failure, Question};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::tuning::Tuning;

/// What came of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The proxy that leads there, as `host:port`, if the environment names one.
    pub proxy: Option<String>,
    /// How long the answer took, or why there was none.
    pub answer: Result<Duration, String>,
}

/// Asks once.
pub(crate) fn reach(settings: &Settings, tuning: &Tuning) -> Result<Reach, HubFault> {
    let client = Client::new(settings, &tuning.hurried(), &Stop::default())?;
    let from = client.address("", "")?;
    let question = Question { what: "the hub", repo: "", method: Method::HEAD, from: &from, headers: Vec::new() };
    let began = Instant::now();
    let answer = match client.send(&question, &from, false) {
        Ok(_) => Ok(began.elapsed()),
        Err(Failure::Passing { why, .. }) => Err(why),
        Err(Failure::Anew(fault) | Failure::Final(fault)) => Err(fault.to_string()),
    };
    Ok(Reach { proxy: client.proxy(), answer })
}
