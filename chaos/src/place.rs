//! Where one database is.

use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;

/// Where one database is: a SQLite file, or a database on a Postgres server. Does not print a URL, which may hold a
/// password.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// `postgres://…`
    Server(String),
}

impl Place {
    /// As people are told of it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Server(url) => match url.parse::<PgConnectOptions>() {
                Ok(at) => {
                    let name = at.get_database().unwrap_or_else(|| at.get_username());
                    format!("{}:{}/{name}", at.get_host(), at.get_port())
                }
                Err(_) => "a URL that is none such as postgres://user:password@host:5432/database".to_owned(),
            },
        }
    }

    /// The URL to read it by, never to write.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::File(path) => format!("sqlite:{}?mode=ro", escaped(path)),
            Self::Server(url) => url.clone(),
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

/// A path inside a URL.
fn escaped(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes
        .map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let place = Place::Server("postgres://shop:hunter2@db:5433/shop_cart?sslmode=disable".into());
        assert_eq!(
            (place.shown(), format!("{place:?}")),
            ("db:5433/shop_cart".into(), "db:5433/shop_cart".into())
        );
        let wrong = Place::Server("postgres://shop:hunter2@db:port/shop".into());
        assert!(!wrong.shown().contains("hunter2"));
    }

    #[test]
    fn any_path_fits_into_a_url() {
        let place = Place::File("/tmp/a b?c%d/é.db".into());
        assert_eq!(place.url(), "sqlite:/tmp/a%20b%3Fc%25d/%C3%A9.db?mode=ro");
    }
}
