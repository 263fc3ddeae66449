//! What a Stripe gateway is told: the secret key, where Stripe is, where customers come back to, how long is waited.
//! Each is checked when it is made; what is wrong is said without repeating a secret.

use std::fmt;
use std::time::Duration;

use hyper::Uri;
use hyper::http::HeaderValue;

/// Where Stripe is, unless told.
pub const URL: &str = "https://api.stripe.com";

/// Stripe's secret key, or a restricted one. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey(Box<str>);

impl SecretKey {
    /// A key as Stripe's dashboard shows it; white space around it (a file's last line end) is none of it.
    ///
    /// # Errors
    /// That it is empty, publishable, or nothing that Stripe gives out. What it is instead is never repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let key = text.trim();
        if key.is_empty() {
            return Err("there is no key in it".to_owned());
        }
        if key.starts_with("pk_") {
            return Err("that is a publishable key (pk_…), which cannot move money; \
                        give the secret key (sk_…) or a restricted one (rk_…)"
                .to_owned());
        }
        if key.starts_with("whsec_") {
            return Err("that is the secret of a webhook (whsec_…); give the secret key (sk_…)".to_owned());
        }
        let known = ["sk_test_", "sk_live_", "rk_test_", "rk_live_"]
            .iter()
            .any(|known| key.strip_prefix(known).is_some_and(|rest| !rest.is_empty()));
        if !known || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(
                "that is no key of Stripe's; it begins with sk_test_, sk_live_, rk_test_ or rk_live_"
                    .to_owned(),
            );
        }
        Ok(Self(key.into()))
    }

    /// The `Authorization` header, marked so that nobody on the way prints it.
    pub(super) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// Where Stripe's API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// `https://…`; plain `http://` to this machine only, or the key would be sent for everybody to read.
    ///
    /// # Errors
    /// That it is no such URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|e| format!("`{text}` is no URL: {e}"))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| format!("`{text}` is no URL such as {URL}"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("it must not hold a password; the key has an option of its own".to_owned());
        }
        if uri.query().is_some() || uri.path() != "/" {
            return Err(format!("`{text}`: give it without a path or a query, e.g. {URL}"));
        }
        let here = host == "localhost"
            || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if here => {}
            Some("http") => {
                return Err(format!("`{text}`: the secret key would be sent in the clear; give https://"));
            }
            _ => return Err(format!("`{text}` must begin with https://")),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BaseUrl {
    fn default() -> Self {
        Self(URL.to_owned())
    }
}

/// Where a customer is sent after a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUrl(String);

impl ReturnUrl {
    /// `https://…`, or `http://…` while a shop is being built.
    ///
    /// # Errors
    /// That it is no such URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|e| format!("`{text}` is no URL: {e}"))?;
        let web = matches!(uri.scheme_str(), Some("https" | "http"));
        if !web || uri.host().is_none_or(str::is_empty) {
            return Err(format!("`{text}` is no URL such as https://shop.example/paid"));
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How long a call may take. The sum is well below the time after which the desk holds a call to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To be connected; until then nothing was sent.
    pub connect: Duration,
    /// From the beginning to the last byte of the answer.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(14) }
    }
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who we are to Stripe.
    pub key: SecretKey,
    /// Where it is.
    pub url: BaseUrl,
    /// Where its customers come back to. Without one they stay on the shop's page, whose script is given a secret.
    pub return_url: Option<ReturnUrl>,
    /// How long is waited.
    pub limits: Limits,
}

impl Settings {
    /// Stripe itself, with customers who stay on the shop's page.
    pub fn new(key: SecretKey) -> Self {
        Self { key, url: BaseUrl::default(), return_url: None, limits: Limits::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_for_what_it_begins_with_and_is_never_repeated() {
        for good in ["sk_test_4eC39HqLyjWDarjtT1zdp7dc", "sk_live_x", "rk_test_x", " rk_live_9\n"] {
            let key = SecretKey::parse(good).unwrap();
            assert!(!format!("{key:?}").contains(good.trim()), "{key:?}");
            assert!(key.header().is_sensitive() && key.header().as_bytes().ends_with(good.trim().as_bytes()));
        }
        for (bad, says) in [
            ("", "no key"),
            (" \n", "no key"),
            ("pk_test_x", "publishable"),
            ("pk_live_4eC39HqLyjWDarjtT1zdp7dc", "publishable"),
            ("whsec_abcdef", "webhook"),
            ("sk_test_", "begins with"),
            ("sk_other_x", "begins with"),
            ("4242424242424242", "begins with"),
            ("sk_test_a b", "begins with"),
            ("sk_test_a\nsk_test_b", "begins with"),
            ("sk_test_é", "begins with"),
        ] {
            let error = SecretKey::parse(bad).unwrap_err();
            assert!(error.contains(says), "{bad}: {error}");
            assert!(["4eC39", "abcdef", "4242"].iter().all(|secret| !error.contains(secret)), "{error}");
        }
    }

    #[test]
    fn the_key_goes_to_https_or_stays_on_this_machine() {
        for good in
            [URL, "https://api.stripe.com/", "http://127.0.0.1:9", "http://[::1]:9", "http://localhost:12111"]
        {
            let url = BaseUrl::parse(good).unwrap_or_else(|e| panic!("{good}: {e}"));
            assert!(!url.as_str().ends_with('/'), "{url:?}");
        }
        for (bad, says) in [
            ("http://api.stripe.com", "in the clear"),
            ("http://10.0.0.1:80", "in the clear"),
            ("http://localhost.example", "in the clear"),
            ("ftp://127.0.0.1", "https://"),
            ("api.stripe.com", "https://"),
            ("", "URL"),
            ("https://", "URL"),
            ("https://user:secret@api.stripe.com", "password"),
            ("https://api.stripe.com/v1", "without a path"),
            ("https://api.stripe.com?a=b", "without a path"),
        ] {
            let error = BaseUrl::parse(bad).expect_err(bad);
            assert!(error.contains(says), "{bad}: {error}");
            assert!(!error.contains("secret@"), "{error}");
        }
    }

    #[test]
    fn a_customer_comes_back_to_a_page() {
        assert!(ReturnUrl::parse("https://shop.example/paid?a=b").is_ok());
        assert!(ReturnUrl::parse("http://127.0.0.1:3000/paid").is_ok());
        for bad in ["", "shop.example", "/paid", "javascript:alert(1)", "ftp://shop.example"] {
            assert!(ReturnUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_call_waits_as_long_as_its_task_is_waited_for() {
        let limits = Limits::default();
        assert!(limits.connect < limits.total);
        // A confirm and the read that may follow it.
        assert!(limits.total * 2 < Duration::from_millis(crate::desk::GONE_AFTER_MS.unsigned_abs()));
    }
}
