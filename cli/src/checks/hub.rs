//! The hub: whether it can be reached.

use darkroom_core::fault::Fault;
use darkroom_hub::{HubFault, Reach};
use serde_json::json;

use super::{Finding, Section};
use crate::shelves::hub_fault;

/// What is known of the way to the hub.
pub enum Way {
    /// It was not asked for, in these words.
    Closed(&'static str),
    /// It was tried.
    Tried(Result<Reach, HubFault>),
}

/// Says whether the hub at an address can be reached; `token` tells whether there is one for it.
pub fn section(endpoint: &str, way: Way, token: bool) -> Section {
    let mut facts =
        json!({"endpoint": endpoint, "token": token, "reached": null, "millis": null, "proxy": null, "why": null});
    let finding = match way {
        Way::Closed(why) => {
            facts["why"] = why.into();
            Finding::fine(format!("`{endpoint}` is not asked: {why}"))
        }
        Way::Tried(Err(fault)) => Finding::from(hub_fault(fault)),
        Way::Tried(Ok(Reach { proxy, answer })) => {
            facts["proxy"] = proxy.clone().into();
            facts["reached"] = answer.is_ok().into();
            let through = proxy.map(|proxy| format!(" through the proxy `{proxy}`")).unwrap_or_default();
            match answer {
                Ok(time) => {
                    facts["millis"] = (time.as_millis() as u64).into();
                    let token =
                        if token { "with a token" } else { "without a token: models behind a licence need one" };
                    Finding::fine(format!("`{endpoint}` answers in {} ms{through}, {token}", time.as_millis()))
                }
                Err(why) => {
                    facts["why"] = why.clone().into();
                    Finding::note(format!("`{endpoint}` cannot be reached{through}: {why}")).way_out(
                        "what is here runs without it; to fetch models, name a proxy with HTTPS_PROXY or a mirror with \
                         HF_ENDPOINT, or set HF_HUB_OFFLINE=1 where there is no network",
                    )
                }
            }
        }
    };
    Section::new("hub", facts, vec![finding])
}

/// Says what is wrong with the settings of the hub.
pub fn unknown(fault: Fault) -> Section {
    Section::new("hub", json!({"endpoint": null}), vec![fault.into()])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::checks::Verdict;

    const ENDPOINT: &str = "https://huggingface.co";

    fn said(way: Way) -> Finding {
        section(ENDPOINT, way, false).findings.remove(0)
    }

    fn tried(proxy: Option<&str>, answer: Result<u64, &str>) -> Way {
        let answer = answer.map(Duration::from_millis).map_err(str::to_owned);
        Way::Tried(Ok(Reach { proxy: proxy.map(str::to_owned), answer }))
    }

    #[test]
    fn a_hub_that_answers_is_fine_and_one_that_does_not_is_worth_knowing() {
        let finding = said(tried(Some("proxy:3128"), Ok(87)));
        assert!(finding.says.starts_with("`https://huggingface.co` answers in 87 ms through the proxy `proxy:3128`"));
        let finding = said(tried(None, Err("`huggingface.co`: connection refused")));
        assert_eq!(finding.says, "`https://huggingface.co` cannot be reached: `huggingface.co`: connection refused");
        assert_eq!(finding.verdict, Verdict::Note);
    }

    #[test]
    fn what_nobody_wanted_is_not_asked() {
        let finding = said(Way::Closed("--offline"));
        assert_eq!(finding, Finding::fine("`https://huggingface.co` is not asked: --offline"));
    }

    #[test]
    fn settings_that_are_wrong_are_trouble() {
        let fault = HubFault::Setting { name: "HF_ENDPOINT", why: "it is no address".to_owned() };
        assert!(said(Way::Tried(Err(fault))).verdict.trouble().is_some());
    }
}
