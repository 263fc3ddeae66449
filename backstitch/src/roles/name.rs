//! The participants' names and ports. `proto` has their services under the same names.

use std::fmt;
use std::net::SocketAddr;

/// A participant that this program can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Inventory,
    Shipping,
    Payment,
    Order,
    Cart,
    Notification,
}

impl Name {
    /// All of them, in the order of their ports.
    pub(crate) const ALL: [Name; 6] =
        [Name::Inventory, Name::Shipping, Name::Payment, Name::Order, Name::Cart, Name::Notification];
    /// The port of the first; the others follow.
    pub(crate) const FIRST_PORT: u16 = 50_051;

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Name::Inventory => "inventory",
            Name::Shipping => "shipping",
            Name::Payment => "payment",
            Name::Order => "order",
            Name::Cart => "cart",
            Name::Notification => "notification",
        }
    }

    /// Names of all.
    pub(crate) fn all() -> [&'static str; 6] {
        Name::ALL.map(Name::as_str)
    }

    /// Where each listens when the first does at `first`: on the ports that follow, or each on a free one if that port
    /// is 0. None if there are not enough ports.
    pub(crate) fn addresses(first: SocketAddr) -> Option<Vec<(Name, SocketAddr)>> {
        let port = |place| if first.port() == 0 { Some(0) } else { first.port().checked_add(place) };
        (0..)
            .zip(Name::ALL)
            .map(|(place, name)| Some((name, SocketAddr::new(first.ip(), port(place)?))))
            .collect()
    }

    /// Where it listens unless told.
    pub(crate) fn default_address(self) -> SocketAddr {
        let first = SocketAddr::from(([127, 0, 0, 1], Name::FIRST_PORT));
        let all = Name::addresses(first).into_iter().flatten();
        all.into_iter().find(|(name, _)| *name == self).map_or(first, |(_, address)| address)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use backstitch_proto::services::PARTICIPANTS;

    use super::*;

    #[test]
    fn each_has_a_service_under_its_name() {
        let services: Vec<_> =
            PARTICIPANTS.iter().map(|(name, _)| *name).filter(|name| *name != "noop").collect();
        assert_eq!(services, Name::all());
    }

    #[test]
    fn ports_follow_the_first_unless_it_is_any() {
        let ports = |first: &str| {
            let addresses = Name::addresses(first.parse().unwrap())?;
            Some(addresses.into_iter().map(|(_, address)| address.port()).collect::<Vec<_>>())
        };
        assert_eq!(ports("127.0.0.1:7000"), Some(vec![7000, 7001, 7002, 7003, 7004, 7005]));
        assert_eq!(ports("127.0.0.1:0"), Some(vec![0; 6]));
        assert_eq!(ports("127.0.0.1:65531"), None);
        assert_eq!(Name::Payment.default_address().to_string(), "127.0.0.1:50053");
    }
}
