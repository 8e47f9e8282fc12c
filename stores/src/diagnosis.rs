//! The wording of errors that an operator must act on: what cannot be used, which setting names it, why, and what to do.
//! Each store makes its own diagnoses. No diagnosis contains a secret.

/// The longest reason, in characters. Servers may answer with whole pages.
const REASON_CHARS_MAX: usize = 400;

/// Who has to act, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A setting, or a file that a setting names, is wrong.
    Setting,
    /// A server cannot be reached, or does not let this process in.
    Unreachable,
    /// A server answers, and refuses the request.
    Refused,
}

/// Why something that a setting names cannot be used, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject} cannot be used ({setting}): {reason}: {advice}")]
pub struct Diagnosis {
    /// What cannot be used, with its address: `postgres at db.example.org:5432`.
    pub subject: String,
    /// The setting.
    pub setting: &'static str,
    /// What the server or the system answered, on one line.
    pub reason: String,
    /// What to do.
    pub advice: String,
    /// Who has to act.
    pub fault: Fault,
}

impl Diagnosis {
    /// A diagnosis with this reason, which is put on one line.
    pub fn new(subject: String, setting: &'static str, reason: &str, advice: impl Into<String>, fault: Fault) -> Self {
        Self { subject, setting, reason: one_line(reason), advice: advice.into(), fault }
    }

    /// A file that a setting names and that cannot be used.
    pub fn of_file(path: &std::path::Path, setting: &'static str, reason: &str, advice: impl Into<String>) -> Self {
        Self::new(format!("the file {}", path.display()), setting, reason, advice, Fault::Setting)
    }
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// The settings that an advice about the network names.
pub(crate) struct Named {
    /// The server's name.
    pub(crate) server: &'static str,
    /// The setting with its address.
    pub(crate) url: &'static str,
    /// The place where the certificate authority is named.
    pub(crate) authority: &'static str,
}

/// The advice for an error of the network or of TLS. `None` if the text is of no such error. The text is examined because
/// the libraries of the stores have no common type for these errors.
pub(crate) fn network_advice(reason: &str, named: &Named) -> Option<String> {
    let Named { server, url, authority } = named;
    let has = |part: &str| reason.contains(part);
    // A bad signature: another authority of the same name has signed the certificate.
    let advice = if has("UnknownIssuer") || has("BadSignature") {
        format!("name the certificate authority of {server} in {authority}")
    } else if has("NotValidForName") || has("not valid for name") {
        format!("use a host in {url} for which the certificate was made")
    } else if has("Expired") || has("expired") || has("NotValidYet") {
        format!("renew the certificate of {server}, and check the clocks")
    } else if has("certificate") || has("HandshakeFailure") || has("InvalidContentType") || has("corrupt message") {
        format!("check whether {server} has TLS at this port, its certificate, and {authority}")
    } else if has("refused") {
        format!("start {server}, or correct the host and the port in {url}")
    } else if has("lookup address") || has("DNS error") || has("not known") {
        format!("correct the host in {url}, or the name server of this machine")
    } else if has("timed out") || has("too long") || has("unreachable") {
        format!("check the host and the port in {url}, and the firewalls on the way")
    } else if has("roken pipe") || has("reset") || has("terminated") || has("closed") {
        format!("look whether {server} runs, and read its log")
    } else {
        return None;
    };
    Some(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_becomes_one_short_line() {
        let page = "<html>\n  <p>no</p>\n".repeat(1_000);
        let diagnosis = Diagnosis::new("s3://heads".into(), "object_store_url", &page, "create the bucket", Fault::Refused);
        let line = diagnosis.to_string();
        assert!(line.starts_with("s3://heads cannot be used (object_store_url): <html> <p>no</p>"), "{line}");
        assert!(line.ends_with("…: create the bucket") && !line.contains('\n') && line.len() < 600, "{line}");
    }

    #[test]
    fn an_error_of_the_network_has_an_advice_that_names_the_setting() {
        let named = Named { server: "nats", url: "nats_url", authority: "nats_ca_file" };
        let advice = |reason| network_advice(reason, &named).unwrap_or_default();
        assert!(advice("IO error: Connection refused (os error 111)").contains("nats_url"));
        assert!(advice("invalid peer certificate: UnknownIssuer").contains("nats_ca_file"));
        assert!(advice("invalid peer certificate: certificate not valid for name \"a\"").contains("host in nats_url"));
        assert!(advice("failed to lookup address information: Name or service not known").contains("correct the host"));
        assert_eq!(network_advice("syntax error", &named), None);
    }
}
