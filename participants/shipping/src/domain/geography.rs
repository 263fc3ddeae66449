//! Which countries we send to, and in which zone of the tariff each lies.
//!
//! Every code that ISO 3166-1 assigns is here: in a zone, or in the list of places that no carrier takes a parcel to.
//! Geography changes with a new build; prices do not (see the rate table).

use participant_kit::Refusal;

/// A part of the world with one tariff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Zone {
    /// Where the parcels start.
    Domestic,
    /// The European Union.
    Eu,
    /// Everywhere else.
    World,
}

impl Zone {
    /// The word in the rate table and on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Zone::Domestic => "domestic",
            Zone::Eu => "eu",
            Zone::World => "world",
        }
    }

    /// The zone that the rate table calls `word`.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Zone::Domestic, Zone::Eu, Zone::World].into_iter().find(|zone| zone.as_str() == word)
    }

    /// The countries in it, ISO 3166-1 alpha-2, in alphabetical order.
    pub(crate) fn countries(self) -> &'static [&'static str] {
        match self {
            Zone::Domestic => &DOMESTIC,
            Zone::Eu => &EU,
            Zone::World => &WORLD,
        }
    }

    /// The zone of a country, or the refusal for one that nothing is sent to.
    pub(crate) fn of(country: &str) -> Result<Self, Refusal> {
        let zones = [Zone::Domestic, Zone::Eu, Zone::World];
        if let Some(zone) = zones.into_iter().find(|zone| zone.countries().binary_search(&country).is_ok()) {
            return Ok(zone);
        }
        let detail = match UNSERVED.iter().find(|(code, _)| *code == country) {
            Some((_, name)) => format!("no carrier takes parcels to {name}"),
            None if country == "UK" => "UK is no ISO 3166-1 code; the United Kingdom is GB".to_owned(),
            None => format!("{country} is no ISO 3166-1 code of a country"),
        };
        Err(unsupported(country, detail))
    }
}

/// Refuses to send to a country.
pub(crate) fn unsupported(country: &str, detail: impl Into<String>) -> Refusal {
    Refusal::new("UNSUPPORTED_COUNTRY", detail).with("country", country)
}

/// The United Kingdom and the islands that its post serves at its own prices.
const DOMESTIC: [&str; 4] = ["GB", "GG", "IM", "JE"];

#[rustfmt::skip]
const EU: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

#[rustfmt::skip]
const WORLD: [&str; 210] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AR", "AS", "AU", "AW", "AX", "AZ", "BA", "BB", "BD",
    "BF", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BW", "BY", "BZ", "CA", "CC",
    "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU", "CV", "CW", "CX", "DJ", "DM",
    "DO", "DZ", "EC", "EG", "EH", "ER", "ET", "FJ", "FK", "FM", "FO", "GA", "GD", "GE", "GF", "GH", "GI",
    "GL", "GM", "GN", "GP", "GQ", "GT", "GU", "GW", "GY", "HK", "HN", "HT", "ID", "IL", "IN", "IQ", "IR",
    "IS", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KR", "KW", "KY", "KZ", "LA", "LB", "LC",
    "LI", "LK", "LR", "LS", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO",
    "MP", "MQ", "MR", "MS", "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE", "NF", "NG", "NI", "NO",
    "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PM", "PN", "PR", "PS", "PW", "PY",
    "QA", "RE", "RS", "RU", "RW", "SA", "SB", "SC", "SD", "SG", "SH", "SJ", "SL", "SM", "SN", "SO", "SR",
    "SS", "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO", "TR",
    "TT", "TV", "TW", "TZ", "UA", "UG", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI", "VN", "VU", "WF",
    "WS", "YE", "YT", "ZA", "ZM", "ZW",
];

/// No post office, or no carrier that would go.
const UNSERVED: [(&str, &str); 8] = [
    ("AQ", "Antarctica"),
    ("BV", "Bouvet Island"),
    ("GS", "South Georgia and the South Sandwich Islands"),
    ("HM", "Heard Island and McDonald Islands"),
    ("IO", "the British Indian Ocean Territory"),
    ("KP", "North Korea"),
    ("TF", "the French Southern Territories"),
    ("UM", "the United States Minor Outlying Islands"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_assigned_code_is_in_one_zone_or_refused_by_name() {
        let mut seen = BTreeSet::new();
        let unserved = UNSERVED.map(|(code, _)| code);
        for list in [&DOMESTIC[..], &EU, &WORLD, &unserved] {
            assert!(list.is_sorted(), "binary search needs order: {list:?}");
            for code in list {
                assert!(code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()), "{code}");
                assert!(seen.insert(*code), "{code} is listed twice");
            }
        }
        // As many as ISO 3166-1 officially assigns.
        assert_eq!(seen.len(), 249);
        assert_eq!(EU.len(), 27);
    }

    #[test]
    fn countries_lie_where_they_lie() {
        let cases = [
            ("GB", Zone::Domestic),
            ("JE", Zone::Domestic),
            ("FR", Zone::Eu),
            ("DE", Zone::Eu),
            ("NL", Zone::Eu),
            ("IE", Zone::Eu),
            ("NO", Zone::World),
            ("CH", Zone::World),
            ("AU", Zone::World),
            ("US", Zone::World),
        ];
        for (country, zone) in cases {
            assert_eq!(Zone::of(country), Ok(zone), "{country}");
            assert_eq!(Zone::parse(zone.as_str()), Some(zone));
        }
    }

    #[test]
    fn a_refused_country_is_named() {
        let detail = |country: &str| {
            let refusal = Zone::of(country).unwrap_err();
            assert_eq!(refusal.reason, "UNSUPPORTED_COUNTRY");
            assert_eq!(refusal.metadata["country"], country);
            refusal.detail
        };
        assert_eq!(detail("AQ"), "no carrier takes parcels to Antarctica");
        assert_eq!(detail("UK"), "UK is no ISO 3166-1 code; the United Kingdom is GB");
        for wrong in ["XX", "ZZ", "gb", "GBR", "Narnia"] {
            assert_eq!(detail(wrong), format!("{wrong} is no ISO 3166-1 code of a country"));
        }
    }
}
