//! Who moves the money: the built-in sandbox, or Stripe.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use participant_payment::gateway::stripe::{BaseUrl, ReturnUrl, SecretKey, Settings};

/// The flag that nobody may give: what is on a command line is read by everybody on the machine.
const KEY_FLAG: &str = "--stripe-key";

/// The payment provider, of those who run the payments.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Provider {
    /// File with Stripe's secret key; Stripe is the payment provider then. The key itself may be in BACKSTITCH_STRIPE_KEY
    /// instead. Without either it is the built-in sandbox.
    #[arg(long, env = "BACKSTITCH_STRIPE_KEY_FILE", value_name = "FILE")]
    stripe_key_file: Option<PathBuf>,
    // The key itself, from the environment or a configuration file.
    #[arg(long, env = "BACKSTITCH_STRIPE_KEY", value_name = "KEY", hide = true, hide_env_values = true)]
    stripe_key: Option<Unchecked>,
    /// Where Stripe's API is, if it is not https://api.stripe.com.
    #[arg(long, env = "BACKSTITCH_STRIPE_URL", value_name = "URL", hide_short_help = true)]
    #[arg(value_parser = BaseUrl::parse)]
    stripe_url: Option<BaseUrl>,
    /// Page of the shop to which Stripe sends a customer back whom a bank has asked for proof, e.g.
    /// https://shop.example/paid. Without it they stay on the shop's page, whose script goes on.
    #[arg(long, env = "BACKSTITCH_PAYMENT_RETURN_URL", value_name = "URL", value_parser = ReturnUrl::parse)]
    payment_return_url: Option<ReturnUrl>,
}

/// What may be a key. Does not print, so that nothing tells of one that is not.
#[derive(Clone)]
struct Unchecked(Box<str>);

impl FromStr for Unchecked {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for Unchecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unchecked(redacted)")
    }
}

impl Provider {
    /// What Stripe is called with; none if the sandbox is the provider.
    pub(crate) fn stripe(&self) -> anyhow::Result<Option<Settings>> {
        let Some(key) = self.key()? else {
            for (option, given) in [
                ("--stripe-url", self.stripe_url.is_some()),
                ("--payment-return-url", self.payment_return_url.is_some()),
            ] {
                ensure!(!given, "{option} is for Stripe, which needs its secret key: --stripe-key-file");
            }
            return Ok(None);
        };
        let url = self.stripe_url.clone().unwrap_or_default();
        Ok(Some(Settings { url, return_url: self.payment_return_url.clone(), ..Settings::new(key) }))
    }

    /// Refuses what cannot be before anything is opened.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.stripe().map(drop)
    }

    fn key(&self) -> anyhow::Result<Option<SecretKey>> {
        ensure!(
            !std::env::args().any(|arg| arg == KEY_FLAG || arg.starts_with("--stripe-key=")),
            "{KEY_FLAG}: everybody on this machine can read a command line; give the key in a file with \
             --stripe-key-file, or as BACKSTITCH_STRIPE_KEY in the environment"
        );
        match (&self.stripe_key_file, &self.stripe_key) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => bail!("--stripe-key-file and BACKSTITCH_STRIPE_KEY: give one of them"),
            (Some(file), None) => {
                let name = || format!("--stripe-key-file {}", file.display());
                let text =
                    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", name()))?;
                SecretKey::parse(&text).map(Some).map_err(|why| anyhow::anyhow!("{}: {why}", name()))
            }
            (None, Some(key)) => SecretKey::parse(&key.0)
                .map(Some)
                .map_err(|why| anyhow::anyhow!("BACKSTITCH_STRIPE_KEY: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        provider: Provider,
    }

    fn stripe(args: &[&str]) -> Result<Option<Settings>, String> {
        let line = Line::try_parse_from([&["x"], args].concat()).map_err(|e| e.to_string())?;
        line.provider.stripe().map_err(|e| format!("{e:#}"))
    }

    fn file(text: &str) -> (tempfile::NamedTempFile, String) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().display().to_string();
        (file, path)
    }

    #[test]
    fn without_a_key_it_is_the_sandbox_and_with_one_it_is_stripe() {
        assert!(stripe(&[]).unwrap().is_none());
        let (_file, path) = file("sk_test_abc\n");
        let settings = stripe(&["--stripe-key-file", &path]).unwrap().unwrap();
        assert_eq!(settings.key, SecretKey::parse("sk_test_abc").unwrap());
        assert_eq!((settings.url, settings.return_url), (BaseUrl::default(), None));
        let url = "http://127.0.0.1:12111";
        let args =
            ["--stripe-key-file", &path, "--stripe-url", url, "--payment-return-url", "https://a.example/b"];
        let settings = stripe(&args).unwrap().unwrap();
        assert_eq!(settings.url, BaseUrl::parse(url).unwrap());
        assert_eq!(settings.return_url, ReturnUrl::parse("https://a.example/b").ok());
    }

    #[test]
    fn a_key_that_cannot_be_is_refused_by_the_option_and_not_repeated() {
        for (text, says) in
            [("", "no key"), ("pk_live_abcdef", "publishable"), ("4242424242424242", "begins with")]
        {
            let (_file, path) = file(text);
            let error = stripe(&["--stripe-key-file", &path]).unwrap_err();
            assert!(error.contains("--stripe-key-file") && error.contains(says), "{error}");
            assert!(!error.contains("abcdef") && !error.contains("4242"), "{error}");
            let given = Provider { stripe_key: Some(Unchecked(text.into())), ..Provider::default() };
            let error = given.stripe().unwrap_err().to_string();
            assert!(error.contains("BACKSTITCH_STRIPE_KEY") && error.contains(says), "{error}");
            assert!(!format!("{error} {given:?}").contains("abcdef"), "{error}");
        }
        let error = stripe(&["--stripe-key-file", "/nowhere/key"]).unwrap_err();
        assert!(error.contains("--stripe-key-file /nowhere/key cannot be read"), "{error}");
    }

    #[test]
    fn a_key_is_given_once() {
        let (_file, path) = file("sk_test_abc");
        let twice = Provider {
            stripe_key_file: Some(path.into()),
            stripe_key: Some(Unchecked("sk_test_abc".into())),
            ..Provider::default()
        };
        assert!(twice.stripe().unwrap_err().to_string().contains("give one of them"));
    }

    #[test]
    fn what_is_for_stripe_alone_needs_its_key() {
        for args in
            [["--stripe-url", "https://api.stripe.com"], ["--payment-return-url", "https://a.example"]]
        {
            let error = stripe(&args).unwrap_err();
            assert!(error.contains(args[0]) && error.contains("--stripe-key-file"), "{error}");
        }
        for args in [["--stripe-url", "http://api.stripe.com"], ["--payment-return-url", "a.example"]] {
            assert!(stripe(&args).unwrap_err().contains(args[0]));
        }
    }
}
